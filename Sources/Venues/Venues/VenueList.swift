package import Venue

/// A list of a venue's, and what of it is not known.
///
/// Only a whole list proves that something is not there: what is missing may be anything, also what is
/// looked for.
package struct VenueList<Row: Sendable & Hashable>: Sendable, Hashable {
  package var rows: [Row]
  package var missing: [VenueListGap]

  package init(_ rows: [Row] = [], missing: [VenueListGap] = []) {
    self.rows = rows
    self.missing = missing
  }

  package var isWhole: Bool { missing.isEmpty }

  package mutating func append(_ other: VenueList) {
    rows += other.rows
    missing += other.missing
  }

  /// With these rows only, as of a wider list; what is missing stays missing.
  package func keeping(_ isWanted: (Row) -> Bool) -> VenueList {
    VenueList(rows.filter(isWanted), missing: missing)
  }
}

extension VenueList<VenueReport> {
  /// Of a wider list what may be of these instruments.
  func of(_ instruments: [InstrumentID]) -> VenueList {
    let wanted = Set(instruments)
    return VenueList(
      rows.filter { wanted.contains($0.instrument) },
      missing: missing.filter { $0.instrument.map(wanted.contains) ?? true })
  }
}

/// A row that cannot be read, or an instrument that the venue does not answer for.
package struct VenueListGap: Error, Sendable, Hashable {
  /// Nil when not even that is known.
  package var instrument: InstrumentID?
  /// Of the order that the row is about; empty when it is not known.
  package var venueOrderID: String
  /// For a person.
  package var text: String

  package init(_ instrument: InstrumentID?, venueOrderID: String = "", _ text: String) {
    self.instrument = instrument
    self.venueOrderID = venueOrderID
    self.text = text
  }

  /// It may be of this instrument.
  package func concerns(_ other: InstrumentID) -> Bool { instrument == nil || instrument == other }
}
