internal import Chrono
internal import JSON
internal import Telemetry
internal import Units
internal import Venue

/// Orders over Kraken's private REST calls.
///
/// Every ending is one of three: the venue's answer, its refusal, or `unknown` for silence (a
/// timeout, a connection lost after sending, any 5xx, `EService:Unavailable` and the like, an
/// answer that cannot be read). Nothing is retried: a second order would be a second exposure.
/// Orders and amends carry a deadline, after which the engine does not take them.
struct KrakenOrderEntry: VenueOrderEntry {
  let rest: KrakenREST
  let instruments: InstrumentDirectory
  let reports: KrakenReports
  let names = KrakenOrderNames()
  let settlesAfter: Duration
  private let window: Duration

  /// Trades in one QueryTrades (docs.kraken.com/api/docs/rest-api/get-trades-info).
  static let tradesPerQuery = 20
  /// Trades in one page of TradesHistory.
  static let tradesPerPage = 50
  /// Fills in one answer of ours.
  static let fillsMax = 1_000
  /// Rounds of `cancelAll`: orders may be placed while others are cancelled.
  private static let cancelRoundsMax = 3

  init(
    _ settings: VenueSettings, rest: KrakenREST, instruments: InstrumentDirectory,
    _ alarm: RowAlarm
  ) {
    self.rest = rest
    self.instruments = instruments
    reports = KrakenReports(instruments, alarm)
    // Kraken takes deadlines from two seconds to a minute ahead, and we know its clock to half a
    // second.
    window = min(max(settings.receiveWindow, .seconds(3)), .seconds(55))
    settlesAfter = window + .seconds(1)
  }

  // MARK: Changes

  func place(_ order: VenueOrder) async -> VenueOutcome {
    guard let instrument = instruments[order.instrument] else { return Self.noInstrument }
    if let refusal = Self.refusal(of: order) { return refusal }
    if let refusal = admit(order.clientOrderID, .add, instrument) { return refusal }
    return await outcome(instrument, order.price, order.quantity) {
      () async throws(VenueFailure) in
      let result = try await placed(parameters(order, instrument))
      guard let id = result["txid"]?[0]?.string else {
        throw .unknown("an order was placed, but its answer names none")
      }
      names.remember(order.clientOrderID, id)
      return VenueReport(
        instrument: instrument.id, clientOrderID: order.clientOrderID, venueOrderID: id,
        status: .new, filledQuantity: .zero, exchangeTime: rest.venueNow)
    }
  }

  /// What the order has become is asked for afterwards, as the answer counts cancels only.
  func cancel(_ clientOrderID: String, of instrument: InstrumentID) async -> VenueOutcome {
    guard let known = instruments[instrument] else { return Self.noInstrument }
    _ = admit(clientOrderID, .cancel(age: rest.age(of: clientOrderID)), known)
    let cancelled = await outcome(known) { () async throws(VenueFailure) in
      let result = try await rest.call(.cancelOrder, [("cl_ord_id", clientOrderID)])
      if result["count"]?.int == 0 { throw .definite(.unknownOrder, text: "nothing was cancelled") }
      return try await state(of: clientOrderID, known)
    }
    guard case .acknowledged(let report) = cancelled, !report.status.isTerminal else {
      return cancelled
    }
    return counted(.unknown(reason: "the cancel is under way"))
  }

  func replace(_ clientOrderID: String, with order: VenueOrder) async -> VenueReplacement {
    if let refusal = Self.refusal(of: order) {
      return VenueReplacement(cancel: refusal, place: nil)
    }
    let cancel = await cancel(clientOrderID, of: order.instrument)
    guard case .acknowledged(let report) = cancel, report.status == .cancelled else {
      return VenueReplacement(cancel: cancel, place: nil)
    }
    return VenueReplacement(cancel: cancel, place: await place(order))
  }

  func amend(_ amendment: VenueAmendment) async -> VenueOutcome {
    guard let instrument = instruments[amendment.instrument] else { return Self.noInstrument }
    let id = amendment.clientOrderID
    if let refusal = admit(id, .amend(age: rest.age(of: id)), instrument) { return refusal }
    var parameters = [("cl_ord_id", id)]
    if let quantity = amendment.quantity {
      parameters.append(("order_qty", instrument.decimal(quantity).description))
    }
    if let price = amendment.price {
      parameters.append(("limit_price", instrument.decimal(price).description))
    }
    return await outcome(instrument, amendment.price, amendment.quantity) {
      () async throws(VenueFailure) in
      _ = try await change(.amendOrder, parameters)
      return try await state(of: id, instrument)
    }
  }

  /// Kraken cancels all orders of an account or one at a time; of one pair we do the latter. Of an order
  /// whose row cannot be read the id is enough. One that is not cancelled keeps none of the others open.
  func cancelAll(
    of instrument: InstrumentID
  ) async throws(VenueError) -> VenueList<VenueReport> {
    let known = try known(instrument)
    var cancelled = VenueList<VenueReport>()
    for _ in 0..<Self.cancelRoundsMax {
      let open = try await openOrders(of: instrument)
      let unread = open.missing.filter { $0.instrument == instrument }.map(\.venueOrderID)
      cancelled.missing = open.missing
      if open.rows.isEmpty, unread.isEmpty { return cancelled }
      var refusal: VenueError?
      for id in open.rows.map(\.venueOrderID) + unread {
        let report = open.rows.first { $0.venueOrderID == id }
        do throws(VenueError) {
          if try await cancel(id, report?.clientOrderID ?? "", known), let report {
            cancelled.rows.append(report.ended(.cancelled))
          }
        } catch {
          if error.isOfTheAsking { throw error }
          refusal = refusal ?? error
        }
      }
      if let refusal { throw refusal }
    }
    let left = try await openOrders(of: instrument)
    guard left.rows.isEmpty else {
      throw VenueError(.venueUnavailable, "orders are open after \(Self.cancelRoundsMax) rounds")
    }
    cancelled.missing = left.missing
    return cancelled
  }

  /// False when it has ended by itself.
  private func cancel(
    _ id: String, _ clientOrderID: String, _ instrument: Instrument
  ) async throws(VenueError) -> Bool {
    do throws(VenueFailure) {
      _ = admit(clientOrderID, .cancel(age: rest.age(of: clientOrderID)), instrument)
      _ = try await rest.call(.cancelOrder, [("txid", id)])
      return true
    } catch {
      if case .definite(.unknownOrder, _) = error { return false }
      throw error.asVenueError
    }
  }

  // MARK: Requests

  static let noInstrument = VenueOutcome.rejected(
    .invalidSymbol, text: "not an instrument of this session")

  /// What Kraken would refuse, or misunderstand, is not sent.
  static func refusal(of order: VenueOrder) -> VenueOutcome? {
    if !isNameTaken(order.clientOrderID) {
      return .rejected(
        .invalidOrder,
        text:
          "clientOrderID \(order.clientOrderID) has \(order.clientOrderID.utf8.count) characters; "
          + "Kraken takes \(nameMax), or a UUID")
    }
    if order.timeInForce == .fok {
      return .rejected(.venuePolicy, text: "timeInForce: Kraken has no fill-or-kill")
    }
    if order.type == .limit, order.price == nil {
      return .rejected(.invalidOrder, text: "price: a limit order without one")
    }
    return nil
  }

  /// The longest free text for `cl_ord_id`
  /// (docs.kraken.com/api/docs/guides/spot-clordid).
  static let nameMax = 18

  /// Free text of 18 characters, or a UUID with or without its dashes.
  static func isNameTaken(_ name: String) -> Bool {
    let bytes = Array(name.utf8)
    guard !bytes.isEmpty, bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { return false }
    if bytes.count <= nameMax { return true }
    let dashes = [8, 13, 18, 23]
    let isDashed = bytes.count == 36 && dashes.allSatisfy { bytes[$0] == UInt8(ascii: "-") }
    guard isDashed || bytes.count == 32 else { return false }
    return bytes.enumerated().allSatisfy { place, byte in
      isDashed && dashes.contains(place) ? true : Character(Unicode.Scalar(byte)).isHexDigit
    }
  }

  private func parameters(_ order: VenueOrder, _ instrument: Instrument) -> [(String, String)] {
    var parameters = [
      ("ordertype", order.type == .market ? "market" : "limit"),
      ("type", order.side == .buy ? "buy" : "sell"),
      ("volume", instrument.decimal(order.quantity).description),
      ("pair", KrakenAssets.restPair(instrument.venueSymbol)),
      ("cl_ord_id", order.clientOrderID),
    ]
    if order.type == .limit, let price = order.price {
      parameters.append(("price", instrument.decimal(price).description))
      parameters.append(("timeinforce", order.timeInForce == .ioc ? "IOC" : "GTC"))
    }
    // Without `fciq` the fee of a sell is of the base, and answers do not say so.
    let isPostOnly = order.type == .limit && order.timeInForce == .postOnly
    parameters.append(("oflags", isPostOnly ? "fciq,post" : "fciq"))
    return parameters
  }

  /// On the venue's clock, to the millisecond.
  private var deadline: String { "\((rest.venueNow + window).rfc3339.prefix(23))Z" }

  /// An order or an amendment. A deadline that has passed by the venue's clock means that nothing was
  /// done, so the clocks are compared anew and the call is made once more.
  private func change(
    _ call: KrakenCall, _ parameters: [(String, String)]
  ) async throws(VenueFailure) -> JSONValue {
    do throws(VenueFailure) {
      return try await rest.call(call, parameters + [("deadline", deadline)])
    } catch {
      guard error.isDeadlineElapsed else { throw error }
      rest.forgetClock()
      try await rest.compareClocks()
      return try await rest.call(call, parameters + [("deadline", deadline)])
    }
  }

  private func placed(
    _ parameters: [(String, String)]
  ) async throws(VenueFailure) -> JSONValue {
    do throws(VenueFailure) {
      return try await change(.addOrder, parameters)
    } catch {
      throw error.ofPlacing
    }
  }

  private func admit(
    _ clientOrderID: String, _ change: KrakenLimits.Change, _ instrument: Instrument
  ) -> VenueOutcome? {
    let answer = rest.takeOrder(clientOrderID, change, of: instrument.venueSymbol)
    guard case .wait(let wait, let limit) = answer else { return nil }
    rest.counters.limited.increment()
    return .rejected(.rateLimit, text: "held back for \(wait) by the limit \(limit)")
  }

  /// The state after a change that was made: not to learn it leaves the outcome open.
  private func state(
    of clientOrderID: String, _ instrument: Instrument
  ) async throws(VenueFailure) -> VenueReport {
    do throws(VenueFailure) {
      if let report = try await find(clientOrderID, instrument) { return report }
    } catch {
      throw .unknown("it was done, but what became of the order is not known: \(error)")
    }
    throw .unknown("it was done, but Kraken has no such order now")
  }

  /// `price` and `quantity`: the terms that are asked for, which may explain a refusal.
  func outcome(
    _ instrument: Instrument, _ price: Price? = nil, _ quantity: Quantity? = nil,
    _ body: () async throws(VenueFailure) -> VenueReport
  ) async -> VenueOutcome {
    do throws(VenueFailure) {
      return .acknowledged(try await body())
    } catch {
      return counted(error.explained(price, quantity, instrument).asOutcome)
    }
  }

  private func counted(_ outcome: VenueOutcome) -> VenueOutcome {
    if case .unknown = outcome { rest.counters.unknownOutcomes.increment() }
    return outcome
  }

  func known(_ instrument: InstrumentID) throws(VenueError) -> Instrument {
    guard let known = instruments[instrument] else {
      throw VenueError(.invalidSymbol, "not an instrument of this session")
    }
    return known
  }
}
