package import Calls
package import Contracts
package import Units
package import Venue

extension Instrument {
  /// A price with every digit of its instrument's scale.
  package func wire(_ price: Price) -> TypeV1.Decimal { TypeV1.Decimal(decimal(price)) }
  package func wire(_ quantity: Quantity) -> TypeV1.Decimal { TypeV1.Decimal(decimal(quantity)) }

  /// A notional that does not fit 64 bits is OUT_OF_RANGE, never rounded.
  package func wire(_ notional: Notional) throws(RPCError) -> TypeV1.Decimal {
    do throws(DecimalError) {
      return TypeV1.Decimal(try decimal(notional))
    } catch {
      throw RPCError(.outOfRange, "a notional of \(symbol) \(error.problem)")
    }
  }

  /// The price in a field of a request; INVALID_ARGUMENT naming the field when it is not a positive
  /// whole number of ticks.
  package func price(_ wire: TypeV1.Decimal, field: String) throws(RPCError) -> Price {
    let decimal = try decimal(wire, field: field)
    do throws(RejectReason) {
      return try price(decimal)
    } catch {
      throw refusal(
        error, field,
        "\(decimal) is not a positive multiple of the tick size \(self.decimal(tickSize))")
    }
  }

  package func quantity(_ wire: TypeV1.Decimal, field: String) throws(RPCError) -> Quantity {
    let decimal = try decimal(wire, field: field)
    do throws(RejectReason) {
      return try quantity(decimal)
    } catch {
      throw refusal(
        error, field,
        "\(decimal) is not a positive multiple of the lot size \(self.decimal(lotSize))")
    }
  }

  /// A price or quantity that another service of the mesh has sent: exact at the scale, any sign.
  package func raw(_ wire: TypeV1.Decimal?, scale: UInt8) throws(RPCError) -> Int64? {
    guard let wire else { return nil }
    guard let raw = try decimal(wire, field: "decimal").units(atScale: scale) else {
      throw RPCError(.invalidArgument, "a value of \(symbol) has more than \(scale) decimals")
    }
    return raw
  }

  private func decimal(_ wire: TypeV1.Decimal, field: String) throws(RPCError) -> Units.Decimal {
    do throws(DecimalError) {
      return try Units.Decimal(checking: wire.units, scale: wire.scale)
    } catch {
      throw .invalid(field, error.problem)
    }
  }

  private func refusal(_ reason: RejectReason, _ field: String, _ problem: String) -> RPCError {
    var error = RPCError.invalid(field, problem)
    error.details.append(
      .errorInfo(reason: reason.name, domain: "shrivenquant", metadata: ["symbol": symbol]))
    return error
  }
}
