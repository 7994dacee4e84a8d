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

  func openOrders(
    of instrument: InstrumentID
  ) async throws(VenueError) -> VenueList<VenueReport> {
    let instrument = try self.instrument(instrument)
    let all = try await pending([
      ("instType", OKXSymbols.type(of: instrument.kind)), ("instId", instrument.venueSymbol),
    ])
    guard all.rows.allSatisfy({ $0.instrument == instrument.id }) else {
      throw VenueError(.venueUnavailable, "orders of other instruments than were asked for")
    }
    return all
  }

  /// Of sixty questions in two seconds.
  private static let instrumentsInTurnMax = 20

  /// Of more instruments than that OKX is asked by their types.
  func openOrders(
    of instruments: [InstrumentID]
  ) async throws(VenueError) -> VenueList<VenueReport> {
    guard instruments.count > Self.instrumentsInTurnMax else {
      return try await openOrdersInTurn(of: instruments)
    }
    var types: Set<String> = []
    for instrument in instruments {
      types.insert(OKXSymbols.type(of: try self.instrument(instrument).kind))
    }
    var all = VenueList<VenueReport>()
    for type in types.sorted() { all.append(try await pending([("instType", type)])) }
    return all.of(instruments)
  }

  private func pending(
    _ filter: [(String, String)]
  ) async throws(VenueError) -> VenueList<VenueReport> {
    var all = VenueList<VenueReport>()
    var last = ""
    for _ in 0..<Self.pagesMax {
      var parameters = filter + [("limit", "\(Self.pageMax)")]
      if !last.isEmpty { parameters.append(("after", last)) }
      let body = try await body("/api/v5/trade/orders-pending", parameters)
      let page = try read { () throws(JSONError) in try reports.orders(body) }
      all.append(page.list)
      if page.count < Self.pageMax { return all }
      last = page.last
    }
    throw VenueError(.overloaded, "more than \(all.rows.count) open orders")
  }

  /// OKX ends all open orders of an instrument by no single request: they are listed and cancelled
  /// in batches. What was placed meanwhile is not among them. Of an order whose row cannot be read the id is
  /// enough. One that the venue does not cancel keeps none of the others from being cancelled.
  func cancelAll(
    of instrument: InstrumentID
  ) async throws(VenueError) -> VenueList<VenueReport> {
    let found = try self.instrument(instrument)
    let open = try await openOrders(of: instrument)
    let ids =
      open.rows.map(\.venueOrderID)
      + open.missing.map(\.venueOrderID).filter { !$0.isEmpty }
    var ended: Set<String> = []
    var refusal: VenueError?
    for start in stride(from: 0, to: ids.count, by: Self.batchMax) {
      let batch = ids[start..<min(ids.count, start + Self.batchMax)]
      do throws(VenueError) {
        let (cancelled, failure) = try await cancel(batch, found)
        ended.formUnion(cancelled)
        refusal = refusal ?? failure
      } catch {
        // Nothing is known of the batch, and the next one would fare no better.
        throw refusal ?? error
      }
    }
    if let refusal { throw refusal }
    return VenueList(
      open.rows.filter { ended.contains($0.venueOrderID) }.map { $0.ended(.cancelled) },
      missing: open.missing)
  }

  /// The ids of those that the venue has cancelled, and its first reason where it has not.
  private func cancel(
    _ batch: ArraySlice<String>, _ instrument: Instrument
  ) async throws(VenueError) -> (cancelled: [String], refusal: VenueError?) {
    var json = JSONWriter()
    json.array { json in
      for id in batch {
        json.object { json in
          json.member("instId", instrument.venueSymbol)
          json.member("ordId", id)
        }
      }
    }
    do throws(VenueFailure) {
      let results = try await rest.post(
        "/api/v5/trade/cancel-batch-orders", json.finished(), instrument: instrument.venueSymbol,
        orders: batch.count)
      var cancelled: [String] = []
      var refusal: VenueError?
      for result in results {
        let code = result["sCode"]?.string ?? ""
        guard code != "0" else {
          if let id = result["ordId"]?.string { cancelled.append(id) }
          continue
        }
        let failure = OKXErrors.failure(
          status: 200, code: code, text: result["sMsg"]?.string ?? "")
        // Filled or cancelled meanwhile is as good.
        if case .definite(.unknownOrder, _) = failure { continue }
        refusal = refusal ?? failure.asVenueError
      }
      return (cancelled, refusal)
    } catch {
      throw error.asVenueError
    }
  }

  // MARK: Fills

  /// The venue's pages go from new to old: they are read back to `executionID`, or the latest are.
  func fills(
    of instrument: InstrumentID, from executionID: String?
  ) async throws(VenueError) -> VenueList<VenueFillRecord> {
    let instrument = try self.instrument(instrument)
    guard let executionID else {
      let found = try await history(instrument, [], until: { $0.count >= Self.fillsMax })
      return VenueList(found.rows.prefix(Self.fillsMax).reversed(), missing: found.missing)
    }
    guard let first = UInt64(executionID) else {
      throw VenueError(.invalidOrder, "executionID \(executionID) is none of OKX's")
    }
    func isBefore(_ record: VenueFillRecord) -> Bool {
      UInt64(record.fill.executionID).map { $0 < first } ?? false
    }
    let found = try await history(instrument, []) { $0.last.map(isBefore) ?? false }
    return VenueList(
      Array(found.rows.filter { !isBefore($0) }.reversed().prefix(Self.fillsMax)),
      missing: found.missing)
  }

  func fills(
    ofOrder venueOrderID: String, _ instrument: InstrumentID
  ) async throws(VenueError) -> VenueList<VenueFillRecord> {
    let instrument = try self.instrument(instrument)
    do throws(VenueError) {
      var found = try await history(instrument, [("ordId", venueOrderID)], until: { _ in false })
      found.rows.reverse()
      return found
    } catch {
      guard error.reason == .unknownOrder else { throw error }
      return VenueList()
    }
  }

  /// Newest first, until there are enough or no more: the last three days, then the three months
  /// before.
  private func history(
    _ instrument: Instrument, _ filter: [(String, String)],
    until isEnough: ([VenueFillRecord]) -> Bool
  ) async throws(VenueError) -> VenueList<VenueFillRecord> {
    var all = VenueList<VenueFillRecord>()
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
        all.append(page.list)
        if !page.last.isEmpty { after = page.last }
        isLast = page.count < Self.pageMax
        pages += 1
        if isEnough(all.rows) { return all }
        guard pages < Self.pagesMax else {
          throw VenueError(.overloaded, "more than \(all.rows.count) fills")
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
