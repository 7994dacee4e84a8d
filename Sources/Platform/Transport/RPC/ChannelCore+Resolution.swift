internal import Calls
internal import Chrono
internal import Loop

/// How a channel learns where its service is.
struct Resolution {
  /// It was answered once, with whatever.
  fileprivate(set) var isDone = false
  fileprivate var isRunning = false
  /// Something was announced while an answer was on its way: it may be old.
  fileprivate var isStale = false
  fileprivate var isAnnounced = false
  fileprivate var watch: NameWatch?
  fileprivate var refresh: (timer: TimerToken, due: Uptime)?
}

extension ChannelCore {
  func resolve() {
    loop.assertInLoop()
    guard !isClosed else { return }
    guard !resolution.isRunning else {
      resolution.isStale = true
      return
    }
    resolution.isRunning = true
    if resolution.watch == nil {
      let here = LoopBound(self)
      resolution.watch = resolver.watch(target) { [loop] in
        loop.onLoop { here.value?.announced() }
      }
    }
    loop.spawn { [self] in
      do throws(RPCError) {
        let found = try await resolver.addresses(of: target)
        loop.onLoop { self.learned(found) }
      } catch {
        loop.onLoop { self.couldNotResolve(error) }
      }
    }
  }

  private func announced() {
    resolution.isAnnounced = true
    resolve()
  }

  private func learned(_ addresses: [Address]) {
    let isAnnounced = resolution.isAnnounced
    guard finishResolution() else { return }
    let dropped = replaceSubchannels(with: addresses)
    for subchannel in dropped { subchannel.close() }
    for subchannel in subchannels {
      if isAnnounced { subchannel.hurry() } else { subchannel.connect() }
    }
    subchannelChanged()
    if subchannels.isEmpty { couldNotConnect("no instance of \(target) is known") }
    refreshLater(after: resolver.refreshInterval)
  }

  /// The subchannels of addresses that are there no more.
  private func replaceSubchannels(with addresses: [Address]) -> [Subchannel] {
    var kept: [Subchannel] = []
    var known: [Address: Int] = [:]
    // Two instances at one address are the same place: told twice, its connections would double.
    for address in addresses where known[address] == nil {
      if places[address] == nil { lastPlace += 1 }
      let place = places[address] ?? lastPlace
      known[address] = place
      let existing = subchannels.filter { $0.address == address }
      kept += existing
      for _ in existing.count..<max(existing.count, options.connectionsPerAddress) {
        kept.append(Subchannel(address, place: place, self))
      }
    }
    let keptIDs = Set(kept.map(ObjectIdentifier.init))
    let dropped = subchannels.filter { !keptIDs.contains(ObjectIdentifier($0)) }
    subchannels = kept
    places = known
    outliers?.keep(Set(known.values))
    return dropped
  }

  private func couldNotResolve(_ error: RPCError) {
    guard finishResolution() else { return }
    if subchannels.isEmpty {
      couldNotConnect("\(target) cannot be found: \(error.message)")
    }
    refreshLater(after: Self.resolvePause)
  }

  /// False when the answer is of no use any more.
  private func finishResolution() -> Bool {
    resolution.isRunning = false
    resolution.isDone = true
    guard !isClosed else { return false }
    guard !resolution.isStale else {
      resolution.isStale = false
      resolve()
      return false
    }
    resolution.isAnnounced = false
    return true
  }

  /// Asks again after a while, or sooner if that was planned already.
  func refreshLater(after interval: Duration?) {
    guard !isClosed, let interval else { return }
    let due = loop.uptime + interval
    if let (timer, planned) = resolution.refresh {
      guard due < planned else { return }
      loop.cancel(timer)
    }
    let timer = loop.schedule(at: due) { [weak self] in
      guard let self else { return }
      self.resolution.refresh = nil
      self.resolve()
    }
    resolution.refresh = (timer, due)
  }

  func endResolution() {
    resolution.watch?.end()
    resolution.watch = nil
    if let refresh = resolution.refresh { loop.cancel(refresh.timer) }
    resolution.refresh = nil
  }
}
