internal import Bytes
internal import Calls
internal import Chrono
internal import Contracts
internal import EventBus
internal import Loop
internal import Mutants
internal import Orders
internal import Portfolio
internal import Risk
internal import ServiceKit
internal import Signals
internal import Telemetry
internal import Translation
internal import Units
internal import Venue

/// Orders in: through the gate to the oms, and what becomes of those whose fate is open.
extension TradingDesk {
  /// What `submit` would answer now. It changes nothing: no reservation, no rate, no counter.
  func check(_ request: TradingV1.SubmitOrderRequest) throws -> TradingV1.CheckOrderResponse {
    try requireSynced()
    let ticket = try ticket(request, fallbackID: "check")
    try ticket.checkNotional(at: tops[ticket.instrument.id])
    try requireFreshLimits()
    try requireMarket()
    try requireRoom()
    var response = TradingV1.CheckOrderResponse()
    let now = context.loop.uptime
    if Mutant.isOn(.checkConsumes), case .unknown = book!.standing(ticket, strategy: ""),
      book!.admit(ticket, strategy: "", now: now).isAccepted
    {
      book!.refused(ticket.clientOrderID)
    }
    switch book!.check(ticket, now: now) {
    case .accepted:
      if let (closure, wait) = venueClosures.refusal(of: ticket.instrument.venue, at: now) {
        response.reason = TypeV1.RejectReason(closure.reason)
        response.text = Self.text(closure, wait, ticket.instrument.venue)
      } else if let full = venueRates.refusal(of: ticket.instrument, at: now) {
        response.reason = .rateLimit
        response.text = Self.text(full, ticket)
        response.actual = "\(full.limit.ordersMax + 1)"
        response.limit = "\(full.limit.ordersMax)"
      } else {
        response.admitted = true
      }
    case .refused(let refusal):
      response.reason = TypeV1.RejectReason(refusal.reason)
      response.text = text(refusal)
      let (actual, limit) = numbers(refusal)
      (response.actual, response.limit) = (actual, limit)
    }
    return response
  }

  private func ticket(
    _ request: TradingV1.SubmitOrderRequest, fallbackID: String
  ) throws(RPCError) -> OrderTicket {
    try OrderTicket(
      request, instruments, defaultVenue: config.defaultVenue, fallbackID: fallbackID)
  }

  /// Through the gate, to the oms, answered when the order is on disk.
  func submit(
    _ request: TradingV1.SubmitOrderRequest, strategy: String, createdBy: String,
    _ options: CallOptions
  ) async throws -> OmsV1.Order {
    try requireSynced()
    let isNamed = !request.clientOrderId.isEmpty
    let ticket = try ticket(request, fallbackID: isNamed ? "" : freshID(strategy))
    let wish = OrderWish(
      ticket: ticket, strategy: strategy, createdBy: createdBy,
      isNamed: isNamed, options: options)
    publish(
      .orderRequest(clientOrderID: ticket.clientOrderID, ticket.instrument.id, strategy: strategy))
    if case .open = book!.standing(ticket, strategy: strategy),
      let known = try await existing(wish)
    {
      return known
    }
    do {
      try admit(wish)
    } catch {
      // A retry of an order that the oms has is no new order and needs no admission.
      if wish.isNamed, let known = try await known(wish, unless: error) { return known }
      throw error
    }
    return try await accept(wish)
  }

  /// Asks the gate; an admitted order has its exposure reserved.
  private func admit(_ wish: OrderWish) throws(RPCError) {
    let ticket = wish.ticket
    let standing = book!.standing(ticket, strategy: wish.strategy)
    if Mutant.isOn(.provisionalUnasked), case .provisional = standing { return }
    if case .provisional(asksTheSame: false) = standing {
      throw RejectReason.duplicateOrder.error(
        "clientOrderId \(ticket.clientOrderID) is an order on its way to the oms, with other terms",
        domain: Self.domain)
    }
    // Of today's price: an order that the oms has is answered whatever has become of it.
    try ticket.checkNotional(at: tops[ticket.instrument.id])
    try requireFreshLimits()
    try requireMarket()
    let began = context.loop.uptime
    let verdict: Verdict
    if case .provisional = standing {
      verdict = book!.readmit(ticket, now: began)
    } else {
      try requireRoom()
      try requireVenueRoom(ticket, began)
      verdict = book!.admit(ticket, strategy: wish.strategy, now: began)
      if verdict.isAccepted { venueRates.record(ticket.instrument, at: began) }
    }
    admission.observe(context.loop.uptime - began)
    if case .refused(let refusal) = verdict { throw error(refusal) }
  }

  /// What a venue does not take now is not accepted for it.
  private func requireOpen(_ venue: VenueID, _ now: Uptime) throws(RPCError) {
    guard let (closure, wait) = venueClosures.refusal(of: venue, at: now) else { return }
    // Proven: nothing was accepted. UNAVAILABLE would leave that open.
    throw closure.reason.error(
      Self.text(closure, wait, venue), code: .resourceExhausted, domain: Self.domain,
      metadata: ["venue": venue.name], retryAfter: wait)
  }

  private static func text(
    _ closure: VenueClosures.Closure, _ wait: Duration, _ venue: VenueID
  ) -> String {
    "\(venue.name) takes no orders for another \(wait.wholeNanoseconds / 1_000_000)ms: "
      + closure.text
  }

  /// Cancelled for its replacement, and that refused by the venue, an order would be gone.
  private func requireTaken(
    _ quantity: Quantity, at price: Price?, of order: OpenOrder, _ instrument: Instrument
  ) throws(RPCError) {
    try requireOpen(instrument.venue, context.loop.uptime)
    let isInPlace = instrument.amendable == .priceAndQuantity
    try OrderTicket.checkSizes(
      isInPlace ? quantity : quantity - order.filled, at: price, instrument)
  }

  /// A venue's limit is named when nothing else refuses.
  private func requireVenueRoom(_ ticket: OrderTicket, _ now: Uptime) throws(RPCError) {
    let venue = ticket.instrument.venue
    let full = venueRates.refusal(of: ticket.instrument, at: now)
    guard full != nil || venueClosures.refusal(of: venue, at: now) != nil else { return }
    if case .refused(let refusal) = book!.check(ticket, now: now) { throw error(refusal) }
    try requireOpen(venue, now)
    guard let full else { return }
    throw RejectReason.rateLimit.error(
      Self.text(full, ticket), domain: Self.domain,
      metadata: [
        "venue": ticket.instrument.venue.name, "limit": "\(full.limit.ordersMax)",
        "actual": "\(full.limit.ordersMax + 1)", "rule": full.limit.name,
      ], retryAfter: full.wait)
  }

  private static func text(_ full: VenueRateRefusal, _ ticket: OrderTicket) -> String {
    "\(ticket.instrument.venue) takes \(full.limit.ordersMax) orders by its limit "
      + "\(full.limit.name), and has them: the next one in \(full.wait)"
  }

  private func requireRoom() throws(RPCError) {
    guard book!.openCount < config.ordersOpenMax else {
      throw RejectReason.overloaded.error(
        "\(config.ordersOpenMax) orders are open (orders_open_max)", domain: Self.domain,
        metadata: ["limit": "\(config.ordersOpenMax)"])
    }
  }

  /// An admitted order, to the oms.
  private func accept(_ wish: OrderWish) async throws -> OmsV1.Order {
    do {
      var request = OmsV1.AcceptOrderRequest()
      request.order = wish.order(account: config.account)
      request.admittedTimeNs = UInt64(max(0, context.time.now.nanoseconds))
      let response = try await oms.acceptOrder(request, bounded(wish.options))
      return try settle(response, wish)
    } catch {
      unsettled(wish, error)
      throw error
    }
  }

  /// The order that the oms has under this client order id; nil when there is none. The oms compares
  /// the terms, and makes no order.
  private func existing(_ wish: OrderWish) async throws -> OmsV1.Order? {
    var request = OmsV1.AcceptOrderRequest()
    request.order = wish.order(account: config.account)
    request.existingOnly = true
    let response: OmsV1.AcceptOrderResponse
    do throws(RPCError) {
      response = try await oms.acceptOrder(request, bounded(wish.options))
    } catch {
      if error.code == .notFound { return nil }
      throw error
    }
    return try settle(response, wish)
  }

  /// `existing`, where the answer to the caller is `refusal` unless the oms knows better.
  private func known(_ wish: OrderWish, unless refusal: any Error) async throws -> OmsV1.Order? {
    do {
      return try await existing(wish)
    } catch let error as RPCError where error.code == .alreadyExists {
      throw error
    } catch {
      throw refusal
    }
  }

  private func bounded(_ options: CallOptions) -> CallOptions {
    var options = options
    let limit = context.loop.uptime + config.acceptTimeout
    options.deadline = min(options.deadline ?? limit, limit)
    return options
  }

  /// The oms's answer and its stream may come in either order; both lead here.
  private func settle(
    _ response: OmsV1.AcceptOrderResponse, _ wish: OrderWish
  ) throws -> OmsV1.Order {
    // Accepted while the switch was thrown.
    if killSwitch.isEngaged { clearance.ring() }
    guard let wire = response.order, let order = try OpenOrder(wire, wish.ticket.instrument) else {
      throw RPCError(.internalError, "the oms answers no order")
    }
    book!.answered(order, through: response.sequence, heard: lastEvent)
    return wire
  }

  /// A call that failed: what is proven is released, what is not stays reserved until the oms is asked.
  private func unsettled(_ wish: OrderWish, _ error: any Error) {
    let id = wish.ticket.clientOrderID
    if Self.isProof((error as? RPCError)?.code ?? .unknown) { return book!.refused(id) }
    context.log.warning(
      "an order's fate is open",
      ["client_order_id": .text(id), "error": LogValue(describing: error)])
    guard book!.doubted(id, now: context.loop.uptime) else { return }
    context.spawn("resolve order") { [self] in try await resolve(wish) }
  }

  /// Whether the oms has said that it did nothing.
  private static func isProof(_ code: StatusCode) -> Bool {
    switch code {
    case .invalidArgument, .failedPrecondition, .alreadyExists, .permissionDenied, .unauthenticated,
      .unimplemented, .resourceExhausted, .outOfRange, .aborted:
      true
    default: false
    }
  }

  /// Asks the oms until it has told the order, or can no longer come to have it: an admission of its
  /// age is refused there (`admission_age_max`).
  private func resolve(_ wish: OrderWish) async throws {
    var asking = wish
    asking.options = CallOptions()
    while book!.provisional[wish.ticket.clientOrderID]?.endsWith == nil,
      book!.provisional[wish.ticket.clientOrderID] != nil
    {
      await context.loop.sleep(for: .milliseconds(500))
      try Task.checkCancellation()
      asking.options.waitsForReady = true
      // Sent again meanwhile, it was admitted anew.
      guard let doubted = book!.provisional[wish.ticket.clientOrderID]?.doubtedAt else { return }
      let isLate = context.loop.uptime - doubted >= config.resolveAfter
      let answer: OmsV1.Order?
      do {
        answer = try await existing(asking)
      } catch let error as RPCError where error.code == .alreadyExists {
        // The name is another order's: under these terms the oms has none, and never will.
        if book!.proveAbsent(wish.ticket.clientOrderID) { return }
        continue
      }
      guard answer == nil, isLate else { continue }
      // A later call of the same order may be under way: then it is not over yet.
      if book!.proveAbsent(wish.ticket.clientOrderID) { return }
    }
  }

  func replace(
    _ request: TradingV1.ReplaceOrderRequest, _ options: CallOptions
  ) async throws -> OmsV1.Order {
    try requireSynced()
    try requireFreshLimits()
    try requireMarket()
    guard request.price != nil || request.quantity != nil else {
      throw RPCError.invalid("price", "or quantity is needed: there is nothing to change")
    }
    guard let id = OrderID(parsing: request.orderId), let order = book!.orders[id] else {
      var get = OmsV1.GetOrderRequest()
      get.orderId = request.orderId
      let known = try await oms.getOrder(get, options)
      throw RPCError(
        .failedPrecondition, "order \(known.orderId) is \(known.status.name) and cannot be replaced"
      )
    }
    guard !book!.isReplacing(id) else {
      throw RPCError(.failedPrecondition, "order \(id) is being replaced, and not yet answered")
    }
    let instrument = instruments[order.instrument]
    let price = try request.price.map { try instrument.price($0, field: "price") } ?? order.price
    let quantity =
      try request.quantity.map { try instrument.quantity($0, field: "quantity") } ?? order.quantity
    if price == order.price, quantity == order.quantity {
      // Nothing to change, and asking for it would cost the order its place in the queue.
      var get = OmsV1.GetOrderRequest()
      get.orderId = request.orderId
      return try await oms.getOrder(get, options)
    }
    guard quantity > order.filled else {
      throw RPCError.invalid(
        "quantity", "must exceed what has filled, \(instrument.decimal(order.filled))")
    }
    try requireTaken(quantity, at: price, of: order, instrument)
    let gateOrder = GateOrder(
      instrument: order.instrument, side: order.side, type: price == nil ? .market : .limit,
      price: price, quantity: quantity - order.filled)
    let verdict = book!.replace(
      id, gateOrder, quantity: quantity, now: context.loop.uptime)
    if case .refused(let refusal) = verdict { throw error(refusal) }
    var accept = OmsV1.AcceptReplaceRequest()
    accept.orderId = request.orderId
    // All of what was admitted: the oms may know newer terms than were judged here.
    accept.price = price.map { instrument.wire($0) }
    accept.quantity = instrument.wire(quantity)
    accept.admittedTimeNs = UInt64(max(0, context.time.now.nanoseconds))
    do {
      let accepted = try await oms.acceptReplace(accept, bounded(options))
      book!.expect(id, version: accepted.version)
      return accepted
    } catch {
      if Self.isProof(error.code) || error.code == .notFound {
        book!.giveUpReplacing(id)
      } else {
        context.spawn("resolve replacement") { [self] in try await resolveReplacement(of: id) }
      }
      throw error
    }
  }

  /// A replacement that the oms may have taken stays reserved until it can no longer come to have it, and
  /// all that it has told since was heard.
  private func resolveReplacement(of id: OrderID) async throws {
    await context.loop.sleep(for: config.resolveAfter)
    var patient = CallOptions()
    patient.waitsForReady = true
    let told = try await oms.getTradingState(.init(), patient).sequence
    while lastEvent < told {
      await context.loop.sleep(for: .milliseconds(50))
      try Task.checkCancellation()
    }
    book?.giveUpReplacing(id)
  }

  func cancel(_ id: OrderID) async throws {
    var request = OmsV1.CancelOrderRequest()
    request.orderId = id.description
    request.reason = "strategy"
    _ = try await oms.cancelOrder(request)
  }

  /// Whether the strategy has an order that may still fill, as far as is known here.
  func hasOrders(of strategy: String) -> Bool {
    guard let book else { return true }
    return book.orders.values.contains { $0.strategy == strategy }
      || book.provisional.values.contains { $0.strategy == strategy }
  }

  func cancelAll(strategy: String, reason: String) async throws {
    var request = OmsV1.CancelAllOrdersRequest()
    request.strategyId = strategy
    request.reason = reason
    var options = CallOptions(deadline: context.loop.uptime + .seconds(10))
    options.waitsForReady = true
    _ = try await oms.cancelAllOrders(request, options)
  }
}
