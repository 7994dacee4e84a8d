package import Venue

/// An instrument as the directory of a ring of ticks names it, for readers of other processes.
///
/// In the directory it is `venue symbol price-scale quantity-scale`, separated by spaces; a venue is
/// its name alone.
package struct TickInstrument: Sendable, Hashable {
  package let venue: String
  package let symbol: String
  package let priceScale: UInt8
  package let quantityScale: UInt8

  package init(_ instrument: Instrument) {
    venue = instrument.venue.name
    symbol = instrument.symbol
    priceScale = instrument.priceScale
    quantityScale = instrument.quantityScale
  }

  /// Nil for a venue's own entry, and for what is none of ours.
  init?(label: String) {
    let parts = label.split(separator: " ", omittingEmptySubsequences: false)
    guard parts.count == 4, let priceScale = UInt8(parts[2]), let quantityScale = UInt8(parts[3])
    else { return nil }
    venue = String(parts[0])
    symbol = String(parts[1])
    self.priceScale = priceScale
    self.quantityScale = quantityScale
  }

  var label: String { "\(venue) \(symbol) \(priceScale) \(quantityScale)" }
}
