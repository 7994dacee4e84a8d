package import Units

/// An amount of one asset, a whole number of 10^-8: the precision in which Binance keeps balances.
package struct AssetAmount: Sendable, Hashable, Comparable {
  package static let scale: UInt8 = 8
  package static let zero = AssetAmount(0)

  package var raw: Int64

  package init(_ raw: Int64) { self.raw = raw }

  /// Nil when the decimal has more than eight places or does not fit.
  package init?(_ decimal: Decimal) {
    guard let raw = decimal.units(atScale: Self.scale) else { return nil }
    self.raw = raw
  }

  package static func < (left: AssetAmount, right: AssetAmount) -> Bool { left.raw < right.raw }
  package static func + (left: AssetAmount, right: AssetAmount) -> AssetAmount {
    AssetAmount(left.raw + right.raw)
  }
  package static func - (left: AssetAmount, right: AssetAmount) -> AssetAmount {
    AssetAmount(left.raw - right.raw)
  }
  package static func += (left: inout AssetAmount, right: AssetAmount) { left.raw += right.raw }
  package static func -= (left: inout AssetAmount, right: AssetAmount) { left.raw -= right.raw }

  /// This share of the amount in 1/10,000, rounded down to 10^-8.
  package func share(basisPoints: Int64) -> AssetAmount {
    AssetAmount(Int64(Int128(raw) * Int128(basisPoints) / 10_000))
  }

  /// The same, rounded up: for what is locked ahead of a fee.
  package func shareRoundedUp(basisPoints: Int64) -> AssetAmount {
    AssetAmount(Int64((Int128(raw) * Int128(basisPoints) + 9_999) / 10_000))
  }

  /// All eight places shown: `0.00100000`.
  package var text: String { decimalText(Int128(raw), scale: Self.scale) }
}
