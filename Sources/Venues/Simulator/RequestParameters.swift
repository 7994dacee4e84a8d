internal import Transport
internal import Units
internal import Venue

/// The parameters of a request, from its query and its form body, read as Binance reads them.
struct RequestParameters {
  private var values: [String: String] = [:]
  /// What the signature is over: query and body as sent, without the signature itself.
  let signedText: String

  init(_ request: HTTPRequest) throws(DialectError) {
    let query = request.query.map(String.init) ?? ""
    let body = String(decoding: request.body, as: UTF8.self)
    signedText = Self.unsigned(query) + Self.unsigned(body)
    let form = HTTPRequest(method: "POST", target: "/?" + body)
    guard let items = request.queryItems, let more = form.queryItems else {
      throw DialectError(-1100, "Illegal characters found in a parameter.")
    }
    for (name, value) in items + more where !name.isEmpty {
      guard values.updateValue(value, forKey: name) == nil else {
        throw DialectError(-1101, "Duplicate values for a parameter detected.")
      }
    }
  }

  subscript(name: String) -> String? { values[name] }

  func required(_ name: String) throws(DialectError) -> String {
    guard let value = values[name], !value.isEmpty else { throw .missing(name) }
    return value
  }

  func integer(_ name: String) throws(DialectError) -> Int64? {
    guard let text = values[name] else { return nil }
    guard !text.isEmpty, text.utf8.count <= 19, text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
      let value = Int64(text)
    else { throw .illegal(name, legal: "^[0-9]{1,20}$") }
    return value
  }

  /// A limit of rows, `range` and its default as documented for the endpoint.
  func limit(in range: ClosedRange<Int64>, default normal: Int64) throws(DialectError) -> Int {
    Int(min(range.upperBound, max(range.lowerBound, try integer("limit") ?? normal)))
  }

  /// A client order id, 1 to 36 characters of the documented alphabet.
  func clientOrderID(_ name: String) throws(DialectError) -> String? {
    guard let text = values[name] else { return nil }
    let isLegal = text.utf8.allSatisfy { byte in
      switch byte {
      case 0x30...0x3a, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x2f, 0x5f: true
      default: false
      }
    }
    guard isLegal, (1...36).contains(text.utf8.count) else {
      throw .illegal(name, legal: "^[\\.A-Z\\:/a-z0-9_-]{1,36}$")
    }
    return text
  }

  func price(_ market: SimulatedMarket) throws(DialectError) -> Price {
    Price(try amount("price", scale: market.instrument.priceScale))
  }

  func quantity(
    _ market: SimulatedMarket, named name: String = "quantity"
  ) throws(DialectError) -> Quantity {
    Quantity(try amount(name, scale: market.instrument.quantityScale))
  }

  /// Digits beyond eight places are -1111, digits beyond the market's scale are its filter's
  /// business: they become a value that no tick or lot divides.
  func amount(_ name: String, scale: UInt8) throws(DialectError) -> Int64 {
    let text = try required(name)
    let decimal: Decimal
    do {
      decimal = try Decimal(parsing: text)
    } catch .tooManyDigits {
      throw .tooPrecise(name)
    } catch {
      throw .illegal(name, legal: "^([0-9]{1,20})(\\.[0-9]{1,20})?$")
    }
    guard !decimal.isNegative else {
      throw .illegal(name, legal: "^([0-9]{1,20})(\\.[0-9]{1,20})?$")
    }
    guard decimal.normalized.scale <= AssetAmount.scale else { throw .tooPrecise(name) }
    guard let raw = decimal.units(atScale: scale) else {
      throw .filter(name.lowercased().contains("price") ? "PRICE_FILTER" : "LOT_SIZE")
    }
    return raw
  }

  private static func unsigned(_ text: String) -> String {
    text.split(separator: "&").filter { !$0.hasPrefix("signature=") }.joined(separator: "&")
  }
}
