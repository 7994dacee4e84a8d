internal import Chrono
internal import JSON

/// A decimal as it stands in a message: the whole number that its digits make, and how many of them
/// follow the point. Kraken's checksums are over the digits, so `1.50` and `1.5` differ here.
package struct KrakenNumber: Sendable, Hashable {
  package var units: Int64
  package var places: Int

  package init(units: Int64, places: Int) {
    self.units = units
    self.places = places
  }

  /// A plain decimal that is not negative, written as a JSON number or a string. Nil for anything
  /// else, exponents included, and for more digits than 64 bits hold.
  init?(_ json: JSONValue) {
    units = 0
    places = 0
    var digits = 0
    var inFraction = false
    for byte in json.source {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        let (scaled, overflow) = units.multipliedReportingOverflow(by: 10)
        let (sum, carried) = scaled.addingReportingOverflow(Int64(byte &- UInt8(ascii: "0")))
        guard !overflow, !carried else { return nil }
        units = sum
        digits += 1
        if inFraction { places += 1 }
      case UInt8(ascii: "."):
        guard !inFraction, digits > 0 else { return nil }
        inFraction = true
      case UInt8(ascii: "\""): break
      default: return nil
      }
    }
    guard digits > 0, places <= Self.placesMax, !inFraction || places > 0 else { return nil }
  }

  /// More than any asset has.
  static let placesMax = 18

  /// As a whole number of `10^-scale`; nil when digits would be lost or it does not fit.
  package func raw(scale: UInt8) -> Int64? {
    let missing = Int(scale) - places
    if missing == 0 { return units }
    guard let factor = Self.powers[checked: abs(missing)] else { return units == 0 ? 0 : nil }
    if missing > 0 {
      let (product, overflow) = units.multipliedReportingOverflow(by: factor)
      return overflow ? nil : product
    }
    return units % factor == 0 ? units / factor : nil
  }

  static let powers: [Int64] = (0...18).map { exponent in
    (0..<exponent).reduce(Int64(1)) { power, _ in power * 10 }
  }
}

extension [Int64] {
  fileprivate subscript(checked index: Int) -> Int64? {
    indices.contains(index) ? self[index] : nil
  }
}

extension JSONValue {
  func krakenNumber(_ name: String) throws(JSONError) -> KrakenNumber {
    let value = try member(name)
    guard let number = KrakenNumber(value) else {
      throw .unexpected("\(name) is \(value), no plain decimal")
    }
    return number
  }

  /// Seconds since 1970 with a fraction, as Kraken's REST and v1 write moments; digits after the
  /// ninth are dropped.
  var krakenSeconds: Instant? {
    var seconds: Int64 = 0
    var nanoseconds: Int64 = 0
    var places = -1
    for byte in source where byte != UInt8(ascii: "\"") {
      if byte == UInt8(ascii: "."), places < 0 {
        places = 0
        continue
      }
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
      let digit = Int64(byte &- UInt8(ascii: "0"))
      if places < 0 {
        guard seconds < 1_000_000_000 else { return nil }
        seconds = seconds * 10 + digit
      } else if places < 9 {
        nanoseconds = nanoseconds * 10 + digit
        places += 1
      }
    }
    guard seconds < 9_000_000_000 else { return nil }
    for _ in max(places, 0)..<9 { nanoseconds *= 10 }
    return Instant(nanoseconds: seconds * 1_000_000_000 + nanoseconds)
  }

  /// `2026-08-01T02:53:53.646219Z`, read without making a String; nil for anything else.
  var krakenTime: Instant? {
    var fields: (Int64, Int64, Int64, Int64, Int64, Int64) = (0, 0, 0, 0, 0, 0)
    var fraction: Int64 = 0
    var places = 0
    var at = 0
    for byte in source where byte != UInt8(ascii: "\"") {
      let digit = Int64(byte) - 48
      let isDigit = digit >= 0 && digit <= 9
      switch at {
      case 0...3 where isDigit: fields.0 = fields.0 * 10 + digit
      case 5...6 where isDigit: fields.1 = fields.1 * 10 + digit
      case 8...9 where isDigit: fields.2 = fields.2 * 10 + digit
      case 11...12 where isDigit: fields.3 = fields.3 * 10 + digit
      case 14...15 where isDigit: fields.4 = fields.4 * 10 + digit
      case 17...18 where isDigit: fields.5 = fields.5 * 10 + digit
      case 4, 7, 10, 13, 16, 19: if isDigit { return nil }
      case 20... where isDigit && places < 9:
        fraction = fraction * 10 + digit
        places += 1
      case 20... where byte == UInt8(ascii: "Z"): break
      default: return nil
      }
      at += 1
    }
    guard at >= 20 else { return nil }
    for _ in places..<9 { fraction *= 10 }
    let civil = CivilTime(
      year: fields.0, month: fields.1, day: fields.2, hour: fields.3, minute: fields.4,
      second: fields.5, nanosecond: fraction)
    return civil?.instant
  }
}
