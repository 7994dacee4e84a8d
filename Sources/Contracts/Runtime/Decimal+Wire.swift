package import Calls
package import Units

extension TypeV1.Decimal {
  package init(_ decimal: Decimal) {
    self.init()
    self.units = decimal.units
    self.scale = UInt32(decimal.scale)
  }
}

extension Decimal {
  /// Refuses a scale over 18.
  package init(_ wire: TypeV1.Decimal) throws(DecimalError) {
    try self.init(checking: wire.units, scale: wire.scale)
  }

  /// Refuses a scale over 18, naming the field.
  package init(_ wire: TypeV1.Decimal, field: String) throws(RPCError) {
    do throws(DecimalError) {
      try self.init(wire)
    } catch {
      throw .invalid(field, error.problem)
    }
  }

  /// Nil when the field is absent.
  package init?(_ wire: TypeV1.Decimal?, field: String) throws(RPCError) {
    guard let wire else { return nil }
    try self.init(wire, field: field)
  }

  /// Refuses an absent field.
  package init(required wire: TypeV1.Decimal?, field: String) throws(RPCError) {
    guard let wire else { throw .invalid(field, "is required") }
    try self.init(wire, field: field)
  }
}
