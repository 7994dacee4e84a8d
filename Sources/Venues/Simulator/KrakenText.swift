internal import Bytes
internal import Chrono
internal import JSON
internal import Units
internal import Venue

/// A refusal in Kraken's words: `EOrder:Insufficient funds`.
struct KrakenError: Error, Hashable {
  let text: String

  init(_ text: String) { self.text = text }

  static let invalidArguments = KrakenError("EGeneral:Invalid arguments")
  static let unknownPair = KrakenError("EQuery:Unknown asset pair")
  static let unknownOrder = KrakenError("EOrder:Unknown order")
  static let tooManyCalls = KrakenError("EAPI:Rate limit exceeded")
  static let invalidSession = KrakenError("ESession:Invalid session")

  static func invalid(_ field: String) -> KrakenError {
    KrakenError("EGeneral:Invalid arguments:\(field)")
  }

  init(_ refusal: Refusal) {
    self =
      switch refusal {
      case .lotSize: .invalid("volume minimum not met")
      case .priceFilter: KrakenError("EOrder:Tick size check failed")
      case .priceBand: KrakenError("EOrder:Invalid price")
      case .notional: KrakenError("EOrder:Cost minimum not met")
      case .marketClosed: KrakenError("EService:Market in cancel_only mode")
      case .duplicateOrder: .invalid("cl_ord_id")
      case .wouldTake: KrakenError("EOrder:Post only order")
      case .insufficientBalance: KrakenError("EOrder:Insufficient funds")
      case .unknownOrder: .unknownOrder
      case .invalidAmendment: .invalidArguments
      case .wouldTrigger: KrakenError("EOrder:Invalid price")
      case .displayTooLarge, .displayTooSmall: .invalid("displayvol")
      case .recordedMarket: .invalid("ordertype")
      }
  }
}

/// Numbers, names and times as Kraken writes them.
extension SimulatedMarket {
  /// Every digit of the pair's precision, as the checksum is over these texts.
  func krakenText(_ price: Price) -> String {
    decimalText(Int128(price.raw), scale: instrument.priceScale)
  }

  func krakenText(_ quantity: Quantity) -> String {
    decimalText(Int128(quantity.raw), scale: instrument.quantityScale)
  }

  func krakenText(_ notional: Notional) -> String { quote(notional).text }

  /// CRC32 over the best ten asks and then bids, whatever the depth, each price and quantity without
  /// its point and leading zeros (docs.kraken.com/api/docs/guides/spot-ws-book-v2).
  func krakenChecksum(bids: [PriceLevel], asks: [PriceLevel]) -> UInt32 {
    var text = ""
    for level in asks.prefix(10) + bids.prefix(10) {
      for number in [krakenText(level.price), krakenText(level.quantity)] {
        text += number.filter { $0 != "." }.drop { $0 == "0" }
      }
    }
    return CRC32.of(text)
  }

  /// "XBTUSD"
  var krakenAltName: String { Self.krakenAsset(instrument.base) + instrument.quote }

  /// "XXBTZUSD" for the oldest pairs, the alternative name for others.
  var krakenPairName: String {
    let base = Self.krakenAsset(instrument.base)
    guard instrument.quote == "USD", base == "XBT" || base == "ETH" else { return krakenAltName }
    return "X\(base)ZUSD"
  }

  /// Bitcoin is XBT to Kraken's REST.
  static func krakenAsset(_ asset: String) -> String { asset == "BTC" ? "XBT" : asset }

  func isKrakenName(_ name: String) -> Bool {
    name == symbol || name == krakenAltName || name == krakenPairName
  }
}

/// Order and trade numbers as texts of 16 letters and digits: "OABCDE-FGHIJ-KLMNOP".
enum KrakenID {
  private static let digits = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)

  static func text(_ id: UInt64, _ first: Character) -> String {
    var rest = id
    var letters = [UInt8](repeating: digits[0], count: 16)
    for place in stride(from: 15, through: 0, by: -1) {
      letters[place] = digits[Int(rest % 36)]
      rest /= 36
    }
    let text = String(decoding: letters, as: UTF8.self)
    let (five, ten) = (
      text.index(text.startIndex, offsetBy: 5), text.index(text.startIndex, offsetBy: 10)
    )
    return "\(first)\(text[..<five])-\(text[five..<ten])-\(text[ten...])"
  }

  /// Kraken's name of one side of a trade: no other trade of any pair has it, although each pair numbers
  /// its own.
  static func trade(_ fill: PrivateTrade) -> String {
    text(fill.id << 8 | UInt64(fill.market) << 1 | (fill.isMaker ? 1 : 0), "T")
  }

  /// Nil for a text that is none of ours.
  static func number(_ text: String) -> UInt64? {
    let letters = text.utf8.dropFirst().filter { $0 != UInt8(ascii: "-") }
    guard letters.count == 16 else { return nil }
    var id: UInt64 = 0
    for letter in letters {
      guard let digit = digits.firstIndex(of: letter) else { return nil }
      let (product, overflow) = id.multipliedReportingOverflow(by: 36)
      let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
      guard !overflow, !carry else { return nil }
      id = sum
    }
    return id
  }
}

extension Instant {
  /// RFC 3339 with microseconds.
  var krakenText: String { rfc3339.prefix(26) + "Z" }

  /// Seconds with a fraction, as REST writes them.
  var krakenSeconds: String { decimalText(Int128(nanoseconds / 1_000), scale: 6) }
}
