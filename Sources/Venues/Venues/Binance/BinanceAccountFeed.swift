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
  private var extended = Uptime(nanoseconds: 0)

  /// A listen key lives for sixty minutes; Binance recommends to extend it every thirty
  /// (user-data-stream.md).
  static let extendAfter = Duration.seconds(30 * 60)

  init(_ instruments: InstrumentDirectory, _ alarm: RowAlarm = RowAlarm()) {
    self.alarm = alarm
    reports = BinanceReports(instruments, alarm)
  }

  func address(ticket: String) -> (host: String?, target: String) { (nil, "/ws/\(ticket)") }

  func opened(
    ticket: String, at now: Instant, _ uptime: Uptime, _ output: inout PrivateOutput
  ) {
    extended = uptime
    output.isComplete = true
  }

  func receive(_ frame: [UInt8], at uptime: Uptime, _ output: inout PrivateOutput) {
    do throws(JSONError) {
      let message = try JSONDocument(parsing: frame).root
      if let end = reports.end(message) {
        // Another connection has a key of its own.
        output.fault = .refused("the venue has ended the stream: \(end)")
        return
      }
      output.readRow("message", alarm) { () throws(JSONError) in try reports.event(message) }
    } catch {
      output.fault = .malformed("a private message cannot be read: \(error)")
    }
  }

  func tick(at uptime: Uptime, _ output: inout PrivateOutput) {
    guard uptime - extended >= Self.extendAfter else { return }
    extended = uptime
    output.wishes.append(.extendTicket)
  }
}
