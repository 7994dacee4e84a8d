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
    guard let number = json.source.withUnsafeBufferPointer({ KrakenNumber(text: $0) }) else {
      return nil
    }
    self = number
  }

  private init?(text: UnsafeBufferPointer<UInt8>) {
    units = 0
    places = 0
    var digits = 0
    var inFraction = false
    for byte in text {
      if byte >= 0x30, byte <= 0x39 {
        let (scaled, overflow) = units.multipliedReportingOverflow(by: 10)
        let (sum, carried) = scaled.addingReportingOverflow(Int64(byte &- 0x30))
        guard !overflow, !carried else { return nil }
        units = sum
        digits += 1
        if inFraction { places += 1 }
      } else if byte == UInt8(ascii: ".") {
        guard !inFraction, digits > 0 else { return nil }
        inFraction = true
      } else if byte != UInt8(ascii: "\"") {
        return nil
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
  var krakenSeconds: Instant? { source.withUnsafeBufferPointer { krakenMoment(seconds: $0) } }

  /// `2026-08-01T02:53:53.646219Z`, read without making a String; nil for anything else.
  var krakenTime: Instant? { source.withUnsafeBufferPointer { krakenMoment(text: $0) } }
}

private func krakenMoment(seconds text: UnsafeBufferPointer<UInt8>) -> Instant? {
  var seconds: Int64 = 0
  var nanoseconds: Int64 = 0
  var places = -1
  for byte in text where byte != UInt8(ascii: "\"") {
    if byte == UInt8(ascii: "."), places < 0 {
      places = 0
      continue
    }
    guard byte >= 0x30, byte <= 0x39 else { return nil }
    let digit = Int64(byte &- 0x30)
    if places < 0 {
      guard seconds < 1_000_000_000 else { return nil }
      seconds = seconds * 10 + digit
    } else if places < 9 {
      nanoseconds = nanoseconds * 10 + digit
      places += 1
    }
  }
  guard seconds < 9_000_000_000 else { return nil }
  return Instant(
    nanoseconds: seconds * 1_000_000_000
      + nanoseconds * KrakenNumber.powers[9 - max(places, 0)])
}

private func krakenMoment(text: UnsafeBufferPointer<UInt8>) -> Instant? {
  // A quote is at each end, twenty characters are there at least, and a fraction before the Z.
  guard text.count >= 22, text.count <= 32, text[0] == UInt8(ascii: "\""),
    text[text.count - 2] == UInt8(ascii: "Z")
  else { return nil }
  func number(_ at: Int, _ count: Int) -> Int64? {
    var value: Int64 = 0
    var place = at
    while place < at + count {
      let digit = Int64(text[place]) - 0x30
      guard digit >= 0, digit <= 9 else { return nil }
      value = value * 10 + digit
      place += 1
    }
    return value
  }
  // `-`, `T`, `:` and `.` stand between the digits of a moment, whatever they are.
  let places = text.count == 22 ? 0 : text.count - 23
  guard let year = number(1, 4), let month = number(6, 2), let day = number(9, 2),
    let hour = number(12, 2), let minute = number(15, 2), let second = number(18, 2),
    let fraction = places == 0 ? 0 : number(21, places),
    let civil = CivilTime(
      year: year, month: month, day: day, hour: hour, minute: minute, second: second,
      nanosecond: fraction * KrakenNumber.powers[9 - places])
  else { return nil }
  return civil.instant
}
