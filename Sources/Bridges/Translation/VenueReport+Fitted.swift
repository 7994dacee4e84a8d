package import Contracts
internal import Units
package import Venue

/// An order keeps the terms that it was made under, and its venue may tell in finer ones by now. What has
/// digits that the order's terms have not is told to the nearest that they have, which is seen by whoever
/// compares, instead of not at all.
extension MarketV1.VenueReport {
  package func fitted(to instrument: Instrument) -> MarketV1.VenueReport {
    var report = self
    report.filledQuantity = filledQuantity?.fitted(to: instrument.quantityScale)
    report.price = price?.fitted(to: instrument.priceScale)
    report.quantity = quantity?.fitted(to: instrument.quantityScale)
    report.fill = fill?.fitted(to: instrument)
    return report
  }
}

extension MarketV1.Fill {
  package func fitted(to instrument: Instrument) -> MarketV1.Fill {
    var fill = self
    fill.price = price?.fitted(to: instrument.priceScale)
    fill.quantity = quantity?.fitted(to: instrument.quantityScale)
    return fill
  }
}

extension MarketV1.VenueOrderOutcome {
  package func fitted(to instrument: Instrument) -> MarketV1.VenueOrderOutcome {
    guard case .acknowledged(let report) = outcome else { return self }
    var fitted = self
    fitted.outcome = .acknowledged(report.fitted(to: instrument))
    return fitted
  }
}

extension TypeV1.Decimal {
  /// The nearest with at most so many places, halves away from zero; itself when it has no more.
  fileprivate func fitted(to places: UInt8) -> TypeV1.Decimal {
    guard scale > UInt32(places), let factor = powerOfTen(UInt8(clamping: scale) - places) else {
      return self
    }
    let (whole, rest) = units.quotientAndRemainder(dividingBy: factor)
    guard rest != 0 else { return self }
    let isUp = rest.magnitude >= factor.magnitude - rest.magnitude
    var fitted = TypeV1.Decimal()
    fitted.units = whole + (isUp ? units.signum() : 0)
    fitted.scale = UInt32(places)
    return fitted
  }
}
