private import Portfolio
internal import Units
internal import Venue

extension RiskGate {
  /// A refusal in words, with its numbers in decimals: `position 10.5 would exceed limit 10`.
  package func text(of refusal: Refusal) -> String {
    guard let instrument = instruments[refusal.instrument.index] else {
      return refusal.rule == .killSwitch
        ? "the kill switch is engaged" : "instrument \(refusal.instrument.index) is not known"
    }
    let quantity = scale(of: refusal, instrument)
    let money = instrument.notionalScale
    switch refusal.rule {
    case .killSwitch: return "the kill switch is engaged"
    case .wellFormed: return malformation(refusal, instrument)
    case .tradingState:
      guard refusal.reason == .positionLimit else { return "trading is halted" }
      return "only reducing orders pass: " + exceeded("open quantity", refusal, scale: quantity)
    case .ordersPerSecond: return exceeded("orders in one second", refusal, scale: 0)
    case .ordersPerMinute: return exceeded("orders in one minute", refusal, scale: 0)
    case .orderSize: return exceeded("order size", refusal, scale: quantity)
    case .position: return exceeded("position", refusal, scale: quantity)
    case .notional:
      guard refusal.reason == .maxNotional else {
        return
          "\(instrument.symbol) has no reference price to value an order: its book is tainted, "
          + "or too old"
      }
      return exceeded("notional", refusal, scale: money)
    case .dailyLoss: return loss(refusal)
    case .grossExposure: return exceeded("gross exposure", refusal, scale: moneyScale)
    case .priceBand: return band(refusal, instrument)
    }
  }

  private func loss(_ refusal: Refusal) -> String {
    let (actual, limit) = (plain(refusal.actual, moneyScale), plain(refusal.limit, moneyScale))
    guard refusal.actual > refusal.limit else {
      return "profit today \(actual) has reached limit \(limit): only reducing orders pass"
    }
    return
      "profit today had reached limit \(limit), and is \(actual) now: only reducing orders pass "
      + "until an operator resets it or the day ends"
  }

  /// How many digits of a refusal's numbers are behind the point.
  package func scale(of refusal: Refusal) -> UInt8 {
    instruments[refusal.instrument.index].map { scale(of: refusal, $0) } ?? 0
  }

  private func scale(of refusal: Refusal, _ instrument: Instrument) -> UInt8 {
    switch refusal.rule {
    case .position, .tradingState: group(slot(instrument.id)).pointee.quantityScale
    case .orderSize: instrument.quantityScale
    case .notional: instrument.notionalScale
    case .dailyLoss, .grossExposure: moneyScale
    case .priceBand: instrument.priceScale
    case .killSwitch, .wellFormed, .ordersPerSecond, .ordersPerMinute: 0
    }
  }

  private func malformation(_ refusal: Refusal, _ instrument: Instrument) -> String {
    switch refusal.reason {
    case .marketClosed: "\(instrument.symbol) is not trading"
    default: "quantity and price must be positive, not \(refusal.actual) raw units"
    }
  }

  private func band(_ refusal: Refusal, _ instrument: Instrument) -> String {
    guard refusal.reason == .priceBands else {
      return "\(instrument.symbol) has no reference price for its band"
    }
    let band = limits.limits(of: instrument.symbol).priceBand ?? .zero
    return "price \(plain(refusal.actual, instrument.priceScale)) is more than \(band) off "
      + "reference \(plain(refusal.limit, instrument.priceScale))"
  }

  private func exceeded(_ what: String, _ refusal: Refusal, scale: UInt8) -> String {
    "\(what) \(plain(refusal.actual, scale)) would exceed limit \(plain(refusal.limit, scale))"
  }

  private func plain(_ units: Int128, _ scale: UInt8) -> String {
    Amount(units: units, scale: scale).normalized.description
  }
}
