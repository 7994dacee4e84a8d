internal import Chrono
internal import JSON
internal import Venue

/// Binance's private stream without its socket: its listen key is in its path, and everything is told
/// from its opening on.
final class BinanceAccountFeed: PrivateFeed {
  /// An idle account's stream says nothing for hours.
  let isNeverSilent = false

  private let reports: BinanceReports
  private let alarm: RowAlarm
  private var extended = Instant.epoch

  /// A listen key lives for sixty minutes; Binance recommends to extend it every thirty
  /// (user-data-stream.md).
  static let extendAfter = Duration.seconds(30 * 60)

  init(_ instruments: InstrumentDirectory, _ alarm: RowAlarm = RowAlarm()) {
    self.alarm = alarm
    reports = BinanceReports(instruments, alarm)
  }

  func address(ticket: String) -> (host: String?, target: String) { (nil, "/ws/\(ticket)") }

  func opened(ticket: String, at now: Instant, _ output: inout PrivateOutput) {
    extended = now
    output.isComplete = true
  }

  func receive(_ frame: [UInt8], at now: Instant, _ output: inout PrivateOutput) {
    do throws(JSONError) {
      let message = try JSONDocument(parsing: frame).root
      output.readRow("message", alarm) { () throws(JSONError) in try reports.event(message) }
    } catch {
      output.fault = .malformed("a private message cannot be read: \(error)")
    }
  }

  func tick(at now: Instant, _ output: inout PrivateOutput) {
    guard now - extended >= Self.extendAfter else { return }
    extended = now
    output.wishes.append(.extendTicket)
  }
}
