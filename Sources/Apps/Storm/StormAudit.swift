internal import Chrono
internal import Contracts
internal import Execution
internal import Loop
internal import Orders
internal import Translation
internal import Units
internal import Venue

/// What must hold at every step, seen from outside: at the exchanges' doors and in the traders' hands.
///
/// `@unchecked Sendable`: touched on the scheduler's thread only.
final class StormAudit: @unchecked Sendable {
  private let world: StormWorld
  private(set) var fills = 0
  private var standings: [String: Standing] = [:]
  private var books: [Market: Book] = [:]
  private var limits: [String: [LimitSpan]] = [:]
  private var killedAt: Uptime?
  private let door: StormDoor

  struct Market: Hashable {
    let venue: String
    let symbol: String
  }

  /// What an account holds of a market, and may come to hold.
  struct Book {
    var position: Int64 = 0
    var buys: Int64 = 0
    var sells: Int64 = 0
  }

  private struct Standing {
    let market: Market
    let side: Side
    var quantity: Int64
    var filled: Int64 = 0
    var open: Int64 = 0
  }

  /// Limits that may be in force somewhere, from a moment on, and until another.
  private struct LimitSpan {
    let position: Quantity
    let size: Quantity
    var ends: Uptime?
  }

  /// For so long a gate may go by what was in force before, and an order be on its way.
  private var memory: Duration {
    world.settings.faults.isEmpty ? .seconds(1) : .seconds(60)
  }

  init(_ world: StormWorld) {
    self.world = world
    door = StormDoor(world)
    world.record.heard = { [unowned self] in heard($0) }
    for venue in world.venues {
      venue.placed = { [unowned self, unowned venue] in placed(venue, $0, $1) }
      venue.amended = { [unowned self, unowned venue] in amended(venue, $0, $1) }
      venue.reported = { [unowned self, unowned venue] in reported(venue, $0) }
      venue.sent = { [unowned self, unowned venue] in sent(venue, $0) }
    }
  }

  /// Over all venues: a limit is for the symbol, wherever it is traded.
  func book(_ symbol: String) -> Book {
    var sum = Book()
    for venue in world.venues {
      guard let book = books[Market(venue: venue.name, symbol: symbol)] else { continue }
      sum.position += book.position
      sum.buys += book.buys
      sum.sells += book.sells
    }
    return sum
  }

  // MARK: Limits and the kill switch

  func limits(_ symbol: String, position: Quantity, size: Quantity) {
    limits[symbol, default: []].append(LimitSpan(position: position, size: size))
  }

  /// The newest are in force: those before end, as soon as everybody has heard.
  func limitsAnswered(_ symbol: String) {
    let end = world.scheduler.uptime + memory
    guard var spans = limits[symbol], !spans.isEmpty else { return }
    for index in spans.indices.dropLast() where spans[index].ends == nil { spans[index].ends = end }
    limits[symbol] = spans.filter { $0.ends.map { $0 > world.scheduler.uptime } ?? true }
  }

  private func allowed(_ symbol: String) -> (position: Int64, size: Int64) {
    let now = world.scheduler.uptime
    let spans = (limits[symbol] ?? []).filter { $0.ends.map { $0 > now } ?? true }
    return (
      spans.map(\.position.raw).max() ?? .max, spans.map(\.size.raw).max() ?? .max
    )
  }

  func currentLimit(_ symbol: String) -> (position: Quantity, size: Quantity)? {
    limits[symbol]?.last.map { ($0.position, $0.size) }
  }

  /// Nothing that waits need wait any longer.
  func cancelledAll() { door.forget() }

  func killAnswered() { killedAt = world.scheduler.uptime }
  func killReleasing() { killedAt = nil }

  /// How long after the switch's answer something may still be on its way: what wires and standing
  /// processes hold back, and a gate that hears nothing for `risk_silence_max`.
  private var killGrace: Duration {
    world.settings.faults.isEmpty ? .milliseconds(20) : .seconds(16)
  }

  private func sent(_ venue: StormVenue, _ order: VenueOrder) {
    door.sent(order)
    if let late = door.lateness(of: order) {
      world.broke(.prompt, "\(order.clientOrderID) leaves for \(venue.name) \(late) after it came")
    }
    if let cancelled = door.overtaken(by: order) {
      world.broke(
        .gone,
        "\(order.clientOrderID) leaves for \(venue.name) although its order was to be "
          + "cancelled \(world.scheduler.uptime - cancelled) ago")
    }
    guard let killedAt, world.scheduler.uptime - killedAt > killGrace else { return }
    world.broke(
      .killed,
      "\(order.clientOrderID) leaves for \(venue.name) \(world.scheduler.uptime - killedAt) after")
  }

  /// Also one that was never sent, as far as anybody knew.
  private func heard(_ event: OmsV1.OrderEvent) {
    guard world.settings.endsAreFinal, let order = event.order,
      [.cancelled, .rejected, .expired].contains(event.kind), let venue = world.venue(order.venue),
      let instrument = venue.instruments.first(where: { $0.symbol == order.symbol })
    else { return }
    for open in venue.openOrders(instrument.id)
    where ChildID(parsing: open.clientOrderID)?.parent.description == order.orderId {
      world.broke(
        .over,
        "\(open.clientOrderID) is open at \(venue.name) although its order is "
          + "\(event.kind.name): \(event.text)\(order.rejectText)")
    }
  }

  // MARK: The exchange's door

  private func placed(_ venue: StormVenue, _ order: VenueOrder, _ outcome: VenueOutcome) {
    let instrument = venue.instruments[Int(order.instrument.index)]
    world.trace.note(
      "  \(venue.name) hears \(order.clientOrderID): \(order.side) "
        + "\(instrument.decimal(order.quantity)) \(instrument.symbol) \(order.timeInForce)"
        + (order.price.map { " at \(instrument.decimal($0))" } ?? "") + ", \(outcome.word)")
    guard case .acknowledged = outcome else { return }
    let market = Market(venue: venue.name, symbol: instrument.symbol)
    guard standings[order.clientOrderID] == nil else {
      return world.broke(.once, "\(order.clientOrderID) is taken by \(venue.name) a second time")
    }
    standings[order.clientOrderID] = Standing(
      market: market, side: order.side, quantity: order.quantity.raw)
    set(order.clientOrderID, open: order.quantity.raw, quantity: order.quantity.raw)
    admits(order.clientOrderID, market, order.side, order.quantity.raw, instrument)
  }

  private func amended(_ venue: StormVenue, _ change: VenueAmendment, _ outcome: VenueOutcome) {
    world.trace.note("  \(venue.name) hears a change of \(change.clientOrderID): \(outcome.word)")
    guard case .acknowledged(let report) = outcome, let quantity = report.quantity,
      let known = standings[change.clientOrderID]
    else { return }
    let open = report.status.isTerminal ? 0 : quantity.raw - report.filledQuantity.raw
    let isLarger = quantity.raw > known.quantity
    set(change.clientOrderID, open: open, quantity: quantity.raw)
    guard isLarger else { return }
    let instrument = venue.instruments[Int(change.instrument.index)]
    admits(change.clientOrderID, known.market, known.side, 0, instrument)
  }

  /// Nothing is here that the limits did not admit.
  private func admits(
    _ id: String, _ market: Market, _ side: Side, _ quantity: Int64, _ instrument: Instrument
  ) {
    let (position, size) = allowed(market.symbol)
    guard quantity <= size else {
      return world.broke(
        .admitted,
        "\(id) of \(instrument.decimal(Quantity(quantity))) \(market.symbol) at \(market.venue), "
          + "of which an order may have \(instrument.decimal(Quantity(size)))")
    }
    let book = book(market.symbol)
    let worst = side == .buy ? book.position + book.buys : book.sells - book.position
    if worst > position {
      for (id, standing) in standings.sorted(by: { $0.key < $1.key })
      where standing.open > 0 && standing.market.symbol == market.symbol && standing.side == side {
        world.trace.note("open: \(id) \(instrument.decimal(Quantity(standing.open)))")
      }
      world.broke(
        .exposure,
        "with \(id) of \(market.venue) the account may come to \(instrument.decimal(Quantity(worst))) "
          + "\(market.symbol) \(side == .buy ? "long" : "short") of "
          + "\(instrument.decimal(Quantity(position)))")
    }
  }

  private func set(_ id: String, open: Int64, quantity: Int64) {
    guard var standing = standings[id] else { return }
    let change = open - standing.open
    standing.open = open
    standing.quantity = quantity
    standings[id] = standing
    if standing.side == .buy {
      books[standing.market, default: Book()].buys += change
    } else {
      books[standing.market, default: Book()].sells += change
    }
  }

  private func reported(_ venue: StormVenue, _ report: VenueReport) {
    guard let standing = standings[report.clientOrderID] else { return }
    if let fill = report.fill {
      fills += 1
      world.trace.note(
        "  \(venue.name) fills \(fill.quantity.raw) of \(report.clientOrderID), "
          + "execution \(fill.executionID)")
      if world.settings.isTold { expect(venue, report, fill) }
      let signed = standing.side == .buy ? fill.quantity.raw : 0 - fill.quantity.raw
      var net = signed
      let instrument = venue.instruments[Int(report.instrument.index)]
      if fill.feeAsset == instrument.base { net -= fill.fee.units(atScale: 8) ?? 0 }
      books[standing.market, default: Book()].position += net
      standings[report.clientOrderID]?.filled += fill.quantity.raw
    } else if report.status.isTerminal {
      world.trace.note("  \(venue.name) ends \(report.clientOrderID): \(report.status)")
    }
    let quantity = report.quantity?.raw ?? standing.quantity
    let open = report.status.isTerminal ? 0 : quantity - report.filledQuantity.raw
    set(report.clientOrderID, open: open, quantity: quantity)
    if report.filledQuantity.raw > quantity {
      world.broke(.once, "\(report.clientOrderID) filled beyond its quantity")
    }
  }

  /// In the record before long.
  private func expect(_ venue: StormVenue, _ report: VenueReport, _ fill: VenueFill) {
    let parent = ChildID(parsing: report.clientOrderID).map { "\($0.parent)" } ?? ""
    let key = SimulatedRecord.ExecutionKey(
      venue: venue.name, symbol: venue.instruments[Int(report.instrument.index)].symbol,
      executionID: fill.executionID, orderID: parent)
    let until = world.scheduler.uptime + .seconds(15)
    world.scheduler.schedule(on: nil, at: until) { [unowned self] in
      guard world.record.executions[key] == nil else { return }
      world.broke(.told, "execution \(key.executionID) of \(parent) is not known after 15 s")
    }
  }

  /// Quantities that filled at the exchanges, by parent.
  func filled(byParent parents: inout [String: Int64]) {
    for (id, standing) in standings {
      let parent = ChildID(parsing: id).map { "\($0.parent)" } ?? id
      parents[parent, default: 0] += standing.filled
    }
  }

  var openAtVenues: [String] { standings.filter { $0.value.open > 0 }.keys.sorted() }

  // MARK: The traders' hands

  func acknowledged(_ order: OmsV1.Order, _ ticket: StormTicket, quantity: Quantity?) {
    if let known = ticket.orderID, known != order.orderId {
      return world.broke(
        .once, "\(ticket.clientID) is order \(known), and now \(order.orderId) too")
    }
    // Of an order that nobody ever took, the name is free.
    let asked = quantity ?? ticket.quantity
    if ticket.orderID == nil { ticket.taken = asked }
    if ticket.taken != asked {
      return world.broke(
        .acknowledged, "\(ticket.clientID) was taken with other terms than the first time")
    }
    if ticket.orderID == nil, let waiting = door.came(order, ticket) {
      world.broke(
        .door,
        "\(ticket.clientID) is taken while \(waiting) waits to be sent to "
          + "\(ticket.venue.name)")
    }
    ticket.orderID = order.orderId
    door.know(ticket)
    guard order.clientOrderId == ticket.clientID else {
      return world.broke(.acknowledged, "\(ticket.clientID) is answered as \(order.clientOrderId)")
    }
  }
}

extension VenueOutcome {
  var word: String {
    switch self {
    case .acknowledged(let report): "taken, \(report.status)"
    case .rejected(let reason, let text): "refused, \(reason) \(text)"
    case .unknown(let reason): reason
    }
  }
}
