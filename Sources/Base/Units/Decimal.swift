/// An exact decimal number: `units / 10^scale`. The only form in which money enters or leaves.
///
/// Scientific notation, NaN, infinities and more digits than fit are refused, never rounded.
/// Two decimals are equal when their values are (`1.50 == 1.5`).
package struct Decimal: Sendable {
  package static let scaleMax: UInt8 = 18
  package static let zero = Decimal(units: 0, scale: 0)

  package let units: Int64
  package let scale: UInt8

  /// Precondition: `scale <= 18`. Outside input goes through `init(parsing:)` or `init(checking:scale:)`.
  package init(units: Int64, scale: UInt8) {
    precondition(scale <= Self.scaleMax, "a decimal's scale is at most 18, not \(scale)")
    self.units = units
    self.scale = scale
  }

  /// From wire values: refuses a scale over 18.
  package init(checking units: Int64, scale: UInt32) throws(DecimalError) {
    guard scale <= UInt32(Self.scaleMax) else { throw .tooManyDigits }
    self.init(units: units, scale: UInt8(scale))
  }

  /// From 128-bit units, dropping trailing zeros only as far as needed to fit.
  package init(exactly units: Int128, scale: UInt8) throws(DecimalError) {
    var units = units
    var scale = scale
    while scale > Self.scaleMax || Int64(exactly: units) == nil {
      guard scale > 0, units % 10 == 0 else { throw .tooManyDigits }
      units /= 10
      scale -= 1
    }
    self.init(units: Int64(units), scale: scale)
  }

  /// `-?[0-9]+(\.[0-9]+)?` and nothing else.
  package init(parsing text: some StringProtocol) throws(DecimalError) {
    // Of a native string the bytes are at hand, and generic iteration is most of the cost.
    let read = text.utf8.withContiguousStorageIfAvailable { bytes in
      Result { () throws(DecimalError) in try Self(digits: bytes) }
    }
    self = try (read ?? Result { () throws(DecimalError) in try Self(digits: text.utf8) }).get()
  }

  private init(digits text: some Collection<UInt8>) throws(DecimalError) {
    var units: Int64 = 0
    var scale: UInt8 = 0
    var negative = false
    var digits = 0
    var inFraction = false
    var isFirst = true
    for byte in text {
      defer { isFirst = false }
      switch byte {
      case UInt8(ascii: "-") where isFirst:
        negative = true
      case UInt8(ascii: ".") where !inFraction && digits > 0:
        inFraction = true
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        let (scaled, overflow) = units.multipliedReportingOverflow(by: 10)
        let digit = Int64(byte - UInt8(ascii: "0"))
        let (sum, carried) = scaled.addingReportingOverflow(negative ? -digit : digit)
        guard !overflow, !carried else { throw .tooManyDigits }
        units = sum
        digits += 1
        if inFraction {
          guard scale < Self.scaleMax else { throw .tooManyDigits }
          scale += 1
        }
      default:
        throw .notADecimal
      }
    }
    guard digits > 0, !inFraction || scale > 0 else { throw .notADecimal }
    self.init(units: units, scale: scale)
  }

  /// The units at another scale, when that is exact; nil when digits would be lost or it overflows.
  package func units(atScale target: UInt8) -> Int64? {
    if target >= scale {
      guard let factor = powerOfTen(target - scale) else { return nil }
      let (product, overflow) = units.multipliedReportingOverflow(by: factor)
      return overflow ? nil : product
    }
    guard let factor = powerOfTen(scale - target) else { return units == 0 ? 0 : nil }
    return units % factor == 0 ? units / factor : nil
  }

  /// The nearest units at another scale, halves away from zero; nil when they do not fit.
  package func nearestUnits(atScale target: UInt8) -> Int64? {
    guard target < scale, let factor = powerOfTen(scale - target) else {
      return units(atScale: target)
    }
    let (whole, rest) = units.quotientAndRemainder(dividingBy: factor)
    let isUp = rest.magnitude >= factor.magnitude - rest.magnitude
    return whole + (isUp ? units.signum() : 0)
  }

  package var isNegative: Bool { units < 0 }
  package var isZero: Bool { units == 0 }

  /// The same value without trailing zeros after the point.
  package var normalized: Decimal {
    var units = units
    var scale = scale
    while scale > 0, units % 10 == 0 {
      units /= 10
      scale -= 1
    }
    return Decimal(units: units, scale: scale)
  }

  package func adding(_ other: Decimal) throws(DecimalError) -> Decimal {
    let common = max(scale, other.scale)
    let sum = try wide(atScale: common) + other.wide(atScale: common)
    return try Decimal(exactly: sum, scale: common)
  }

  package func subtracting(_ other: Decimal) throws(DecimalError) -> Decimal {
    let common = max(scale, other.scale)
    let difference = try wide(atScale: common) - other.wide(atScale: common)
    return try Decimal(exactly: difference, scale: common)
  }

  private func wide(atScale target: UInt8) throws(DecimalError) -> Int128 {
    guard let factor = powerOfTen(target - scale) else { throw .tooManyDigits }
    return Int128(units) * Int128(factor)
  }
}

package enum DecimalError: Error, Hashable {
  case notADecimal
  case tooManyDigits

  package var problem: String {
    switch self {
    case .notADecimal: "is not a plain decimal number such as 50123.50"
    case .tooManyDigits: "has more digits than fit (18 after the point, 64 bits in all)"
    }
  }
}

/// 10^exponent, or nil over 10^18.
package func powerOfTen(_ exponent: UInt8) -> Int64? {
  guard exponent <= 18 else { return nil }
  var power: Int64 = 1
  for _ in 0..<exponent { power *= 10 }
  return power
}

extension Decimal: CustomStringConvertible {
  package var description: String { decimalText(Int128(units), scale: scale) }
}

/// `units / 10^scale` as plain text, every digit of the scale shown: `5012350, 2` is `50123.50`.
package func decimalText(_ units: Int128, scale: UInt8) -> String {
  if units.magnitude <= UInt128(UInt64.max) {
    return decimalText(UInt64(units.magnitude), isNegative: units < 0, places: Int(scale))
  }
  guard scale > 0 else { return String(units) }
  var digits = Array(String(units.magnitude).utf8)
  let places = Int(scale)
  if digits.count <= places {
    digits.insert(
      contentsOf: repeatElement(UInt8(ascii: "0"), count: places + 1 - digits.count), at: 0)
  }
  digits.insert(UInt8(ascii: "."), at: digits.count - places)
  if units < 0 { digits.insert(UInt8(ascii: "-"), at: 0) }
  return String(decoding: digits, as: UTF8.self)
}

/// From the last digit to the first; at least one before the point.
private func decimalText(_ magnitude: UInt64, isNegative: Bool, places: Int) -> String {
  var count = 1
  var power = magnitude / 10
  while power > 0 {
    count += 1
    power /= 10
  }
  let digits = max(count, places + 1)
  let length = digits + (places > 0 ? 1 : 0) + (isNegative ? 1 : 0)
  return String(unsafeUninitializedCapacity: length) { bytes in
    var left = magnitude
    var index = length - 1
    for place in 0..<digits {
      if place == places, places > 0 {
        bytes[index] = UInt8(ascii: ".")
        index -= 1
      }
      bytes[index] = UInt8(ascii: "0") + UInt8(left % 10)
      left /= 10
      index -= 1
    }
    if isNegative { bytes[0] = UInt8(ascii: "-") }
    return length
  }
}

extension Decimal: Comparable {
  package static func == (left: Decimal, right: Decimal) -> Bool {
    left.compare(right) == 0
  }

  package static func < (left: Decimal, right: Decimal) -> Bool {
    left.compare(right) < 0
  }

  private func compare(_ other: Decimal) -> Int {
    let common = max(scale, other.scale)
    // 10^18 * 2^63 fits in 128 bits, so the factors exist and the products do not overflow.
    let mine = Int128(units) * Int128(powerOfTen(common - scale)!)
    let theirs = Int128(other.units) * Int128(powerOfTen(common - other.scale)!)
    return mine < theirs ? -1 : (mine > theirs ? 1 : 0)
  }
}

extension Decimal: Hashable {
  package func hash(into hasher: inout Hasher) {
    let plain = normalized
    hasher.combine(plain.units)
    hasher.combine(plain.scale)
  }
}
