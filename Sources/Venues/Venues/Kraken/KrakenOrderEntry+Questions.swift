internal import Chrono
internal import JSON
internal import Venue

/// What changes nothing.
extension KrakenOrderEntry {
  func query(_ clientOrderID: String, of instrument: InstrumentID) async -> VenueOutcome {
    guard let known = instruments[instrument] else { return Self.noInstrument }
    return await outcome(known) { () async throws(VenueFailure) in
      guard let report = try await find(clientOrderID, known) else {
        throw .definite(.unknownOrder, text: "neither open nor closed")
      }
      return report
    }
  }

  /// By Kraken's own id where we know it. Else among the open orders, then among the closed ones; in
  /// this order, as an order moves only that way. Both calls take our name of it
  /// (docs.kraken.com/api/docs/rest-api/get-open-orders).
  func find(
    _ clientOrderID: String, _ instrument: Instrument
  ) async throws(VenueFailure) -> VenueReport? {
    if let id = names[clientOrderID] {
      let result = try await rest.call(.queryOrders, [("txid", id)])
      let orders = try read { () throws(JSONError) in try reports.orders(result) }
      guard let report = orders.first, report.instrument == instrument.id else { return nil }
      return report
    }
    for (call, member) in [(KrakenCall.openOrders, "open"), (.closedOrders, "closed")] {
      let result = try await rest.call(call, [("cl_ord_id", clientOrderID)])
      let orders = try read { () throws(JSONError) in
        try reports.orders(result.member(member))
      }
      let found = orders.first { order in
        order.clientOrderID == clientOrderID && order.instrument == instrument.id
      }
      guard let found else { continue }
      names.remember(clientOrderID, found.venueOrderID)
      return found
    }
    return nil
  }

  func openOrders(of instrument: InstrumentID) async throws(VenueError) -> [VenueReport] {
    _ = try known(instrument)
    return try await question { () async throws(VenueFailure) in
      let result = try await rest.call(.openOrders)
      let orders = try read { () throws(JSONError) in try reports.orders(result.member("open")) }
      return orders.filter { $0.instrument == instrument }
    }
  }

  func fills(
    of instrument: InstrumentID, from executionID: String?
  ) async throws(VenueError) -> [VenueFillRecord] {
    _ = try known(instrument)
    return try await question { () async throws(VenueFailure) in
      guard let executionID else { return try await page(of: instrument, since: nil, skipping: 0) }
      let first = try await trades([executionID])
      guard let start = first.first?.fill.exchangeTime else {
        throw .definite(.unknownOrder, text: "no trade \(executionID)")
      }
      return try await history(of: instrument, from: executionID, since: start)
    }
  }

  /// Pages come newest first; trades of the first one's second that are older than it are left out.
  private func history(
    of instrument: InstrumentID, from executionID: String, since start: Instant
  ) async throws(VenueFailure) -> [VenueFillRecord] {
    var found: [String: VenueFillRecord] = [:]
    var skipped = 0
    while true {
      let page = try await rawPage(since: start, skipping: skipped)
      for record in page.records where record.instrument == instrument {
        found[record.fill.executionID] = record
      }
      skipped += Self.tradesPerPage
      if page.count < Self.tradesPerPage { break }
    }
    let ordered = found.values.sorted(by: KrakenReports.isOlder)
    let first = ordered.firstIndex { $0.fill.executionID == executionID } ?? 0
    return Array(ordered[first...].prefix(Self.fillsMax))
  }

  private func page(
    of instrument: InstrumentID, since: Instant?, skipping: Int
  ) async throws(VenueFailure) -> [VenueFillRecord] {
    try await rawPage(since: since, skipping: skipping).records.filter {
      $0.instrument == instrument
    }
  }

  /// `count` is of all trades in the page, those of other instruments too.
  private func rawPage(
    since: Instant?, skipping: Int
  ) async throws(VenueFailure) -> (records: [VenueFillRecord], count: Int) {
    var parameters = [("ofs", String(skipping))]
    // `start` is exclusive and in seconds.
    if let since { parameters.append(("start", String(since.seconds - 1))) }
    let result = try await rest.call(.tradesHistory, parameters)
    let records = try read { () throws(JSONError) in try reports.fills(result.member("trades")) }
    return (records, result["trades"]?.object?.count ?? 0)
  }

  func fills(
    ofOrder venueOrderID: String, _ instrument: InstrumentID
  ) async throws(VenueError) -> [VenueFillRecord] {
    _ = try known(instrument)
    return try await question { () async throws(VenueFailure) in
      let result = try await rest.call(
        .queryOrders, [("txid", venueOrderID), ("trades", "true")])
      guard let order = result[venueOrderID] else {
        throw .definite(.unknownOrder, text: "no order \(venueOrderID)")
      }
      let ids = order["trades"]?.array?.compactMap(\.string) ?? []
      return try await trades(ids).filter {
        $0.venueOrderID == venueOrderID && $0.instrument == instrument
      }
    }
  }

  private func trades(_ ids: [String]) async throws(VenueFailure) -> [VenueFillRecord] {
    var records: [VenueFillRecord] = []
    for start in stride(from: 0, to: ids.count, by: Self.tradesPerQuery) {
      let part = ids[start..<min(ids.count, start + Self.tradesPerQuery)]
      let result = try await rest.call(
        .queryTrades, [("txid", part.joined(separator: ","))])
      records += try read { () throws(JSONError) in try reports.fills(result) }
    }
    return records.sorted(by: KrakenReports.isOlder)
  }

  func balances() async throws(VenueError) -> [VenueBalance] {
    try await question { () async throws(VenueFailure) in
      let result = try await rest.call(.balanceEx)
      return try read { () throws(JSONError) in try reports.balances(result) }
    }
  }

  // MARK: Endings

  private func question<T>(
    _ body: () async throws(VenueFailure) -> T
  ) async throws(VenueError) -> T {
    do throws(VenueFailure) {
      return try await body()
    } catch {
      throw error.asVenueError
    }
  }

  private func read<T>(_ body: () throws(JSONError) -> T) throws(VenueFailure) -> T {
    do throws(JSONError) {
      return try body()
    } catch {
      throw .unknown("the answer cannot be read: \(error)")
    }
  }
}
