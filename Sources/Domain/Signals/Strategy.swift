/// The strategies there are. A new one is a file in `Strategies` and a case here.
package enum Strategy: Sendable {
  case marketMaker(MarketMaker)

  package var kind: StrategyKind {
    switch self {
    case .marketMaker: .marketMaker
    }
  }

  /// Pure: the view and what the strategy remembers in, intents out.
  package mutating func decide(_ view: StrategyView) -> [StrategyAction] {
    switch self {
    case .marketMaker(var maker):
      let actions = maker.decide(view)
      self = .marketMaker(maker)
      return actions
    }
  }
}

package enum StrategyKind: String, Sendable, Hashable, CaseIterable {
  case marketMaker = "market-maker"
}
