internal import Chrono
internal import JSON
internal import Telemetry
internal import Units
internal import Venue

/// Orders over Binance's signed REST endpoints.
///
/// Every ending is one of three: the venue's answer, its refusal, or `unknown` for silence (a
/// timeout, a connection lost after sending, any 5xx, an answer that cannot be read). Nothing is
/// retried: a second order would be a second exposure.
struct BinanceOrderEntry: VenueOrderEntry {
  private let rest: BinanceREST
  private let instruments: InstrumentDirectory
  private let reports: BinanceReports
  let settlesAfter: Duration

  init(
    _ settings: VenueSettings, rest: BinanceREST, instruments: InstrumentDirectory,
    _ alarm: RowAlarm
  ) {
    self.rest = rest
    self.instruments = instruments
    self.reports = BinanceReports(instruments, alarm)
    // The venue refuses a request whose timestamp is older than the window when it arrives.
    settlesAfter = settings.receiveWindow
  }

  func place(_ order: VenueOrder) async -> VenueOutcome {
    guard let instrument = instruments[order.instrument] else { return Self.noInstrument }
    do throws(VenueFailure) {
      let body = try await rest.body(
        "POST", "/api/v3/order", parameters(order, instrument), .signed)
      return .acknowledged(try report(body))
    } catch {
      return counted(error.explained(order.price, order.quantity, instrument).ofPlacing.asOutcome)
    }
  }

  func cancel(_ clientOrderID: String, of instrument: InstrumentID) async -> VenueOutcome {
    guard let instrument = instruments[instrument] else { return Self.noInstrument }
    return await outcome(
      "DELETE", "/api/v3/order",
      [("symbol", instrument.venueSymbol), ("origClientOrderId", clientOrderID)])
  }

  func query(_ clientOrderID: String, of instrument: InstrumentID) async -> VenueOutcome {
    guard let instrument = instruments[instrument] else { return Self.noInstrument }
    return await outcome(
      "GET", "/api/v3/order",
      [("symbol", instrument.venueSymbol), ("origClientOrderId", clientOrderID)])
  }

  func replace(_ clientOrderID: String, with order: VenueOrder) async -> VenueReplacement {
    guard let instrument = instruments[order.instrument] else {
      return VenueReplacement(cancel: Self.noInstrument, place: nil)
    }
    let parameters =
      parameters(order, instrument) + [
        ("cancelReplaceMode", "STOP_ON_FAILURE"), ("cancelOrigClientOrderId", clientOrderID),
      ]
    do throws(VenueFailure) {
      let answer = try await rest.send(
        "POST", "/api/v3/order/cancelReplace", parameters, .signed)
      let replacement = try replacement(answer)
      _ = counted(replacement.cancel)
      if let place = replacement.place { _ = counted(place) }
      return replacement
    } catch {
      let failure = error.explained(order.price, order.quantity, instrument)
      let outcome = counted(failure.asOutcome)
      // Silence leaves both halves open; a refusal of the whole request stops both.
      if case .unknown = outcome { return VenueReplacement(cancel: outcome, place: outcome) }
      return VenueReplacement(cancel: outcome, place: nil)
    }
  }

  /// Binance keeps an order's place in the queue when its quantity gets smaller; it changes nothing
  /// else in place.
  func amend(_ amendment: VenueAmendment) async -> VenueOutcome {
    guard let instrument = instruments[amendment.instrument] else { return Self.noInstrument }
    guard amendment.price == nil, let quantity = amendment.quantity else {
      return .rejected(.venuePolicy, text: "Binance amends quantities only")
    }
    do throws(VenueFailure) {
      let body = try await rest.body(
        "PUT", "/api/v3/order/amend/keepPriority",
        [
          ("symbol", instrument.venueSymbol), ("origClientOrderId", amendment.clientOrderID),
          ("newClientOrderId", amendment.clientOrderID),
          ("newQty", instrument.decimal(quantity).description),
        ], .signed)
      do throws(JSONError) {
        return .acknowledged(try reports.amended(JSONDocument(parsing: body).root))
      } catch {
        throw VenueFailure.unknown("the answer cannot be read: \(error)")
      }
    } catch {
      return counted(error.explained(nil, quantity, instrument).asOutcome)
    }
  }

  func cancelAll(
    of instrument: InstrumentID
  ) async throws(VenueError) -> VenueList<VenueReport> {
    let symbol = try symbol(instrument)
    let body: [UInt8]
    do throws(VenueFailure) {
      body = try await rest.body("DELETE", "/api/v3/openOrders", [("symbol", symbol)], .signed)
    } catch {
      // -2011: there is nothing to cancel.
      if case .definite(.unknownOrder, _) = error { return VenueList() }
      throw error.asVenueError
    }
    return try read { () throws(JSONError) in try reports.cancelled(body) }
  }

  func openOrders(
    of instrument: InstrumentID
  ) async throws(VenueError) -> VenueList<VenueReport> {
    let symbol = try symbol(instrument)
    let body = try await body("/api/v3/openOrders", [("symbol", symbol)])
    return try read { () throws(JSONError) in try reports.orders(body) }
  }

  /// The question for all symbols weighs 80, that for one 6.
  private static let symbolsInTurnMax = 13

  func openOrders(
    of instruments: [InstrumentID]
  ) async throws(VenueError) -> VenueList<VenueReport> {
    guard instruments.count > Self.symbolsInTurnMax else {
      return try await openOrdersInTurn(of: instruments)
    }
    let body = try await body("/api/v3/openOrders", [])
    return try read { () throws(JSONError) in try reports.orders(body) }.of(instruments)
  }

  func fills(
    of instrument: InstrumentID, from executionID: String?
  ) async throws(VenueError) -> VenueList<VenueFillRecord> {
    var parameters = [("symbol", try symbol(instrument)), ("limit", "\(Self.pageMax)")]
    if let executionID { parameters.append(("fromId", executionID)) }
    let body = try await body("/api/v3/myTrades", parameters)
    return try read { () throws(JSONError) in try reports.fills(body).list }
  }

  func fills(
    ofOrder venueOrderID: String, _ instrument: InstrumentID
  ) async throws(VenueError) -> VenueList<VenueFillRecord> {
    let order = [
      ("symbol", try symbol(instrument)), ("orderId", venueOrderID), ("limit", "\(Self.pageMax)"),
    ]
    do throws(VenueError) {
      let latest = try await fills(order)
      return latest.count < Self.pageMax ? latest.list : try await allFills(order)
    } catch {
      guard error.reason == .unknownOrder else { throw error }
      return VenueList()
    }
  }

  /// Fills of one answer.
  private static let pageMax = 1_000
  /// Answers that are read of one order's fills: 40,000, which a message of ours still holds.
  private static let pagesMax = 40

  /// Without `fromId` the latest are told, with it those from there on: they are read from the first one on.
  private func allFills(
    _ order: [(String, String)]
  ) async throws(VenueError) -> VenueList<VenueFillRecord> {
    var all = VenueList<VenueFillRecord>()
    var next: Int64 = 0
    for _ in 0..<Self.pagesMax {
      let page = try await fills(order + [("fromId", String(next))])
      all.append(page.list)
      if page.count < Self.pageMax { return all }
      guard let last = page.next, last > next else {
        throw VenueError(.venueUnavailable, "trades without a number")
      }
      next = last
    }
    throw VenueError(.overloaded, "more than \(all.rows.count) fills")
  }

  private func fills(
    _ parameters: [(String, String)]
  ) async throws(VenueError) -> (list: VenueList<VenueFillRecord>, count: Int, next: Int64?) {
    let body = try await body("/api/v3/myTrades", parameters)
    return try read { () throws(JSONError) in try reports.fills(body) }
  }

  func balances() async throws(VenueError) -> [VenueBalance] {
    let body = try await body("/api/v3/account", [])
    return try read { () throws(JSONError) in try reports.balances(body) }
  }

  // MARK: Requests

  private static let noInstrument = VenueOutcome.rejected(
    .invalidSymbol, text: "not an instrument of this session")

  private func parameters(_ order: VenueOrder, _ instrument: Instrument) -> [(String, String)] {
    var parameters = [
      ("symbol", instrument.venueSymbol), ("side", order.side == .buy ? "BUY" : "SELL"),
      ("newClientOrderId", order.clientOrderID),
      ("quantity", instrument.decimal(order.quantity).description),
      ("newOrderRespType", "FULL"),
    ]
    switch (order.type, order.timeInForce) {
    case (.market, _):
      parameters.append(("type", "MARKET"))
    case (.limit, .postOnly):
      parameters.append(("type", "LIMIT_MAKER"))
    case (.limit, .gtc): parameters += [("type", "LIMIT"), ("timeInForce", "GTC")]
    case (.limit, .ioc): parameters += [("type", "LIMIT"), ("timeInForce", "IOC")]
    case (.limit, .fok): parameters += [("type", "LIMIT"), ("timeInForce", "FOK")]
    }
    if let price = order.price {
      parameters.append(("price", instrument.decimal(price).description))
    }
    return parameters
  }

  private func outcome(
    _ method: String, _ path: String, _ parameters: [(String, String)]
  ) async -> VenueOutcome {
    do throws(VenueFailure) {
      let body = try await rest.body(method, path, parameters, .signed)
      return .acknowledged(try report(body))
    } catch {
      return counted(error.asOutcome)
    }
  }

  private func counted(_ outcome: VenueOutcome) -> VenueOutcome {
    if case .unknown = outcome { rest.counters.unknownOutcomes.increment() }
    return outcome
  }

  /// A success whose body cannot be read was carried out all the same.
  private func report(_ body: [UInt8]) throws(VenueFailure) -> VenueReport {
    do throws(JSONError) {
      return try reports.order(JSONDocument(parsing: body).root)
    } catch {
      throw .unknown("the answer cannot be read: \(error)")
    }
  }

  // MARK: Replacement

  /// 200: both done. -2021 and -2022 carry the results of both halves under `data`.
  private func replacement(_ answer: BinanceREST.Answer) throws(VenueFailure) -> VenueReplacement {
    let root: JSONValue
    do throws(JSONError) {
      root = try JSONDocument(parsing: answer.body).root
    } catch {
      throw BinanceErrors.failure(status: max(answer.status, 500), body: answer.body)
    }
    guard let results = answer.isSuccess ? root : root["data"], !results.isNull else {
      throw BinanceErrors.failure(status: answer.status, body: answer.body)
    }
    var halves = VenueReplacement(cancel: .unknown(reason: ""), place: nil)
    do throws(VenueFailure) {
      halves.cancel = .acknowledged(try half(results["cancelResponse"]))
    } catch {
      halves.cancel = error.asOutcome
    }
    guard results["newOrderResult"]?.string != "NOT_ATTEMPTED" else { return halves }
    do throws(VenueFailure) {
      halves.place = .acknowledged(try half(results["newOrderResponse"]))
    } catch {
      halves.place = error.ofPlacing.asOutcome
    }
    return halves
  }

  private func half(_ json: JSONValue?) throws(VenueFailure) -> VenueReport {
    guard let json else { throw .unknown("half of the answer is missing") }
    if let code = json["code"]?.int64 {
      throw BinanceErrors.failure(code, json["msg"]?.string ?? "")
    }
    do throws(JSONError) {
      return try reports.order(json)
    } catch {
      throw .unknown("the answer cannot be read: \(error)")
    }
  }

  // MARK: Questions

  private func symbol(_ instrument: InstrumentID) throws(VenueError) -> String {
    guard let instrument = instruments[instrument] else {
      throw VenueError(.invalidSymbol, "not an instrument of this session")
    }
    return instrument.venueSymbol
  }

  private func body(
    _ path: String, _ parameters: [(String, String)]
  ) async throws(VenueError) -> [UInt8] {
    do throws(VenueFailure) {
      return try await rest.body("GET", path, parameters, .signed)
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
