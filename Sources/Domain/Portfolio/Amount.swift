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

  package func adding(_ other: Amount) throws(PortfolioFault) -> Amount {
    let common = max(scale, other.scale)
    let (sum, overflow) = try wide(atScale: common)
      .addingReportingOverflow(other.wide(atScale: common))
    guard !overflow else { throw .overflow }
    return Amount(units: sum, scale: common)
  }

  package func subtracting(_ other: Amount) throws(PortfolioFault) -> Amount {
    try adding(other.negated())
  }

  package func negated() throws(PortfolioFault) -> Amount {
    let (negative, overflow) = Int128(0).subtractingReportingOverflow(units)
    guard !overflow else { throw .overflow }
    return Amount(units: negative, scale: scale)
  }

  package func magnitude() throws(PortfolioFault) -> Amount { units < 0 ? try negated() : self }

  package func multiplied(by other: Amount) throws(PortfolioFault) -> Amount {
    let left = normalized
    let right = other.normalized
    let (product, overflow) = left.units.multipliedReportingOverflow(by: right.units)
    guard !overflow else { throw .overflow }
    return Amount(units: product, scale: left.scale + right.scale)
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

  /// The nearest value with `places` decimal places, for display only: half away from zero.
  package func rounded(toPlaces places: UInt8) -> Amount {
    guard scale > places else { return self }
    var units = units
    for _ in (places + 1)..<scale { units /= 10 }
    let last = units % 10
    units = units / 10 + (last >= 5 ? 1 : (last <= -5 ? -1 : 0))
    return Amount(units: units, scale: places)
  }

  private func wide(atScale target: UInt8) throws(PortfolioFault) -> Int128 {
    var wide = units
    for _ in scale..<target {
      let (product, overflow) = wide.multipliedReportingOverflow(by: 10)
      guard !overflow else { throw .overflow }
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
