import Foundation
import JSON
import OrderBook
import Recording
import Units
import Venue

@testable import Venues

/// Instruments and damage for OKX's tests.
enum OKXFixture {
  static let tick = "okx/books-l2-tbt_20210722_OKEX.ws.1.0"
  static let books = "okx/books_20220513_OKX.ws.1.0"
  static let numbered = "okx/books_20260824_seqid_excerpt.jsonl"
  static let instruments = "okx/rest_instruments_20220513_OKX.0.zst"
  static let coinbase = "coinbase/advtrade_20260809_COINBASE.jsonl.zst"

  static func instrument(
    _ name: String, _ id: Int32, _ priceScale: UInt8, _ quantityScale: UInt8
  ) -> Instrument {
    let parts = name.split(separator: "-").map(String.init)
    var instrument = Instrument(
      id: InstrumentID(id), venue: VenueID("okx"), symbol: OKXSymbols.symbol(name),
      venueSymbol: name, base: parts[0], quote: parts[1], priceScale: priceScale,
      quantityScale: quantityScale, tickSize: Price(1), lotSize: Quantity(1),
      minQuantity: Quantity(1), maxQuantity: Quantity(.max), minNotional: .zero)
    instrument.kind =
      switch parts.count {
      case 2: .spot
      case 3: parts[2] == "SWAP" ? .perpetual : .future
      default: .option
      }
    return instrument
  }

  /// Changes the last digit of the first level's size that is not zero; nil when there is none.
  static func flipped(_ text: String) -> String? {
    guard let level = firstLevel(text) else { return nil }
    let old = #"["\#(level.price)","\#(level.size)""#
    let digit = level.size.last!
    let new = #"["\#(level.price)","\#(level.size.dropLast())\#(digit == "9" ? "1" : "9")""#
    return text.replacingOccurrences(of: old, with: new)
  }

  static func firstLevel(_ text: String) -> (side: Side, price: String, size: String)? {
    guard let data = try? JSONDocument(parsing: text).root.array("data"), let entry = data.first
    else { return nil }
    for (name, side) in [("asks", Side.sell), ("bids", Side.buy)] {
      for level in entry[name]?.array.map(Array.init) ?? [] {
        guard let price = level[0]?.string, let size = level[1]?.string, size != "0",
          size.last != "0"
        else { continue }
        return (side, price, size)
      }
    }
    return nil
  }

  /// Whether the level that `flipped` changes is among the best 25 once the message is applied.
  static func touchesBest(
    _ text: String, _ frames: [RecordedFrame], before index: Int, _ instruments: [Instrument]
  ) -> Bool {
    let feed = OKXFeed(instruments)
    var output = FeedOutput()
    for frame in frames[...index] { feed.receive(frame.bytes, at: frame.time, &output) }
    guard let level = firstLevel(text),
      let name = try? JSONDocument(parsing: text)["arg"]?["instId"]?.string,
      let instrument = instruments.first(where: { $0.venueSymbol == name }),
      let price = try? Decimal(parsing: level.price).units(atScale: instrument.priceScale)
    else { return false }
    var place = 0
    var found = false
    feed.book(of: instrument.id).forEachLevel(level.side) { other in
      place += 1
      found = other.price.raw == price
      return !found && place < 25
    }
    return found
  }
}
