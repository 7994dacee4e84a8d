internal import Chrono
internal import Loop
internal import SharedRing
internal import Telemetry
internal import TickRing
internal import Venue

/// What has come out of the ring of ticks, in order.
struct TickBatch: Sendable {
  /// All that was known before is void: the ticks begin with the touch of every instrument.
  var isRestart = false
  var ticks: [(tick: Tick, instrument: TickInstrument)] = []
}

/// The ring of ticks, read on the loop: in every turn while it is awake, woken by the ring's bell when
/// it sleeps. It ends when the ring's writer has ended it, is gone, or is silent.
///
/// `@unchecked Sendable`: touched on its loop only.
final class TickFeed: WatchedMemory, Pollable, @unchecked Sendable {
  private let path: String
  private let loop: EventLoop
  private let silenceMax: Duration
  private let spin: Duration
  private let metrics: Metrics
  private var reader: TickReader?
  private var registration: Registration?
  private var pending = TickBatch()
  private var waiter: CheckedContinuation<Void, Never>?
  /// Counts openings.
  private var epoch = 0
  /// Why it has ended, or was not opened.
  private(set) var absence = "it was not looked for yet"

  /// Ticks that wait for the desk; more wait in the ring, whose overruns are counted.
  private static let pendingMax = 4_096
  /// How often the writer is looked at; a death is found by then, a silence after `silenceMax`.
  private static let lookInterval = Duration.milliseconds(50)

  init(_ place: RingPlace, _ config: Config, _ loop: EventLoop, _ registry: MetricsRegistry) {
    path = place.path
    self.loop = loop
    silenceMax = config.tickRing.silenceMax
    spin = config.tickRing.spin
    metrics = Metrics(registry)
  }

  private struct Metrics {
    let isOpen: Gauge
    let read: Counter
    let overruns: Counter
    let lost: Counter
    let takeovers: Counter
    let ends: Counter
    let occupancy: Histogram

    init(_ metrics: MetricsRegistry) {
      isOpen = metrics.gauge(
        "trading_gateway_tick_ring_open", help: "1 while prices come from the ring of ticks.")
      read = metrics.counter(
        "trading_gateway_ticks_read_total", help: "Ticks taken from the ring.")
      overruns = metrics.counter(
        "trading_gateway_tick_ring_overruns_total",
        help: "Times the ring's writer was a whole ring ahead; all prices were read anew.")
      lost = metrics.counter(
        "trading_gateway_ticks_lost_total", help: "Ticks lost to overruns.")
      takeovers = metrics.counter(
        "trading_gateway_tick_ring_takeovers_total",
        help: "Times another writer took over the ring; all prices were read anew.")
      ends = metrics.counter(
        "trading_gateway_tick_ring_ends_total",
        help: "Times the ring was left, its writer being gone or silent.")
      occupancy = metrics.histogram(
        "trading_gateway_tick_ring_occupancy_ratio",
        help: "How full the ring was whenever ticks were found in it, 0 to 1; at 1 ticks are lost.",
        bounds: [0.000_1, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1])
    }
  }

  // MARK: Life

  /// True when there is a ring and its writer lives; else `absence` says why not.
  func open() -> Bool {
    loop.assertInLoop()
    guard reader == nil else { return true }
    do {
      var fresh = try TickReader(path)
      if let reason = fresh.absence(loop.uptime, silenceMax: silenceMax) {
        absence = "\(path): \(reason)"
        return false
      }
      registration = try loop.register(fresh.openBell(), .readable, self)
      reader = consume fresh
    } catch {
      absence = "\(error)"
      return false
    }
    epoch += 1
    restart()
    loop.watch(self, spin: spin)
    lookAgain(epoch)
    metrics.isOpen.set(1)
    return true
  }

  /// Whether `open` would succeed, without opening it.
  var isThere: Bool {
    loop.assertInLoop()
    do {
      return try TickReader(path).absence(loop.uptime, silenceMax: silenceMax) == nil
    } catch {
      absence = "\(error)"
      return false
    }
  }

  func close(_ reason: String) {
    guard reader != nil else { return }
    loop.unwatch(self)
    if let registration { loop.unregister(registration) }
    registration = nil
    reader = nil
    pending = TickBatch()
    absence = reason
    metrics.isOpen.set(0)
    metrics.ends.increment()
    wakeWaiter()
  }

  private func lookAgain(_ epoch: Int) {
    loop.schedule(after: Self.lookInterval) { [weak self] in
      guard let self, epoch == self.epoch, reader != nil else { return }
      if let reason = reader?.absence(loop.uptime, silenceMax: silenceMax) {
        return close("\(path): \(reason)")
      }
      lookAgain(epoch)
    }
  }

  // MARK: Reading

  /// What has come since the last call, once something has; nil when the ring has ended.
  func next() async -> TickBatch? {
    while reader != nil, pending.ticks.isEmpty, !pending.isRestart, !Task.isCancelled {
      await withTaskCancellationHandler {
        await withCheckedContinuation { waiter = $0 }
      } onCancel: {
        loop.execute { [self] in wakeWaiter() }
      }
    }
    guard reader != nil, !Task.isCancelled else { return nil }
    let batch = pending
    pending = TickBatch()
    return batch
  }

  private func wakeWaiter() {
    waiter?.resume()
    waiter = nil
  }

  /// From the bell.
  func ready(_ readiness: Readiness) {
    reader?.silence()
    _ = look()
  }

  func look() -> Bool {
    guard let lag = reader?.lag else { return false }
    if lag > 0 { metrics.occupancy.observe(Double(reader?.occupancyPermille ?? 0) / 1_000) }
    var found = false
    while pending.ticks.count < Self.pendingMax, let reading = reader?.read() {
      switch reading {
      case .tick(let tick, let instrument):
        pending.ticks.append((tick, instrument))
        metrics.read.increment()
      case .none:
        if found { wakeWaiter() }
        return found
      case .overrun(let lost):
        metrics.overruns.increment()
        metrics.lost.increment(by: lost)
        restart()
      case .newWriter:
        metrics.takeovers.increment()
        restart()
      case .retired:
        close("\(path): its writer has ended it")
        return true
      }
      found = true
    }
    if found { wakeWaiter() }
    return found
  }

  func sleeps() -> Bool {
    // When it is full the desk is behind, and goes on by itself.
    pending.ticks.count >= Self.pendingMax || reader?.sleeps() ?? true
  }

  func wakes() { reader?.wakes() }

  /// From the touch of every instrument as of now.
  private func restart() {
    pending = TickBatch(isRestart: true, ticks: reader?.restart() ?? [])
  }
}
