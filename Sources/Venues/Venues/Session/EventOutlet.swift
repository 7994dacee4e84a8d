internal import Loop

/// Hands events to a hearer one at a time, in the order in which they were put in, whoever puts
/// them in. Confined to its loop.
final class EventOutlet<Event: Sendable> {
  private let hearer: @Sendable (Event) async -> Void
  private var waiting: [Event] = []
  private var isHandingOut = false
  private var done: [CheckedContinuation<Void, Never>] = []

  init(_ hearer: @escaping @Sendable (Event) async -> Void) { self.hearer = hearer }

  /// Returns when the hearer has taken all of them: the way a slow hearer holds its stream back.
  func put(_ events: [Event]) async {
    guard !events.isEmpty else { return }
    if isHandingOut {
      waiting += events
      await withCheckedContinuation { done.append($0) }
      return
    }
    isHandingOut = true
    for event in events { await hearer(event) }
    while !waiting.isEmpty {
      let batch = waiting
      waiting.removeAll(keepingCapacity: true)
      for event in batch { await hearer(event) }
    }
    isHandingOut = false
    let resumed = done
    done.removeAll(keepingCapacity: true)
    for continuation in resumed { continuation.resume() }
  }
}
