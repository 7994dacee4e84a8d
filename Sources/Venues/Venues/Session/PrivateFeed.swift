package import Chrono
internal import JSON

/// A venue's private stream of one account without its socket: frames in, events and wishes out.
///
/// One feed serves one connection after the other; `opened` forgets what the last one said. It never
/// looks at a clock, never waits and never fails: what is wrong it names in its output. Not Sendable:
/// its stream owns it.
package protocol PrivateFeed: AnyObject {
  /// Where to connect with this ticket; no host: where the public streams are.
  func address(ticket: String) -> (host: String?, target: String)
  /// The venue says something at least as often as `silenceMax`, so that silence is the end. Where it
  /// does not, the socket's own pings find a dead connection.
  var isNeverSilent: Bool { get }

  /// A connection is up. Nothing of an earlier one counts. `now` is for what the venue is told; what is waited
  /// for goes by the clock that nobody sets.
  func opened(
    ticket: String, at now: Instant, _ uptime: Uptime, _ output: inout PrivateOutput)
  /// A whole frame.
  func receive(_ frame: [UInt8], at uptime: Uptime, _ output: inout PrivateOutput)
  /// Called about once a second.
  func tick(at uptime: Uptime, _ output: inout PrivateOutput)
}

/// What a private feed has to say after a call.
package struct PrivateOutput: Sendable, Hashable {
  package var events: [PrivateEvent] = []
  package var wishes: [PrivateWish] = []
  /// From here on everything is told: what happened before must be asked for.
  package var isComplete = false
  /// Rows that could not be read: what they would have told must be asked for.
  package var unread: [String] = []
  /// The connection is of no use any more; what was missed is found by the hearer's reconciliation
  /// after the next one.
  package var fault: PrivateFault?

  package init() {}

  /// One row of a message; nil is of nobody. One that cannot be read ends nothing: it is told, and what it
  /// was about is asked for.
  mutating func readRow(
    _ kind: String, _ alarm: RowAlarm, _ read: () throws(JSONError) -> PrivateEvent?
  ) {
    do throws(JSONError) {
      if let event = try read() { events.append(event) }
    } catch {
      alarm.unread(kind, error.description)
      unread.append(error.description)
      wishes.append(.askBalances)
    }
  }
}

/// What a private feed wants done.
package enum PrivateWish: Sendable, Hashable {
  /// A text frame on this connection.
  case send([UInt8])
  /// The connection's ticket must live longer.
  case extendTicket
  /// Balances may have changed, and the stream does not tell all of them.
  case askBalances
  case compareClocks
}

/// Why a private connection is given up, to be counted and logged.
package enum PrivateFault: Sendable, Hashable {
  /// A message that cannot be read.
  case malformed(String)
  /// Messages are missing by their numbers.
  case gap(String)
  /// The venue refuses a login or a subscription, or is about to close.
  case refused(String)

  package var text: String {
    switch self {
    case .malformed(let text), .gap(let text), .refused(let text): text
    }
  }
}

/// What a private stream needs of its venue's REST.
protocol PrivateDoor: VenueClock {
  /// What opens one connection: a listen key or a token; empty where a login on the socket does.
  func openTicket() async throws(VenueFailure) -> String
  func extendTicket(_ ticket: String) async throws(VenueFailure)
}
