internal import Chrono
internal import JSON
internal import Loop

/// Plays a capture to the exchange at its pace. Confined to the simulator's loop.
///
/// It begins with the first client that listens to the market. At instant speed it also stops at
/// the place where the recorder fetched its snapshot until a client has fetched one (or half a
/// minute has passed), so that a client's book begins where the recorder's did (Kraken and OKX send
/// theirs with the subscription); and it stops while nobody listens.
final class CapturePlayer {
  private let capture: MarketCapture
  private let market: Int
  private let speed: ReplaySpeed
  private let loop: EventLoop
  private var isHeld: Bool
  private var releaseWaiter: CheckedContinuation<Void, Never>?
  private var snapshotWaiter: CheckedContinuation<Void, Never>?
  private var isSnapshotTaken = false
  private var isStopped = false
  private(set) var isFinished = false

  private static let snapshotWaitMax = Duration.seconds(30)
  /// Messages that are played in a row at instant speed; then whoever asks for a snapshot, connects or
  /// trades has a turn.
  private static let turnMessages = 32

  init(_ capture: MarketCapture, market: Int, _ settings: ReplaySettings, loop: EventLoop) {
    self.capture = capture
    self.market = market
    self.speed = settings.speed
    self.isHeld = settings.isHeld
    self.loop = loop
  }

  func start(_ shell: VenueShell) {
    let player = Unchecked(self)
    loop.spawn { [weak shell] in
      guard let shell else { return }
      await player.value.run(shell)
    }
  }

  func stop() {
    isStopped = true
    release()
    wakeAtSnapshot()
  }

  /// Lets a held playback begin.
  func release() {
    isHeld = false
    releaseWaiter?.resume()
    releaseWaiter = nil
  }

  func snapshotTaken(of symbol: String) {
    guard symbol == capture.symbol else { return }
    isSnapshotTaken = true
    wakeAtSnapshot()
  }

  private func wakeAtSnapshot() {
    snapshotWaiter?.resume()
    snapshotWaiter = nil
  }

  private func run(_ shell: VenueShell) async {
    if isHeld { await withCheckedContinuation { releaseWaiter = $0 } }
    await waitForListeners(shell)
    var start: (uptime: Uptime, received: Instant)?
    for index in 0..<capture.count {
      if speed == .instant {
        if index == capture.messagesBeforeSnapshot { await waitForSnapshot() }
        await waitForListeners(shell)
        if index % Self.turnMessages == 0 { await loop.sleep(for: .zero) }
      }
      if isStopped { return }
      do throws(JSONError) {
        guard let message = try capture.message(index) else { continue }
        let begin = start ?? (loop.uptime, message.received)
        start = begin
        if case .times(let factor) = speed {
          await wait(until: begin.uptime + (message.received - begin.received) / Int(factor))
          if isStopped { return }
        }
        try await shell.play(message, market: market, waiting: speed == .instant)
      } catch {
        shell.playbackFailed("message \(index + 1): \(error)")
        return
      }
    }
    isFinished = true
  }

  private func waitForListeners(_ shell: VenueShell) async {
    while !isStopped, !shell.hasListeners(market: market) { await shell.nextSubscription() }
  }

  private func waitForSnapshot() async {
    guard !isSnapshotTaken, !isStopped else { return }
    let timer = loop.schedule(after: Self.snapshotWaitMax) { [weak self] in
      self?.wakeAtSnapshot()
    }
    await withCheckedContinuation { snapshotWaiter = $0 }
    loop.cancel(timer)
  }

  private func wait(until moment: Uptime) async {
    let delay = moment - loop.uptime
    if delay > .zero { await loop.sleep(for: delay) }
  }
}

/// Carries a loop-confined object into a task of the same loop. `@unchecked Sendable`: the task
/// runs on the loop that the object is confined to.
private struct Unchecked<Value>: @unchecked Sendable {
  let value: Value
  init(_ value: Value) { self.value = value }
}
