private import Synchronization

/// Kraken's own ids of orders by ours, as far as they were told: with one, an order's state costs one
/// question instead of two dearer ones.
final class KrakenOrderNames: Sendable {
  private struct State {
    var ids: [String: String] = [:]
    /// In the order of their coming.
    var names: [String] = []
  }

  private let state = Mutex(State())

  /// Orders that are remembered; of older ones the id is asked for by name.
  static let namesMax = 4_096

  subscript(name: String) -> String? { state.withLock { $0.ids[name] } }

  /// A name that is used again, after its order has ended, means the later order.
  func remember(_ name: String, _ id: String) {
    guard !name.isEmpty else { return }
    state.withLock { state in
      if state.ids.updateValue(id, forKey: name) == nil { state.names.append(name) }
      guard state.names.count > 2 * Self.namesMax else { return }
      for old in state.names.prefix(Self.namesMax) { state.ids[old] = nil }
      state.names.removeFirst(Self.namesMax)
    }
  }
}
