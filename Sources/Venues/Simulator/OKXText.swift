internal import Bytes
internal import Chrono
internal import JSON
internal import OrderBook
internal import Units
internal import Venue

/// A refusal in OKX's words: a code of its error list and a message.
struct OKXError: Error, Hashable {
  var status = 200
  let code: Int
  let message: String

  init(status: Int = 200, _ code: Int, _ message: String) {
    self.status = status
    self.code = code
    self.message = message
  }

  static let tooManyRequests = OKXError(status: 429, 50_011, "Too Many Requests")
  static let unknownInstrument = OKXError(51_001, "Instrument ID does not exist.")
  static let orderGone = OKXError(
    51_400, "Cancellation failed as the order has been filled, canceled or does not exist.")

  static func parameter(_ name: String) -> OKXError {
    OKXError(51_000, "Parameter \(name) error")
  }

  init(_ refusal: Refusal) {
    self =
      switch refusal {
      case .lotSize: OKXError(51_020, "Your order should meet or exceed the minimum order amount.")
      case .priceFilter, .wouldTrigger: .parameter("px")
      case .priceBand: OKXError(51_006, "Order price is not within the price limit")
      case .notional: OKXError(51_020, "Your order should meet or exceed the minimum order amount.")
      case .marketClosed: OKXError(51_022, "Instrument suspended.")
      case .duplicateOrder: OKXError(51_016, "Client order ID already exists.")
      case .wouldTake: .parameter("px")
      case .insufficientBalance: OKXError(51_008, "Order failed. Insufficient balance.")
      case .unknownOrder: .orderGone
      case .invalidAmendment:
        OKXError(51_500, "You must enter a price, quantity, or TP/SL")
      case .displayTooLarge, .displayTooSmall: .parameter("sz")
      case .recordedMarket: .parameter("ordType")
      }
  }
}

/// Numbers as OKX writes them: texts without trailing zeros.
extension SimulatedMarket {
  func okxText(_ price: Price) -> String { Self.bare(price.raw, instrument.priceScale) }
  func okxText(_ quantity: Quantity) -> String { Self.bare(quantity.raw, instrument.quantityScale) }

  /// Signed CRC32 over `bid:size:ask:size` of the best 25 levels, a side that has ended left out
  /// (www.okx.com/docs-v5, "Checksum").
  func okxChecksum(bids: [PriceLevel], asks: [PriceLevel]) -> Int32 {
    var parts: [String] = []
    for index in 0..<25 {
      for levels in [bids, asks] where index < levels.count {
        parts.append(okxText(levels[index].price))
        parts.append(okxText(levels[index].quantity))
      }
    }
    return Int32(bitPattern: CRC32.of(parts.joined(separator: ":")))
  }

  private static func bare(_ raw: Int64, _ scale: UInt8) -> String {
    let text = decimalText(Int128(raw), scale: scale)
    guard text.contains(".") else { return text }
    let digits = text.reversed().drop { $0 == "0" }
    return String((digits.first == "." ? digits.dropFirst() : digits).reversed())
  }
}

extension PrivateOrder {
  var okxState: String {
    switch status {
    case .new: "live"
    case .partiallyFilled: "partially_filled"
    case .filled: "filled"
    case .cancelled, .rejected, .expired: "canceled"
    }
  }

  /// As documented for `cancelSource`; empty for an order that was not cancelled.
  var okxCancelSource: String {
    switch (status, timeInForce) {
    case (.rejected, _): "31"
    case (.cancelled, _): "1"
    case (.expired, _) where isEndedInMatch: "32"
    case (.expired, .fok): "13"
    case (.expired, _): "14"
    default: ""
    }
  }

  var okxSelfTrade: String {
    switch terms.selfTradePrevention {
    case .newest: "cancel_taker"
    case .oldest: "cancel_maker"
    case .both: "cancel_both"
    case .none, .decrement: ""
    }
  }

  var okxType: String {
    switch (type, timeInForce) {
    case (.market, _): "market"
    case (.limit, .gtc): "limit"
    case (.limit, .ioc): "ioc"
    case (.limit, .fok): "fok"
    case (.limit, .postOnly): "post_only"
    }
  }
}
