internal import Contracts
internal import EventBus
private import Synchronization

/// The latest signals, newest last; each also goes onto the bus.
final class SignalLog: Sendable {
  private let bus: PriorityBus<TradingEvent>
  private let keptMax: Int
  private let state = Mutex<(last: UInt64, signals: [TradingV1.Signal])>((0, []))

  init(_ bus: PriorityBus<TradingEvent>, keptMax: Int) {
    self.bus = bus
    self.keptMax = keptMax
  }

  func add(_ signal: TradingV1.Signal) {
    let numbered = state.withLock { state in
      state.last += 1
      var numbered = signal
      numbered.sequence = state.last
      state.signals.append(numbered)
      if state.signals.count > 2 * keptMax {
        state.signals.removeFirst(state.signals.count - keptMax)
      }
      return numbered
    }
    do throws(TopicError) {
      try bus.publishNow(.signal(numbered), on: BusLane.signals.rawValue)
    } catch {
      // A full lane has counted it; a finished bus has nobody left to tell.
      return
    }
  }

  /// Newest first.
  func latest(_ count: Int) -> [TradingV1.Signal] {
    state.withLock { $0.signals.suffix(min(count, keptMax)).reversed() }
  }
}
