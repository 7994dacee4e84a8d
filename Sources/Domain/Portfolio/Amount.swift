package import Units

/// An exact sum of money or quantity, wider than a `Decimal`: `units / 10^scale`. Sums that would
/// not fit 128 bits are a fault, never rounded. Two amounts are equal when their values are.
package struct Amount: Sendable {
  package static let zero = Amount(units: 0, scale: 0)

  package let units: Int128
  package let scale: UInt8

  package init(units: Int128, scale: UInt8) {
    self.units = units
    self.scale = scale
  }

  package init(_ decimal: Decimal) {
    self.init(units: Int128(decimal.units), scale: decimal.scale)
  }

  package var isZero: Bool { units == 0 }
  package var isNegative: Bool { units < 0 }
  package var isPositive: Bool { units > 0 }

  /// At the finer of both scales where that fits, else without trailing zeros.
  package func adding(_ other: Amount) throws(PortfolioFault) -> Amount {
    if let sum = sum(other) { return sum }
    guard let sum = normalized.sum(other.normalized) else { throw .overflow }
    return sum
  }

  private func sum(_ other: Amount) -> Amount? {
    let common = max(scale, other.scale)
    guard let left = wide(atScale: common), let right = other.wide(atScale: common) else {
      return nil
    }
    let (sum, overflow) = left.addingReportingOverflow(right)
    return overflow ? nil : Amount(units: sum, scale: common)
  }

  package func subtracting(_ other: Amount) throws(PortfolioFault) -> Amount {
    try adding(other.negated())
  }

  /// Halfway to another amount, rounded down at the finer scale of both.
  package func middle(to other: Amount) throws(PortfolioFault) -> Amount {
    let sum = try adding(other)
    return Amount(units: sum.units >> 1, scale: sum.scale)
  }

  package func negated() throws(PortfolioFault) -> Amount {
    let (negative, overflow) = Int128(0).subtractingReportingOverflow(units)
    guard !overflow else { throw .overflow }
    return Amount(units: negative, scale: scale)
  }

  package func magnitude() throws(PortfolioFault) -> Amount { units < 0 ? try negated() : self }

  /// At the sum of both scales where that fits, else without trailing zeros.
  package func multiplied(by other: Amount) throws(PortfolioFault) -> Amount {
    if let product = product(other) { return product }
    guard let product = normalized.product(other.normalized) else { throw .overflow }
    return product
  }

  private func product(_ other: Amount) -> Amount? {
    let (product, overflow) = units.multipliedReportingOverflow(by: other.units)
    let (places, tooMany) = scale.addingReportingOverflow(other.scale)
    return overflow || tooMany ? nil : Amount(units: product, scale: places)
  }

  /// The part of this amount that `part` is of `whole`, cut off toward zero at this amount's scale.
  /// Both are positive, and `part` is at most `whole`.
  package func share(_ part: Amount, of whole: Amount) throws(PortfolioFault) -> Amount {
    let common = max(part.scale, whole.scale)
    guard let some = part.wide(atScale: common), let all = whole.wide(atScale: common) else {
      throw .overflow
    }
    precondition(some >= 0 && all > 0 && some <= all, "\(part) is no part of \(whole)")
    if some == all { return self }
    let wide = units.magnitude.multipliedFullWidth(by: some.magnitude)
    let quotient = all.magnitude.dividingFullWidth(wide).quotient
    return Amount(units: units < 0 ? -Int128(quotient) : Int128(quotient), scale: scale)
  }

  /// This over another with `places` decimals, the last one rounded half up, for display; both are
  /// positive. Nil when it does not fit.
  package func quotient(by other: Amount, places: UInt8) -> Amount? {
    var (above, below) = (units, other.units)
    let shift = Int(places) + Int(other.scale) - Int(scale)
    for _ in 0..<abs(shift) {
      let (product, overflow) = (shift > 0 ? above : below).multipliedReportingOverflow(by: 10)
      guard !overflow else { return nil }
      if shift > 0 { above = product } else { below = product }
    }
    guard above >= 0, below > 0 else { return nil }
    let (whole, rest) = above.quotientAndRemainder(dividingBy: below)
    return Amount(units: whole + (rest >= below - rest ? 1 : 0), scale: places)
  }

  /// The same value without trailing zeros after the point.
  package var normalized: Amount {
    var units = units
    var scale = scale
    while scale > 0, units % 10 == 0 {
      units /= 10
      scale -= 1
    }
    return Amount(units: units, scale: scale)
  }

  /// The same value as a wire decimal, when its digits fit.
  package func decimal() throws(DecimalError) -> Decimal {
    let plain = normalized
    return try Decimal(exactly: plain.units, scale: plain.scale)
  }

  /// As a wire decimal, cut off toward zero at as many digits as fit, and whether anything was cut
  /// off; nil when not even the whole part fits.
  package func decimalCutOff() -> (decimal: Decimal, isExact: Bool)? {
    var plain = normalized
    var isExact = true
    while plain.scale > Decimal.scaleMax || Int64(exactly: plain.units) == nil {
      guard plain.scale > 0 else { return nil }
      isExact = isExact && plain.units % 10 == 0
      plain = Amount(units: plain.units / 10, scale: plain.scale - 1)
    }
    return (Decimal(units: Int64(plain.units), scale: plain.scale), isExact)
  }

  /// The nearest value with `places` decimal places, for display only: half away from zero.
  package func rounded(toPlaces places: UInt8) -> Amount {
    guard scale > places else { return self }
    var units = units
    for _ in (places + 1)..<scale { units /= 10 }
    let last = units % 10
    units = units / 10 + (last >= 5 ? 1 : (last <= -5 ? -1 : 0))
    return Amount(units: units, scale: places)
  }

  /// Nil when it does not fit.
  private func wide(atScale target: UInt8) -> Int128? {
    var wide = units
    if wide == 0 { return 0 }
    for _ in scale..<target {
      let (product, overflow) = wide.multipliedReportingOverflow(by: 10)
      guard !overflow else { return nil }
      wide = product
    }
    return wide
  }
}

extension Amount: CustomStringConvertible {
  package var description: String { decimalText(units, scale: scale) }
}

extension Amount: Hashable {
  package static func == (left: Amount, right: Amount) -> Bool {
    let left = left.normalized
    let right = right.normalized
    return left.units == right.units && left.scale == right.scale
  }

  package func hash(into hasher: inout Hasher) {
    let plain = normalized
    hasher.combine(plain.units)
    hasher.combine(plain.scale)
  }
}

extension Amount: Comparable {
  package static func < (left: Amount, right: Amount) -> Bool {
    let (left, right) = (left.normalized, right.normalized)
    guard left.units.signum() == right.units.signum() else { return left.units < right.units }
    let common = max(left.scale, right.scale)
    // What does not fit at the other's finer scale is the larger of the two in size.
    guard let fine = left.wide(atScale: common) else { return left.units < 0 }
    guard let other = right.wide(atScale: common) else { return left.units > 0 }
    return fine < other
  }
}
