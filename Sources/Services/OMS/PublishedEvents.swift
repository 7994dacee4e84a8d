internal import Contracts
internal import Journal
internal import ServiceKit
internal import Translation
internal import Venue
internal import Wire

/// Journal records as readers of the stream get them: with their mark, and with the terms of their
/// instrument, which the journal has before every first use.
///
/// An event goes out as the journal has it, with what it lacks behind it: reading it and writing it
/// again for each reader cost as much as taking an order in.
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

  /// The bytes of an `OrderEvent`; nil for a record that is no event.
  mutating func event(of record: JournalRecord) throws -> [UInt8]? {
    let event = try record.payload.withUnsafeBytes { payload -> [UInt8]? in
      guard let journaled = try WireReader.field(Field.event, in: payload),
        let event = try WireReader.field(Field.published, in: journaled)
      else { return nil }
      let rest = try missing(event, record).encoded()
      return [UInt8](unsafeUninitializedCapacity: event.count + rest.count) { bytes, count in
        _ = bytes.update(fromContentsOf: event.bindMemory(to: UInt8.self))
        _ = bytes[event.count...].update(fromContentsOf: rest)
        count = event.count + rest.count
      }
    }
    if event == nil {
      let decoded = try OmsV1.JournalRecord(decoding: record.payload)
      if case .instrument(let instrument) = decoded.record { learn(instrument) }
    }
    return event
  }

  /// What the journal does not keep of an event.
  private func missing(
    _ event: UnsafeRawBufferPointer, _ record: JournalRecord
  ) throws -> OmsV1.OrderEvent {
    var rest = OmsV1.OrderEvent()
    rest.sequence = record.sequence
    rest.logMark = LogPosition(record).mark
    if try WireReader.field(Field.execution, in: event) != nil {
      var execution = OmsV1.Execution()
      execution.sequence = record.sequence
      rest.execution = execution
    }
    if let order = try WireReader.field(Field.order, in: event) {
      let key = InstrumentTable.Key(
        venue: try Self.text(Field.venue, order), symbol: try Self.text(Field.symbol, order))
      rest.terms = terms[key]
    }
    return rest
  }

  private static func text(_ number: UInt32, _ message: UnsafeRawBufferPointer) throws -> String {
    guard let text = try WireReader.field(number, in: message) else { return "" }
    return String(decoding: text, as: UTF8.self)
  }

  /// Numbers in journal.proto and order.proto.
  enum Field {
    /// Of a `JournalRecord`, and in it of a `JournaledEvent`.
    static let event: UInt32 = 2
    static let published: UInt32 = 1
    /// Of an `OrderEvent`.
    static let order: UInt32 = 4
    static let execution: UInt32 = 5
    /// Of an `Order`.
    static let venue: UInt32 = 5
    static let symbol: UInt32 = 6
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
