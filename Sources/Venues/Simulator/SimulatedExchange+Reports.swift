internal import Chrono
internal import JSON
internal import OrderBook
internal import Units
internal import Venue

/// What happens in Binance's words.
extension SimulatedExchange {
  /// What has been published since the last call.
  package mutating func takeMessages() -> [ExchangeMessage] {
    takeHappenings().compactMap { binanceMessage(of: $0) }
  }

  func binanceMessage(of happening: Happening, isCrossed: Bool = false) -> ExchangeMessage? {
    let time = happening.time
    switch happening.what {
    case .window(let index, let kind, var window):
      // Far enough in to be above the best ask, whatever has happened since the window was closed.
      if isCrossed, let ask = markets[index].engine.levels(.sell, max: 5).last {
        window.cross(above: ask)
      }
      return .market(
        StreamKey(market: index, kind: kind),
        payload: markets[index].settings.depthUpdate(window, now: time))
    case .top(let index, let updateID, let bid, let ask):
      return .market(
        StreamKey(market: index, kind: .bookTicker),
        payload: markets[index].settings.bookTicker(updateID: updateID, bid: bid, ask: ask))
    case .trade(let index, let trade):
      return .market(
        StreamKey(market: index, kind: .trade),
        payload: markets[index].settings.tradeEvent(trade, now: time))
    case .report(let order, let cause, let executionID):
      return .account(
        order.account, payload: executionReport(order, cause, executionID: executionID, time))
    case .balances(let account, let changed):
      return .account(account, payload: accountPosition(changed, time))
    // No stream of Binance tells orders.
    case .orders: return nil
    // Binance says it in exchangeInfo only, and of its maintenance nothing in spot's streams.
    case .status, .maintenance: return nil
    case .recorded(let index, let kind, let payload):
      return .market(StreamKey(market: index, kind: kind), payload: payload)
    }
  }
}

extension ReportCause {
  var binanceText: String {
    switch self {
    case .new: "NEW"
    case .trade: "TRADE"
    case .cancelled: "CANCELED"
    case .expired: "EXPIRED"
    case .amended: "REPLACED"
    // Told again: now it is in the book, which `w` says.
    case .triggered: "NEW"
    case .prevented: "TRADE_PREVENTION"
    }
  }
}

extension SelfTradePrevention {
  /// As in `selfTradePreventionMode` (enums.md).
  var binanceText: String {
    switch self {
    case .none: "NONE"
    case .newest: "EXPIRE_TAKER"
    case .oldest: "EXPIRE_MAKER"
    case .both: "EXPIRE_BOTH"
    case .decrement: "DECREMENT"
    }
  }

  init?(binance text: String) {
    guard let mode = Self.allCases.first(where: { $0.binanceText == text }) else { return nil }
    self = mode
  }
}

/// The private stream's messages (user-data-stream.md).
extension SimulatedExchange {
  mutating func publishReport(_ order: PrivateOrder, _ cause: ReportCause) {
    publish(.report(order, cause, executionID: nextExecutionID))
    nextExecutionID += 1
  }

  private func executionReport(
    _ order: PrivateOrder, _ cause: ReportCause, executionID: UInt64, _ now: Instant
  ) -> [UInt8] {
    let market = markets[order.market].settings
    var fill: PrivateTrade?
    if case .trade(let trade) = cause { fill = trade }
    var json = JSONWriter(reserving: 768)
    json.object { json in
      json.member("e", "executionReport")
      json.member("E", now.milliseconds)
      json.member("s", market.symbol)
      writeIdentity(of: order, cause, to: &json)
      json.member("q", market.text(order.quantity))
      json.member("p", market.text(order.price))
      json.member("P", market.text(order.terms.trigger ?? .zero))
      json.member("F", market.text(order.terms.display ?? .zero))
      json.member("g", -1)
      json.member("x", cause.binanceText)
      json.member("X", order.statusText)
      json.member("r", "NONE")
      json.member("i", order.id)
      json.member("l", market.text(fill?.quantity ?? .zero))
      json.member("z", market.text(order.filled))
      json.member("L", market.text(fill?.price ?? .zero))
      json.member("n", fill?.fee.text ?? "0")
      json.name("N")
      if let fill { json.string(fill.feeAsset) } else { json.null() }
      json.member("T", now.milliseconds)
      json.name("t")
      if let fill { json.integer(fill.id) } else { json.integer(-1) }
      json.member("I", executionID)
      json.member("w", order.isOpen && order.type == .limit && order.working != nil)
      json.member("m", fill?.isMaker ?? false)
      json.member("M", false)
      json.member("O", order.created.milliseconds)
      json.member("Z", market.text(order.spent))
      json.member("Y", market.text(fill.map { $0.price * $0.quantity } ?? .zero))
      json.member("Q", "0.00000000")
      if let working = order.working { json.member("W", working.milliseconds) }
      json.member("V", order.terms.selfTradePrevention.binanceText)
      writePrevention(of: order, cause, to: &json)
    }
    return json.finished()
  }

  /// faqs/stp_faq.md: the match, what was prevented in all and by this, and against which order.
  private func writePrevention(
    of order: PrivateOrder, _ cause: ReportCause, to json: inout JSONWriter
  ) {
    let market = markets[order.market].settings
    if case .prevented(let match) = cause {
      json.member("v", match.id)
      json.member("B", market.text(match.quantity))
      json.member("u", -1)
      if let counter = match.counterOrderID { json.member("U", counter) }
    }
    if order.prevented > .zero { json.member("A", market.text(order.prevented)) }
  }

  /// Cancelling names the request in `c` and the order in `C`, an amendment that renames an order its
  /// new name in `c` and its old one in `C`; everything else names the order in `c`.
  private func writeIdentity(
    of order: PrivateOrder, _ cause: ReportCause, to json: inout JSONWriter
  ) {
    switch cause {
    case .cancelled(let cancelID):
      json.member("c", cancelID)
      json.member("C", order.clientOrderID)
    case .amended(let old):
      json.member("c", order.clientOrderID)
      json.member("C", old == order.clientOrderID ? "" : old)
    default:
      json.member("c", order.clientOrderID)
      json.member("C", "")
    }
    json.member("S", order.sideText)
    json.member("o", order.typeText)
    json.member("f", order.timeInForceText)
  }

  /// Tells and records every balance that changed.
  mutating func publishBalances() {
    for index in accounts.indices {
      let changed = accounts[index].takeChanged()
      guard !changed.isEmpty else { continue }
      for (asset, balance) in changed {
        record(.balance(apiKey: accounts[index].apiKey, asset: asset, balance))
      }
      publish(.balances(account: index, changed))
    }
  }

  private func accountPosition(
    _ changed: [(asset: String, balance: Balance)], _ now: Instant
  ) -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
      json.member("e", "outboundAccountPosition")
      json.member("E", now.milliseconds)
      json.member("u", now.milliseconds)
      json.name("B")
      json.array { json in
        for (asset, balance) in changed {
          json.object { json in
            json.member("a", asset)
            json.member("f", balance.free.text)
            json.member("l", balance.locked.text)
          }
        }
      }
    }
    return json.finished()
  }
}
