internal import Chrono
internal import JSON
internal import Venue

/// OKX's private stream without its socket: login, then the channels `orders` and `account`, and
/// everything is told once both are acknowledged.
final class OKXAccountFeed: PrivateFeed {
  /// It is pinged when it is idle.
  let isNeverSilent = true

  private let reports: OKXReports
  private let alarm: RowAlarm
  /// The login request for a moment of ours.
  private let login: (Instant) -> [UInt8]
  private var unacknowledged: Set<String> = []
  private var lastFrame = Uptime(nanoseconds: 0)
  private var pinged = Uptime(nanoseconds: 0)

  private static let channels = [OKXTopic("orders", "ANY"), OKXTopic("account", "")]

  init(
    _ instruments: InstrumentDirectory, _ alarm: RowAlarm = RowAlarm(),
    login: @escaping (Instant) -> [UInt8]
  ) {
    self.alarm = alarm
    reports = OKXReports(instruments, alarm)
    self.login = login
  }

  func address(ticket: String) -> (host: String?, target: String) { (nil, "/ws/v5/private") }

  func opened(
    ticket: String, at now: Instant, _ uptime: Uptime, _ output: inout PrivateOutput
  ) {
    unacknowledged = Set(Self.channels.map(\.channel))
    lastFrame = uptime
    output.wishes.append(.send(login(now)))
  }

  /// OKX closes a connection after 30 s without a frame.
  func tick(at uptime: Uptime, _ output: inout PrivateOutput) {
    guard uptime - max(lastFrame, pinged) >= OKXFeed.pingAfter else { return }
    pinged = uptime
    output.wishes.append(.send(Array("ping".utf8)))
  }

  func receive(_ frame: [UInt8], at uptime: Uptime, _ output: inout PrivateOutput) {
    lastFrame = uptime
    if frame.elementsEqual("pong".utf8) { return }
    do throws(JSONError) {
      let root = try JSONDocument(parsing: frame).root
      if let event = root["event"] {
        answered(event, root, &output)
      } else {
        try read(root, &output)
      }
    } catch {
      output.fault = .malformed("a private message cannot be read: \(error)")
    }
  }

  private func read(_ root: JSONValue, _ output: inout PrivateOutput) throws(JSONError) {
    let channel = try root.member("arg").member("channel")
    let data = try root.array("data")
    if channel.isString("account") {
      output.readRow("balances", alarm) { () throws(JSONError) in
        .balances(try reports.balances(data))
      }
    } else if channel.isString("orders") {
      for entry in data {
        output.readRow("report", alarm) { () throws(JSONError) in
          try reports.channelOrder(entry).map { .report($0) }
        }
      }
    }
  }

  private func answered(_ event: JSONValue, _ root: JSONValue, _ output: inout PrivateOutput) {
    if event.isString("login") {
      output.wishes.append(.send(OKXSubscription.message("subscribe", Self.channels)))
    } else if event.isString("subscribe") {
      unacknowledged.remove(root["arg"]?["channel"]?.string ?? "")
      output.isComplete = unacknowledged.isEmpty
    } else if event.isString("error") || event.isString("notice") {
      let code = root["code"]?.string ?? ""
      output.fault = .refused("the venue refuses: \(code) \(root["msg"]?.string ?? "")")
      // A clock that has moved is the one reason that we can do something about.
      if code == "60006" { output.wishes.append(.compareClocks) }
    }
  }
}
