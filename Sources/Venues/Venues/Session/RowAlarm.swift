internal import JSON
private import Synchronization
package import Telemetry
internal import Units
package import Venue

/// Counts and tells what is wrong with single rows of what a venue says of our account: each is counted,
/// and the first, second, fourth, eighth, ... of a kind is logged.
package final class RowAlarm: Sendable {
  private let venue: String
  private let log: Log
  private let unread: Counter?
  private let finer: Counter?
  private let told = Mutex<[String: Int]>([:])

  package init(_ venue: VenueID, _ counters: VenueCounters, _ log: Log) {
    self.venue = venue.name
    self.log = log
    unread = counters.unreadRows
    finer = counters.finerNumbers
  }

  /// Counts nothing and tells nobody.
  package init() {
    venue = ""
    log = .silent
    unread = nil
    finer = nil
  }

  /// A row that nothing can be made of.
  package func unread(_ kind: String, _ text: String) {
    unread?.increment()
    tell("a venue's row cannot be read, and is left out", "unread \(kind)", text)
  }

  // MARK: Numbers

  func price(
    _ number: Decimal, _ name: String, of instrument: Instrument
  ) throws(JSONError) -> Price {
    Price(try units(number, instrument.priceScale, name, of: instrument))
  }

  func quantity(
    _ number: Decimal, _ name: String, of instrument: Instrument
  ) throws(JSONError) -> Quantity {
    Quantity(try units(number, instrument.quantityScale, name, of: instrument))
  }

  static func decimal(_ text: String, _ name: String) throws(JSONError) -> Decimal {
    do throws(DecimalError) {
      return try Decimal(parsing: text)
    } catch {
      throw .unexpected("\(name) is \(text), which \(error.problem)")
    }
  }

  /// What has finer digits than its instrument was listed with, as after a change of the tick, is taken to
  /// the nearest, halves away from zero: a fill that is a part of a tick off is better than none. What would
  /// vanish is not read at all.
  private func units(
    _ number: Decimal, _ scale: UInt8, _ name: String, of instrument: Instrument
  ) throws(JSONError) -> Int64 {
    if let exact = number.units(atScale: scale), exact >= 0 { return exact }
    guard let nearest = number.nearestUnits(atScale: scale), nearest > 0 else {
      throw .unexpected("\(instrument.symbol): \(name) is \(number) at scale \(scale)")
    }
    finer?.increment()
    tell(
      "a venue's number is finer than its instrument was listed, and is told to the nearest: start the "
        + "market-connector again to learn the new terms",
      "finer \(instrument.symbol)", "\(name) \(number)")
    return nearest
  }

  private func tell(_ message: String, _ kind: String, _ text: String) {
    let times = told.withLock { told in
      let times = (told[kind] ?? 0) + 1
      // Kinds are few: instruments and the lists that there are.
      if told.count < Self.kindsMax || told[kind] != nil { told[kind] = times }
      return times
    }
    guard times & (times - 1) == 0 else { return }
    log.error(
      message,
      ["venue": .text(venue), "kind": .text(kind), "times": .text("\(times)"), "row": .text(text)])
  }

  private static let kindsMax = 4_096
}

extension VenueList {
  /// Reads one row of a list; nil is of somebody else. One that cannot be read is told, and missing.
  mutating func take(
    _ kind: String, _ alarm: RowAlarm, _ read: () throws(JSONError) -> Row?,
    unread gap: (_ problem: String) -> VenueListGap
  ) {
    do throws(JSONError) {
      if let row = try read() { rows.append(row) }
    } catch {
      let gap = gap(error.description)
      alarm.unread(kind, gap.text)
      missing.append(gap)
    }
  }
}
