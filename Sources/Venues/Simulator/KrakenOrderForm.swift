internal import JSON
internal import OrderBook
internal import Units
internal import Venue

/// A new order, or the changes of one, in Kraken's words: REST's "Add Order" and WebSocket's
/// `add_order` name the same things differently.
struct KrakenOrderForm {
  var pair: String?
  var side: String?
  var type: String?
  /// The limit.
  var price: String?
  /// What a stop waits for.
  var trigger: String?
  /// Whose price that is: the last trade's, or an index.
  var reference: String?
  var quantity: String?
  /// What an iceberg shows.
  var display: String?
  var timeInForce: String?
  var isPostOnly = false
  var selfTrade: String?
  var clientOrderID: String?
  /// To be checked only.
  var isValidation = false
  /// A field that asks for what is not simulated.
  var unsupported: String?

  /// `price` is the trigger of a stop, whose limit is `price2`.
  init(rest fields: KrakenFields) {
    pair = fields["pair"]
    side = fields["type"]
    type = fields["ordertype"]
    let isStop = type?.hasPrefix("stop-loss") ?? false
    price = fields[isStop ? "price2" : "price"]
    trigger = isStop ? fields["price"] : nil
    reference = fields["trigger"]
    quantity = fields["volume"]
    display = fields["displayvol"]
    timeInForce = fields["timeinforce"]
    let flags = fields["oflags"]?.split(separator: ",") ?? []
    isPostOnly = flags.contains("post")
    selfTrade = fields["stptype"]
    clientOrderID = fields["cl_ord_id"]
    isValidation = fields["validate"] == "true" || fields["validate"] == "1"
    let given = ["leverage", "starttm", "expiretm", "close[ordertype]", "reduce_only"].filter {
      !["", "0", "none", "false"].contains(fields[$0] ?? "")
    }
    unsupported = flags.contains("viqc") ? "oflags" : given.first
  }

  init(socket fields: JSONValue?) {
    func text(_ name: String) -> String? { fields?[name]?.stringOrNumberText }
    pair = text("symbol")
    side = text("side")
    type = text("order_type")
    price = text("limit_price")
    let triggers = fields?["triggers"]
    trigger = triggers?["price"]?.stringOrNumberText
    reference = triggers?["reference"]?.string
    quantity = text("order_qty")
    display = text("display_qty")
    timeInForce = text("time_in_force")
    isPostOnly = fields?["post_only"]?.bool ?? false
    selfTrade = text("stp_type")
    clientOrderID = text("cl_ord_id")
    isValidation = fields?["validate"]?.bool ?? false
    let given = ["conditional", "effective_time", "expire_time", "cash_order_qty"].first {
      fields?[$0] != nil
    }
    let isRelative = triggers?["price_type"]?.string.map { $0 != "static" } ?? false
    let isMargin = fields?["margin"]?.bool ?? false
    unsupported = isRelative ? "triggers" : isMargin ? "margin" : given
  }
}

extension SimulatedExchange {
  func krakenTicket(
    _ form: KrakenOrderForm, _ account: Int
  ) throws(KrakenError) -> OrderTicket {
    if let field = form.unsupported { throw .invalid(field) }
    let index = try krakenMarket(form.pair)
    let instrument = markets[index].settings.instrument
    var ticket = OrderTicket(
      account: account, market: index, defaultPrevention: settings.defaultSelfTradePrevention)
    ticket.clientOrderID = form.clientOrderID
    switch form.side {
    case "buy": ticket.side = .buy
    case "sell": ticket.side = .sell
    default: throw .invalid("type")
    }
    switch form.timeInForce?.uppercased() {
    case nil, "GTC": ticket.timeInForce = form.isPostOnly ? .postOnly : .gtc
    case "IOC": ticket.timeInForce = .ioc
    case "FOK": ticket.timeInForce = .fok
    default: throw .invalid("timeinforce")
    }
    try readType(form, instrument, into: &ticket)
    ticket.quantity = try Quantity(
      Self.krakenNumber(form.quantity, "volume", instrument.quantityScale))
    if let id = form.clientOrderID, id.isEmpty || id.utf8.count > 36 { throw .invalid("cl_ord_id") }
    switch form.selfTrade?.replacingUnderscores {
    case nil: break
    case "cancel-newest": ticket.terms.selfTradePrevention = .newest
    case "cancel-oldest": ticket.terms.selfTradePrevention = .oldest
    case "cancel-both": ticket.terms.selfTradePrevention = .both
    default: throw .invalid("stptype")
    }
    return ticket
  }

  private func readType(
    _ form: KrakenOrderForm, _ instrument: Instrument, into ticket: inout OrderTicket
  ) throws(KrakenError) {
    let type = form.type ?? ""
    switch type {
    case "limit", "iceberg", "stop-loss-limit":
      ticket.price = try Price(Self.krakenNumber(form.price, "price", instrument.priceScale))
    case "market", "stop-loss":
      ticket.type = .market
      if ticket.timeInForce == .gtc { ticket.timeInForce = .ioc }
      guard !form.isPostOnly else { throw .invalid("oflags") }
    default: throw .invalid("ordertype")
    }
    if type.hasPrefix("stop-loss") {
      guard !form.isPostOnly else { throw .invalid("oflags") }
      guard form.reference ?? "last" == "last" else { throw .invalid("trigger") }
      ticket.terms.trigger = try Price(
        Self.krakenNumber(form.trigger, "price", instrument.priceScale))
    } else if form.trigger != nil {
      throw .invalid("trigger")
    }
    if type == "iceberg" {
      guard ticket.timeInForce == .gtc || ticket.timeInForce == .postOnly else {
        throw .invalid("timeinforce")
      }
      ticket.terms.display = try Quantity(
        Self.krakenNumber(form.display, "displayvol", instrument.quantityScale))
    } else if form.display != nil {
      throw .invalid("displayvol")
    }
  }

  /// An absolute number above zero: relative ones, with a sign or a percent, are not simulated.
  static func krakenNumber(
    _ text: String?, _ field: String, _ scale: UInt8
  ) throws(KrakenError) -> Int64 {
    guard let text, text.utf8.first != UInt8(ascii: "+") else { throw .invalid(field) }
    do throws(DecimalError) {
      let decimal = try Decimal(parsing: text)
      guard let raw = decimal.units(atScale: scale), raw > 0 else {
        throw DecimalError.tooManyDigits
      }
      return raw
    } catch {
      throw .invalid(field)
    }
  }
}

extension String {
  /// `stptype` of REST has dashes where `stp_type` of WebSocket has underscores.
  fileprivate var replacingUnderscores: String { String(map { $0 == "_" ? "-" : $0 }) }
}
