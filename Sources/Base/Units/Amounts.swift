/// A price as a whole number of `10^-priceScale` of its instrument. Compare and subtract only prices
/// of one instrument; the instrument knows the scale.
package struct Price: Sendable, Hashable, Comparable {
  package var raw: Int64
  package init(_ raw: Int64) { self.raw = raw }
  package static let zero = Price(0)
  package static func < (left: Price, right: Price) -> Bool { left.raw < right.raw }
}

/// A quantity as a whole number of `10^-quantityScale` of its instrument.
package struct Quantity: Sendable, Hashable, Comparable {
  package var raw: Int64
  package init(_ raw: Int64) { self.raw = raw }
  package static let zero = Quantity(0)
  package static func < (left: Quantity, right: Quantity) -> Bool { left.raw < right.raw }
  package static func + (left: Quantity, right: Quantity) -> Quantity {
    Quantity(left.raw + right.raw)
  }
  package static func - (left: Quantity, right: Quantity) -> Quantity {
    Quantity(left.raw - right.raw)
  }
  package static func += (left: inout Quantity, right: Quantity) { left.raw += right.raw }
  package static func -= (left: inout Quantity, right: Quantity) { left.raw -= right.raw }
}

/// Price times quantity, exact: a whole number of `10^-(priceScale + quantityScale)` quote units.
package struct Notional: Sendable, Hashable, Comparable {
  package var raw: Int128
  package init(_ raw: Int128) { self.raw = raw }
  package static let zero = Notional(0)
  package static func < (left: Notional, right: Notional) -> Bool { left.raw < right.raw }
  package static func + (left: Notional, right: Notional) -> Notional {
    Notional(left.raw + right.raw)
  }
  package static func - (left: Notional, right: Notional) -> Notional {
    Notional(left.raw - right.raw)
  }
  package static func += (left: inout Notional, right: Notional) { left.raw += right.raw }
  package static func -= (left: inout Notional, right: Notional) { left.raw -= right.raw }
}

package func * (price: Price, quantity: Quantity) -> Notional {
  Notional(Int128(price.raw) * Int128(quantity.raw))
}

package enum Side: UInt8, Sendable, Hashable, CaseIterable {
  case buy = 1
  case sell = 2

  package var opposite: Side { self == .buy ? .sell : .buy }
  /// +1 for a buy, -1 for a sell.
  package var sign: Int64 { self == .buy ? 1 : -1 }
}
