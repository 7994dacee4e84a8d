internal import JSON
internal import Telemetry
internal import Units
internal import Venue

/// Orders over OKX's signed REST endpoints: spot without borrowing, contracts on cross margin.
///
/// Every ending is one of three: the venue's answer, its refusal, or `unknown` for silence (a
/// timeout, a connection lost after sending, any 5xx, an answer that cannot be read). Nothing is
/// retried: a second order would be a second exposure.
///
/// OKX answers an order, an amendment and a cancel when it has taken the request, not when it is
/// carried out. So amendments and cancels end with a query: what is told is the order's state. A
/// placed order is told as new; what becomes of it comes on the private stream.
struct OKXOrderEntry: VenueOrderEntry {
  let rest: OKXREST
  let instruments: InstrumentDirectory
  let reports: OKXReports
  let settlesAfter: Duration

  static let orderPath = "/api/v5/trade/order"
  static let noInstrument = VenueError(.invalidSymbol, "not an instrument of this session")

  init(
    _ settings: VenueSettings, rest: OKXREST, instruments: InstrumentDirectory, _ alarm: RowAlarm
  ) {
    self.rest = rest
    self.instruments = instruments
    reports = OKXReports(instruments, alarm)
    // Requests carry the time after which the venue does not take them (`expTime`).
    settlesAfter = settings.receiveWindow
  }

  // MARK: Orders

  func place(_ order: VenueOrder) async -> VenueOutcome {
    do throws(VenueError) {
      let instrument = try instrument(order.instrument)
      let name = try OKXClientID.spelled(order.clientOrderID)
      do throws(VenueFailure) {
        let result = try await request(
          Self.orderPath, body(order, name, instrument), instrument)
        return .acknowledged(
          try readable { () throws(JSONError) in
            VenueReport(
              instrument: instrument.id, clientOrderID: order.clientOrderID,
              venueOrderID: try result.string("ordId"), status: .new, filledQuantity: .zero,
              exchangeTime: try result.instant(milliseconds: "ts"))
          })
      } catch {
        return counted(
          error.explained(order.price, order.quantity, instrument).ofPlacing.asOutcome)
      }
    } catch {
      return .rejected(error.reason, text: error.description)
    }
  }

  func cancel(_ clientOrderID: String, of instrument: InstrumentID) async -> VenueOutcome {
    await change("/api/v5/trade/cancel-order", clientOrderID, instrument) { _, _ in }
  }

  func amend(_ amendment: VenueAmendment) async -> VenueOutcome {
    await change(
      "/api/v5/trade/amend-order", amendment.clientOrderID, amendment.instrument,
      price: amendment.price, quantity: amendment.quantity
    ) { json, instrument in
      if let price = amendment.price {
        json.member("newPx", instrument.decimal(price).description)
      }
      if let quantity = amendment.quantity {
        json.member("newSz", instrument.decimal(quantity).description)
      }
    }
  }

  /// Two requests: the new order is tried once a query has proven that the old one is cancelled.
  func replace(_ clientOrderID: String, with order: VenueOrder) async -> VenueReplacement {
    let cancel = await cancel(clientOrderID, of: order.instrument)
    guard case .acknowledged(let report) = cancel, report.status == .cancelled else {
      return VenueReplacement(cancel: cancel, place: nil)
    }
    return VenueReplacement(cancel: cancel, place: await place(order))
  }

  func query(_ clientOrderID: String, of instrument: InstrumentID) async -> VenueOutcome {
    do throws(VenueError) {
      let found = try self.instrument(instrument)
      let name = try OKXClientID.spelled(clientOrderID)
      return await state(name, found)
    } catch {
      return .rejected(error.reason, text: error.description)
    }
  }

  // MARK: Requests

  func instrument(_ id: InstrumentID) throws(VenueError) -> Instrument {
    guard let instrument = instruments[id] else { throw Self.noInstrument }
    return instrument
  }

  private func body(_ order: VenueOrder, _ name: String, _ instrument: Instrument) -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
      json.member("instId", instrument.venueSymbol)
      json.member("tdMode", instrument.kind == .spot ? "cash" : "cross")
      json.member("clOrdId", name)
      json.member("side", order.side == .buy ? "buy" : "sell")
      json.member("ordType", Self.type(order))
      json.member("sz", instrument.decimal(order.quantity).description)
      if let price = order.price, order.type == .limit {
        json.member("px", instrument.decimal(price).description)
      }
      // Without it the size of a market buy is an amount of the quote.
      if order.type == .market, instrument.kind == .spot { json.member("tgtCcy", "base_ccy") }
    }
    return json.finished()
  }

  private static func type(_ order: VenueOrder) -> String {
    switch (order.type, order.timeInForce) {
    case (.market, _): "market"
    case (.limit, .gtc): "limit"
    case (.limit, .ioc): "ioc"
    case (.limit, .fok): "fok"
    case (.limit, .postOnly): "post_only"
    }
  }

  private func change(
    _ path: String, _ clientOrderID: String, _ id: InstrumentID, price: Price? = nil,
    quantity: Quantity? = nil, _ terms: (inout JSONWriter, Instrument) -> Void
  ) async -> VenueOutcome {
    do throws(VenueError) {
      let instrument = try instrument(id)
      let name = try OKXClientID.spelled(clientOrderID)
      var json = JSONWriter()
      json.object { json in
        json.member("instId", instrument.venueSymbol)
        json.member("clOrdId", name)
        terms(&json, instrument)
      }
      do throws(VenueFailure) {
        _ = try await request(path, json.finished(), instrument)
      } catch {
        return counted(error.explained(price, quantity, instrument).asOutcome)
      }
      // The venue has taken the request: that it does not tell the order's state refuses nothing.
      return await state(name, instrument).afterRequest
    } catch {
      return .rejected(error.reason, text: error.description)
    }
  }

  /// The one result of a request about one order.
  private func request(
    _ path: String, _ body: [UInt8], _ instrument: Instrument
  ) async throws(VenueFailure) -> JSONValue {
    let results = try await rest.post(path, body, instrument: instrument.venueSymbol)
    let (result, code, text) = try readable { () throws(JSONError) in
      guard results.count == 1 else { throw .unexpected("\(results.count) results for one order") }
      return (results[0], try results[0].string("sCode"), results[0]["sMsg"]?.string ?? "")
    }
    guard code == "0" else { throw OKXErrors.failure(status: 200, code: code, text: text) }
    return result
  }

  private func state(_ name: String, _ instrument: Instrument) async -> VenueOutcome {
    do throws(VenueFailure) {
      let body = try await rest.get(
        Self.orderPath, [("instId", instrument.venueSymbol), ("clOrdId", name)],
        instrument: instrument.venueSymbol)
      let list = try readable { () throws(JSONError) in try reports.orders(body).list }
      guard let report = list.rows.first else {
        throw .unknown(list.missing.first?.text ?? "an answer without the order")
      }
      return .acknowledged(report)
    } catch {
      return counted(error.asOutcome)
    }
  }

  /// An answer that cannot be read leaves open what was done.
  private func readable<T>(_ body: () throws(JSONError) -> T) throws(VenueFailure) -> T {
    do throws(JSONError) {
      return try body()
    } catch {
      throw .unknown("the answer cannot be read: \(error)")
    }
  }

  private func counted(_ outcome: VenueOutcome) -> VenueOutcome {
    if case .unknown = outcome { rest.counters.unknownOutcomes.increment() }
    return outcome
  }
}
