internal import Contracts
internal import Journal
internal import ServiceKit
internal import Translation
internal import Venue
internal import Wire

/// Journal records as readers of the stream get them: with their mark, and with the terms of their
/// instrument, which the journal has before every first use.
struct PublishedEvents {
  private var terms: [InstrumentTable.Key: OmsV1.InstrumentTerms] = [:]

  /// `instruments` are those that the journal has told so far.
  init(_ instruments: [Instrument]) {
    for instrument in instruments {
      let key = InstrumentTable.Key(venue: instrument.venue.name, symbol: instrument.symbol)
      var told = OmsV1.InstrumentTerms()
      told.baseAsset = instrument.base
      told.quoteAsset = instrument.quote
      told.priceScale = UInt32(instrument.priceScale)
      told.quantityScale = UInt32(instrument.quantityScale)
      terms[key] = told
    }
  }

  /// Nil for a record that is no event.
  mutating func event(of record: JournalRecord) throws -> OmsV1.OrderEvent? {
    guard var event = try OrderDesk.published(record) else {
      let decoded = try OmsV1.JournalRecord(decoding: record.payload)
      if case .instrument(let instrument) = decoded.record { learn(instrument) }
      return nil
    }
    event.logMark = LogPosition(record).mark
    if event.terms == nil, let order = event.order {
      event.terms = terms[InstrumentTable.Key(venue: order.venue, symbol: order.symbol)]
    }
    return event
  }

  private mutating func learn(_ instrument: MarketV1.Instrument) {
    var told = OmsV1.InstrumentTerms()
    told.baseAsset = instrument.baseAsset
    told.quoteAsset = instrument.quoteAsset
    told.priceScale = instrument.priceScale
    told.quantityScale = instrument.quantityScale
    terms[InstrumentTable.Key(venue: instrument.venue, symbol: instrument.symbol)] = told
  }
}
