internal import Venue

/// Trades and those that were missed.
extension OKXFeed {
  /// Missed trades that are fetched; of longer stretches the last ones.
  package static let backfillMax: UInt64 = 1_000
  /// Trades in one answer of GET market/history-trades.
  static let historyMax = 100

  func take(_ told: OKXTrade, _ output: inout FeedOutput) {
    let trade = told.trade
    let index = Int(trade.instrument.index) - first
    if let last = states[index].lastTrade {
      // A subscription begins with the last trade there was.
      guard trade.tradeID > last else { return }
      let oldest = trade.tradeID - (told.count - 1)
      if oldest > last + 1 { miss(last + 1...oldest - 1, index, &output) }
    }
    states[index].lastTrade = trade.tradeID
    output.events.append(.trade(trade))
  }

  private func miss(_ ids: ClosedRange<UInt64>, _ index: Int, _ output: inout FeedOutput) {
    output.faults.append(
      .missedTrades(states[index].instrument.id, "\(ids.lowerBound) to \(ids.upperBound)"))
    let isAsking = states[index].missing != nil
    let lowest = min(states[index].missing?.lowerBound ?? ids.lowerBound, ids.lowerBound)
    let oldest = ids.upperBound - min(ids.upperBound, Self.backfillMax - 1)
    states[index].missing = max(lowest, oldest)...ids.upperBound
    if !isAsking { askTrades(index, &output) }
  }

  /// Pages go from new to old: `after` an id are those before it.
  func askTrades(_ index: Int, _ output: inout FeedOutput) {
    guard let missing = states[index].missing else { return }
    let instrument = states[index].instrument
    output.wishes.append(
      .get(
        target: "/api/v5/market/history-trades?instId=\(instrument.venueSymbol)&type=1"
          + "&after=\(missing.upperBound + 1)&limit=\(Self.historyMax)",
        weight: 1, FeedQuestion(.trades, instrument.id), after: .zero))
  }

  /// Tells what of the answer was missing, and asks for the rest. Every page reaches farther back
  /// or is the last.
  func backfill(_ trades: [Trade], _ index: Int, _ output: inout FeedOutput) {
    guard let missing = states[index].missing else { return }
    let found = trades.filter { missing.contains($0.tradeID) }
    for trade in found { output.events.append(.trade(trade)) }
    states[index].missing = nil
    guard let oldest = found.first?.tradeID, oldest > missing.lowerBound else { return }
    states[index].missing = missing.lowerBound...oldest - 1
    askTrades(index, &output)
  }
}
