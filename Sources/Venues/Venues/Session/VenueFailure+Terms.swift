internal import Units
internal import Venue

extension VenueFailure {
  /// The same refusal with the reason that the instrument's own rules give for these terms.
  ///
  /// Venues put one fault of a price or a size in different words, and several in the same
  /// (Binance's LOT_SIZE is the least, the most and the step of a quantity; OKX's 51000 any
  /// parameter). What is wrong by the rules that the venue itself listed is the more exact. Reasons of
  /// another kind, and terms without a fault that we can see, stay as the venue said.
  func explained(_ price: Price?, _ quantity: Quantity?, _ instrument: Instrument) -> VenueFailure {
    guard case .definite(let reason, let text) = self, Self.ofTerms.contains(reason),
      let fault = instrument.fault(price, quantity)
    else { return self }
    return .definite(fault, text: text)
  }

  private static let ofTerms: Set<RejectReason> = [
    .pricePrecision, .sizePrecision, .minSize, .maxSize, .minNotional, .maxNotional, .priceBands,
    .invalidOrder,
  ]
}

extension Instrument {
  fileprivate func fault(_ price: Price?, _ quantity: Quantity?) -> RejectReason? {
    if let quantity {
      if quantity.raw % lotSize.raw != 0 { return .sizePrecision }
      if quantity < minQuantity { return .minSize }
      if quantity > maxQuantity { return .maxSize }
    }
    guard let price else { return nil }
    if price.raw % tickSize.raw != 0 { return .pricePrecision }
    if let priceRange, !priceRange.contains(price) { return .priceBands }
    if let quantity, price * quantity < minNotional { return .minNotional }
    return nil
  }
}
