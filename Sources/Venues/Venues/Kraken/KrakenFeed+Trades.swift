package import Chrono
internal import JSON
internal import Units
internal import Venue

/// Trades, and the search for those that were missed.
extension KrakenFeed {
  /// Missed trades that are fetched; of longer stretches the last ones. One answer holds as many.
  package static let backfillMax: UInt64 = 1_000

  func takeTrades(
    _ rows: JSONArray, _ isSnapshot: Bool, _ received: Instant, _ output: inout FeedOutput
  ) throws(JSONError) {
    for row in rows {
      guard let index = try place(row) else { continue }
      var trade = try trade(row, markets[index].instrument, received)
      // A first connection begins now; of a later one's snapshot only what is new counts.
      if isSnapshot, markets[index].lastTrade == nil {
        markets[index].lastTrade = (trade.tradeID, trade.exchangeTime)
        markets[index].isFirstSnapshot = true
        continue
      }
      if isSnapshot, markets[index].isFirstSnapshot {
        if trade.tradeID > markets[index].lastTrade?.id ?? 0 {
          markets[index].lastTrade = (trade.tradeID, trade.exchangeTime)
        }
        continue
      }
      trade.isBackfilled = isSnapshot
      take(trade, index, &output)
    }
  }

  private func take(_ trade: Trade, _ index: Int, _ output: inout FeedOutput) {
    markets[index].isFirstSnapshot = false
    if let last = markets[index].lastTrade {
      guard trade.tradeID > last.id else { return }
      if trade.tradeID > last.id + 1 {
        miss(last.id + 1...trade.tradeID - 1, since: last.time, index, &output)
      }
    }
    markets[index].lastTrade = (trade.tradeID, trade.exchangeTime)
    output.events.append(.trade(trade))
  }

  private func miss(
    _ ids: ClosedRange<UInt64>, since: Instant, _ index: Int, _ output: inout FeedOutput
  ) {
    let instrument = markets[index].instrument
    output.faults.append(.missedTrades(instrument.id, "\(ids.lowerBound) to \(ids.upperBound)"))
    let isAsking = markets[index].missing != nil
    let first = min(markets[index].missing?.lowerBound ?? ids.lowerBound, ids.lowerBound)
    let oldest = ids.upperBound - min(ids.upperBound, Self.backfillMax - 1)
    markets[index].missing = max(first, oldest)...ids.upperBound
    // Without a moment the venue gives the last ones.
    if oldest > first {
      markets[index].missingSince = nil
    } else if !isAsking {
      markets[index].missingSince = since
    }
    if !isAsking { askTrades(index, &output) }
  }

  /// Trades after a moment; one millisecond earlier, as several may share it.
  func askTrades(_ index: Int, _ output: inout FeedOutput) {
    let instrument = markets[index].instrument
    let since = markets[index].missingSince.map { max(0, $0.nanoseconds - 1_000_000) }
    output.wishes.append(
      .get(
        target: "/0/public/Trades?pair=\(KrakenAssets.restPair(instrument.venueSymbol))"
          + (since.map { "&since=\($0)" } ?? "") + "&count=\(Self.backfillMax)",
        weight: 1, FeedQuestion(.trades, instrument.id), after: .zero))
  }

  package func answered(
    _ question: FeedQuestion, _ body: [UInt8], at received: Instant, _ output: inout FeedOutput
  ) {
    guard question.kind == .trades,
      let index = markets.firstIndex(where: { $0.instrument.id == question.instrument }),
      let missing = markets[index].missing
    else { return }
    markets[index].missing = nil
    do throws(JSONError) {
      let root = try JSONDocument(parsing: body).root
      guard try root.array("error").isEmpty else {
        throw .unexpected("Trades: \(root["error"]?.description ?? "")")
      }
      var newest: Trade?
      for member in try root.object("result") {
        guard let rows = member.value.array else { continue }
        for row in rows {
          guard let id = row[6]?.uint64, missing.contains(id) else { continue }
          let trade = try pastTrade(row, id, markets[index].instrument, received)
          output.events.append(.trade(trade))
          if id > newest?.tradeID ?? 0 { newest = trade }
        }
      }
      // A full answer can end before the last one that is missing; every one reaches farther.
      guard let newest, newest.tradeID < missing.upperBound else { return }
      markets[index].missing = newest.tradeID + 1...missing.upperBound
      markets[index].missingSince = newest.exchangeTime
      askTrades(index, &output)
    } catch {
      output.faults.append(.malformed(error.description))
    }
  }

  private func trade(
    _ row: JSONValue, _ instrument: Instrument, _ received: Instant
  ) throws(JSONError) -> Trade {
    let level = try instrument.krakenLevel(row.member("price"), row.member("qty"))
    let side = try row.member("side")
    guard side.isString("buy") || side.isString("sell") else {
      throw .unexpected("side is \(side)")
    }
    return Trade(
      instrument: instrument.id, tradeID: try row.uint64("trade_id"), price: level.price,
      quantity: level.quantity, aggressor: side.isString("buy") ? .buy : .sell,
      exchangeTime: row["timestamp"]?.krakenTime ?? received, receivedTime: received)
  }

  /// `[price, volume, time, side, order type, miscellaneous, id]`
  private func pastTrade(
    _ row: JSONValue, _ id: UInt64, _ instrument: Instrument, _ received: Instant
  ) throws(JSONError) -> Trade {
    let level = try instrument.krakenLevel(row.element(0), row.element(1))
    return Trade(
      instrument: instrument.id, tradeID: id, price: level.price, quantity: level.quantity,
      aggressor: try row.element(3).isString("b") ? .buy : .sell,
      exchangeTime: try row.element(2).krakenSeconds ?? received, receivedTime: received,
      isBackfilled: true)
  }
}
