import Chrono
import Foundation
import OrderBook
import Recording
import TestKit
import Testing
import Units
import Venue

@testable import Venues

/// A recording of Kraken played through a feed, with what its hearer would have in the end.
struct KrakenCapture {
  var snapshots = 0
  var deltas = 0
  var trades: [Trade] = []
  var tops = 0
  var stales = 0
  var statuses = 0
  var faults: [FeedFault] = []
  var clocks: [ClockReading] = []
  var wishes: [FeedWish] = []
  /// Books built from the events alone.
  var heard: [InstrumentID: PriceLevelBook] = [:]
  private var output = FeedOutput()

  static func frames(_ name: String) throws -> [RecordedFrame] {
    let data = try RecordedData.read("kraken/" + name)
    return try Recording(data).frames.filter { $0.kind == .received }
  }

  /// The first recorded answer to a REST request.
  static func answer(_ name: String) throws -> [UInt8] {
    let data = try RecordedData.read("kraken/" + name)
    let frame = try Recording(data).frames.first { frame in
      if case .answered = frame.kind { true } else { false }
    }
    return try #require(frame).bytes
  }

  mutating func open(_ feed: any PublicFeed, at now: Instant) {
    feed.opened(at: now, &output)
    take()
  }

  mutating func play(_ frames: some Sequence<RecordedFrame>, through feed: any PublicFeed) {
    for frame in frames {
      feed.receive(frame.bytes, at: frame.time, &output)
      take()
    }
  }

  mutating func play(_ text: String, at now: Instant, through feed: any PublicFeed) {
    feed.receive(Array(text.utf8), at: now, &output)
    take()
  }

  mutating func tick(_ feed: any PublicFeed, at now: Instant) {
    feed.tick(at: now, &output)
    take()
  }

  mutating func resynchronise(_ feed: any PublicFeed, _ instrument: InstrumentID, at now: Instant) {
    feed.resynchronise(instrument, reason: "asked for", at: now, &output)
    take()
  }

  mutating func close(_ feed: any PublicFeed, at now: Instant) {
    feed.closed(reason: "closed", at: now, &output)
    take()
  }

  mutating func answer(
    _ feed: any PublicFeed, _ question: FeedQuestion, _ body: String, at now: Instant
  ) {
    feed.answered(question, Array(body.utf8), at: now, &output)
    take()
  }

  private mutating func take() {
    faults += output.faults
    wishes += output.wishes
    clocks += output.clocks
    for event in output.events { take(event) }
    output.removeAll()
  }

  private mutating func take(_ event: MarketEvent) {
    switch event {
    case .snapshot(let snapshot):
      snapshots += 1
      book(snapshot.instrument).apply(snapshot)
    case .delta(let delta):
      deltas += 1
      book(delta.instrument).apply(delta)
    case .trade(let trade): trades.append(trade)
    case .top: tops += 1
    case .stale: stales += 1
    case .status: statuses += 1
    }
  }

  private mutating func book(_ id: InstrumentID) -> PriceLevelBook {
    if let book = heard[id] { return book }
    let book = PriceLevelBook()
    heard[id] = book
    return book
  }

  /// Those that ask for something else than the time.
  var requests: [String] { sent.filter { !$0.contains("\"ping\"") } }

  /// Frames that were to be sent, as text.
  var sent: [String] {
    wishes.compactMap { wish in
      if case .send(let bytes) = wish { String(decoding: bytes, as: UTF8.self) } else { nil }
    }
  }
}

extension Instrument {
  /// As a recording of Kraken needs it: names and scales.
  static func kraken(
    _ venueSymbol: String, _ index: Int = 0, priceScale: UInt8, quantityScale: UInt8 = 8
  ) -> Instrument {
    let pair = KrakenAssets.pair(venueSymbol) ?? (venueSymbol, "")
    return Instrument(
      id: InstrumentID(Int32(index)), venue: VenueID("kraken"), symbol: pair.base + pair.quote,
      venueSymbol: venueSymbol, base: pair.base, quote: pair.quote, priceScale: priceScale,
      quantityScale: quantityScale, tickSize: Price(1), lotSize: Quantity(1),
      minQuantity: Quantity(1), maxQuantity: Quantity(.max), minNotional: .zero)
  }
}
