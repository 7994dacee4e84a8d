internal import JSON
internal import Units
internal import Venue

/// What concerns many orders: lists, histories, balances, and the end of all open orders.
extension OKXOrderEntry {
  /// Entries of one answer.
  private static let pageMax = 100
  /// Orders in one request of cancel-batch-orders.
  static let batchMax = 20
  /// Answers that are read of one history before it counts as endless.
  private static let pagesMax = 100
  static let fillsMax = 1_000

  func openOrders(of instrument: InstrumentID) async throws(VenueError) -> [VenueReport] {
    let instrument = try self.instrument(instrument)
    var all: [VenueReport] = []
    for _ in 0..<Self.pagesMax {
      var parameters = [
        ("instType", OKXSymbols.type(of: instrument.kind)), ("instId", instrument.venueSymbol),
        ("limit", "\(Self.pageMax)"),
      ]
      if let last = all.last { parameters.append(("after", last.venueOrderID)) }
      let body = try await body("/api/v5/trade/orders-pending", parameters)
      let page = try read { () throws(JSONError) in try reports.orders(body) }
      guard page.allSatisfy({ $0.instrument == instrument.id }) else {
        throw VenueError(.venueUnavailable, "orders of other instruments than were asked for")
      }
      all += page
      if page.count < Self.pageMax { return all }
    }
    throw VenueError(.overloaded, "more than \(all.count) open orders")
  }

  /// OKX ends all open orders of an instrument by no single request: they are listed and cancelled
  /// in batches. What was placed meanwhile is not among them.
  func cancelAll(of instrument: InstrumentID) async throws(VenueError) -> [VenueReport] {
    let found = try self.instrument(instrument)
    let open = try await openOrders(of: instrument)
    var cancelled: [VenueReport] = []
    for start in stride(from: 0, to: open.count, by: Self.batchMax) {
      let batch = open[start..<min(open.count, start + Self.batchMax)]
      cancelled += try await cancel(batch, found)
    }
    return cancelled
  }

  private func cancel(
    _ batch: ArraySlice<VenueReport>, _ instrument: Instrument
  ) async throws(VenueError) -> [VenueReport] {
    var json = JSONWriter()
    json.array { json in
      for order in batch {
        json.object { json in
          json.member("instId", instrument.venueSymbol)
          json.member("ordId", order.venueOrderID)
        }
      }
    }
    do throws(VenueFailure) {
      let results = try await rest.post(
        "/api/v5/trade/cancel-batch-orders", json.finished(), instrument: instrument.venueSymbol,
        orders: batch.count)
      var cancelled: [VenueReport] = []
      for result in results {
        let code = result["sCode"]?.string ?? ""
        guard code != "0" else {
          let id = result["ordId"]?.string
          cancelled += batch.filter { $0.venueOrderID == id }.map { $0.ended(.cancelled) }
          continue
        }
        let failure = OKXErrors.failure(
          status: 200, code: code, text: result["sMsg"]?.string ?? "")
        // Filled or cancelled meanwhile is as good.
        if case .definite(.unknownOrder, _) = failure { continue }
        throw failure
      }
      return cancelled
    } catch {
      throw error.asVenueError
    }
  }

  // MARK: Fills

  /// The venue's pages go from new to old: they are read back to `executionID`, or the latest are.
  func fills(
    of instrument: InstrumentID, from executionID: String?
  ) async throws(VenueError) -> [VenueFillRecord] {
    let instrument = try self.instrument(instrument)
    guard let executionID else {
      let found = try await history(instrument, [], until: { $0.count >= Self.fillsMax })
      return Array(found.prefix(Self.fillsMax).reversed())
    }
    guard let first = UInt64(executionID) else {
      throw VenueError(.invalidOrder, "executionID \(executionID) is none of OKX's")
    }
    func isBefore(_ record: VenueFillRecord) -> Bool {
      UInt64(record.fill.executionID).map { $0 < first } ?? false
    }
    let found = try await history(instrument, []) { $0.last.map(isBefore) ?? false }
    return Array(found.filter { !isBefore($0) }.reversed().prefix(Self.fillsMax))
  }

  func fills(
    ofOrder venueOrderID: String, _ instrument: InstrumentID
  ) async throws(VenueError) -> [VenueFillRecord] {
    let instrument = try self.instrument(instrument)
    return try await history(instrument, [("ordId", venueOrderID)], until: { _ in false })
      .reversed()
  }

  /// Newest first, until there are enough or no more: the last three days, then the three months
  /// before.
  private func history(
    _ instrument: Instrument, _ filter: [(String, String)],
    until isEnough: ([VenueFillRecord]) -> Bool
  ) async throws(VenueError) -> [VenueFillRecord] {
    var all: [VenueFillRecord] = []
    var after = ""
    var pages = 0
    for path in ["/api/v5/trade/fills", "/api/v5/trade/fills-history"] {
      var isLast = false
      while !isLast {
        var parameters = [
          ("instType", OKXSymbols.type(of: instrument.kind)), ("instId", instrument.venueSymbol),
          ("limit", "\(Self.pageMax)"),
        ]
        parameters += filter
        if !after.isEmpty { parameters.append(("after", after)) }
        let body = try await body(path, parameters)
        let page = try read { () throws(JSONError) in try reports.fills(body) }
        all += page.records
        if !page.lastBill.isEmpty { after = page.lastBill }
        isLast = page.count < Self.pageMax
        pages += 1
        if isEnough(all) { return all }
        guard pages < Self.pagesMax else {
          throw VenueError(.overloaded, "more than \(all.count) fills")
        }
      }
    }
    return all
  }

  // MARK: Balances

  func balances() async throws(VenueError) -> [VenueBalance] {
    let body = try await body("/api/v5/account/balance", [])
    return try read { () throws(JSONError) in
      try reports.balances(JSONDocument(parsing: body).root.array("data"))
    }
  }

  // MARK: Requests

  private func body(
    _ path: String, _ parameters: [(String, String)]
  ) async throws(VenueError) -> [UInt8] {
    do throws(VenueFailure) {
      return try await rest.get(path, parameters)
    } catch {
      throw error.asVenueError
    }
  }

  private func read<T>(_ body: () throws(JSONError) -> T) throws(VenueError) -> T {
    do throws(JSONError) {
      return try body()
    } catch {
      throw VenueError(.venueUnavailable, "the answer cannot be read: \(error)")
    }
  }
}
