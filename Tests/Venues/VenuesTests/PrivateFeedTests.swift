import Chrono
import Loop
import Synchronization
import Telemetry
import TestKit
import Testing
import Transport
import Units
import Venue

@testable import Venues

@Suite struct `Private feeds` {
  private static let start = Instant(milliseconds: 1_790_000_000_000)
  private static let uptime = Uptime(nanoseconds: 5_000_000_000)

  private func output(_ call: (inout PrivateOutput) -> Void) -> PrivateOutput {
    var output = PrivateOutput()
    call(&output)
    return output
  }

  private func said(_ output: PrivateOutput) -> [String] {
    output.wishes.compactMap { wish in
      if case .send(let bytes) = wish { String(decoding: bytes, as: UTF8.self) } else { nil }
    }
  }

  @Test func `Binance's is complete when it opens, and its key is extended every half hour`() {
    let feed = BinanceAccountFeed(InstrumentDirectory())
    #expect(feed.address(ticket: "key").target == "/ws/key")
    // Whatever the wall clock says meanwhile: it is not asked.
    #expect(output { feed.opened(ticket: "key", at: Self.start, Self.uptime, &$0) }.isComplete)
    let minutes = (1...65).filter { minute in
      let now = Self.uptime + .seconds(60 * minute)
      return output { feed.tick(at: now, &$0) }.wishes == [.extendTicket]
    }
    #expect(minutes == [30, 60])
    guard case .malformed = output({ feed.receive([1], at: Self.uptime, &$0) }).fault else {
      Issue.record("nonsense was read")
      return
    }
  }

  @Test(arguments: [
    #"{"e":"listenKeyExpired","E":1699596037418,"listenKey":"key"}"#,
    #"{"stream":"key","data":{"e":"listenKeyExpired","E":1699596037418,"listenKey":"key"}}"#,
    #"{"subscriptionId":0,"event":{"e":"eventStreamTerminated","E":1728973001334}}"#,
  ])
  func `a stream of Binance's that says it has ended is given up, and another one is made`(
    _ text: String
  ) {
    let feed = BinanceAccountFeed(InstrumentDirectory())
    _ = output { feed.opened(ticket: "key", at: Self.start, Self.uptime, &$0) }
    let told = output { feed.receive(Array(text.utf8), at: Self.uptime, &$0) }

    guard case .refused = told.fault else {
      Issue.record("\(told)")
      return
    }
  }

  @Test func `OKX's logs in, is complete with both channels, and pings when it is idle`() {
    let feed = OKXAccountFeed(InstrumentDirectory()) { Array("login \($0.seconds)".utf8) }
    func receive(_ text: String) -> PrivateOutput {
      output { feed.receive(Array(text.utf8), at: Self.uptime, &$0) }
    }
    let opened = output { feed.opened(ticket: "", at: Self.start, Self.uptime, &$0) }
    #expect(said(opened) == ["login 1790000000"] && !opened.isComplete)
    let subscribe = said(receive(#"{"event":"login","code":"0","msg":""}"#))
    #expect(subscribe.first?.contains("subscribe") == true && subscribe.count == 1)
    let first = receive(#"{"event":"subscribe","arg":{"channel":"account"}}"#)
    let second = receive(#"{"event":"subscribe","arg":{"channel":"orders","instType":"ANY"}}"#)
    #expect(!first.isComplete && second.isComplete)

    #expect(output { feed.tick(at: Self.uptime + .seconds(19), &$0) } == PrivateOutput())
    let idle = output { feed.tick(at: Self.uptime + .seconds(20), &$0) }
    #expect(said(idle) == ["ping"] && receive("pong") == PrivateOutput())
    // A new connection waits for its own acknowledgements.
    _ = output { feed.opened(ticket: "", at: Self.start, Self.uptime, &$0) }
    let again = receive(#"{"event":"subscribe","arg":{"channel":"account"}}"#)
    #expect(!again.isComplete)
    let refused = receive(#"{"event":"error","code":"60006","msg":"Timestamp request expired"}"#)
    #expect(refused.wishes == [.compareClocks])
    #expect(refused.fault == .refused("the venue refuses: 60006 Timestamp request expired"))
  }

  @Test func `Kraken's is complete with its executions, and asks for what the stream omits`() {
    let feed = KrakenAccountFeed(InstrumentDirectory(), host: "ws-auth.kraken.com")
    #expect(feed.address(ticket: "token") == ("ws-auth.kraken.com", "/v2"))
    let opened = output { feed.opened(ticket: "token", at: Self.start, Self.uptime, &$0) }
    #expect(said(opened).count == 2 && said(opened).allSatisfy { $0.contains("token") })
    func receive(_ text: String) -> PrivateOutput {
      output { feed.receive(Array(text.utf8), at: Self.uptime, &$0) }
    }
    func done(_ channel: String) -> PrivateOutput {
      receive(#"{"method":"subscribe","success":true,"result":{"channel":"\#(channel)"}}"#)
    }
    #expect(!done("balances").isComplete && done("executions").isComplete)
    #expect(
      receive(#"{"channel":"balances","type":"update","data":[]}"#).wishes == [.askBalances])
  }

  @Test func `Kraken's ids of orders are remembered up to a bound, the latest of a name`() {
    let names = KrakenOrderNames()
    for number in 0..<(3 * KrakenOrderNames.namesMax) { names.remember("n\(number)", "O\(number)") }
    names.remember("n12000", "again")
    #expect(names["n0"] == nil && names["n12000"] == "again" && names["none"] == nil)
    let last = 3 * KrakenOrderNames.namesMax - 1
    #expect(names["n\(last)"] == "O\(last)")
  }

  @Test func `a lockout holds orders back too, a full counter of calls does not`() {
    var limits = KrakenLimits()
    let now = Self.start
    limits.block(for: .seconds(5), at: now)
    #expect(limits.lockout(at: now) == nil)
    guard case .wait = limits.takeCall(1, at: now) else {
      Issue.record("a blocked counter let a call through")
      return
    }
    limits.lock(for: .seconds(5), at: now)
    #expect(limits.lockout(at: now + .seconds(3)) == .seconds(2))
    #expect(limits.lockout(at: now + .seconds(5)) == nil)
  }
}

/// A feed that is complete with `ready`, dies of `bad` and asks to be extended by `more`.
private final class ScriptedFeed: PrivateFeed {
  let isNeverSilent = false

  func address(ticket: String) -> (host: String?, target: String) { (nil, "/stream?\(ticket)") }

  func opened(
    ticket: String, at now: Instant, _ uptime: Uptime, _ output: inout PrivateOutput
  ) {
    output.wishes.append(.send(Array("hello \(ticket)".utf8)))
  }

  func receive(_ frame: [UInt8], at uptime: Uptime, _ output: inout PrivateOutput) {
    switch String(decoding: frame, as: UTF8.self) {
    case "ready": output.isComplete = true
    case "more": output.wishes.append(.extendTicket)
    case "gap": output.fault = .gap("a gap")
    case "refused": output.fault = .refused("refused")
    case "balances": output.wishes.append(.askBalances)
    case "row": output.unread.append("a row")
    default: output.fault = .malformed("bad")
    }
  }

  func tick(at uptime: Uptime, _ output: inout PrivateOutput) {}
}

/// Gives out numbered tickets, refuses the first, and never extends one.
private final class ScriptedDoor: PrivateDoor {
  private let asked = Mutex(0)

  func openTicket() async throws(VenueFailure) -> String {
    let number = asked.withLock { asked in
      asked += 1
      return asked
    }
    if number == 1 { throw .unknown("not yet") }
    return String(number)
  }

  func extendTicket(_ ticket: String) async throws(VenueFailure) {
    throw .definite(.venuePolicy, text: "\(ticket) is not extended")
  }

  func compareClocks() async throws(VenueFailure) {}
  var isOnProbation: Bool { false }
}

@Suite struct `Private stream` {
  @Test func `each loss is counted, told once when all was being told, and followed by another`()
    async throws
  {
    try await withLoop { loop in
      let heard = Heard<PrivateEvent>()
      let said = Heard<String>()
      // Connections in turn: what the venue says on them.
      let script = [
        ["bad"], ["ready", "gap"], ["ready", "more"], ["ready", "refused"], ["ready"],
      ]
      let venue = try await ScriptedVenue(loop) { socket, connection in
        if let hello = try await socket.receive() {
          said.hear(String(decoding: hello.bytes, as: UTF8.self))
        }
        guard connection <= script.count else { return }
        for text in script[connection - 1] { try await socket.send(text: text) }
        while try await socket.receive() != nil {}
      }
      let counters = VenueCounters(MetricsRegistry(), venue: "scripted")
      let stream = PrivateStream(
        ScriptedFeed(), venue.settings, door: ScriptedDoor(),
        orders: MarketDataOnly("no orders here"), tls: venue.tls, loop: loop, time: SystemTime(),
        log: .silent, counters: counters, hearer: { heard.hear($0) })
      loop.onLoop { stream.start() }
      #expect(await soon { heard.all.contains(.connected(attempt: 4)) })

      // The first ticket was refused; each connection has its own.
      #expect(said.all == (2...6).map { "hello \($0)" })
      #expect(
        heard.all == [
          .connected(attempt: 1), .disconnected(reason: "a gap"),
          .connected(attempt: 2), .disconnected(reason: "the ticket was not extended"),
          .connected(attempt: 3), .disconnected(reason: "refused"), .connected(attempt: 4),
        ])
      #expect(counters.malformed.value == 1 && counters.privateGaps.value == 1)
      #expect(counters.refusals.value == 1 && counters.privateConnections.value == 4)
      #expect(counters.privateReconnections.value == 3)
      await stream.stop()
      #expect(heard.count == 8)
      await venue.stop()
    }
  }

  @Test func `OMS-14 a row that cannot be read ends nothing, and what it told is asked for`()
    async throws
  {
    try await withLoop { loop in
      let heard = Heard<PrivateEvent>()
      let venue = try await ScriptedVenue(loop) { socket, _ in
        _ = try await socket.receive()
        for text in ["ready", "row", "row", "row"] { try await socket.send(text: text) }
        while try await socket.receive() != nil {}
      }
      var settings = venue.settings
      settings.missedInterval = .milliseconds(500)
      let counters = VenueCounters(MetricsRegistry(), venue: "scripted")
      let door = ScriptedDoor()
      _ = try? await door.openTicket()
      let stream = PrivateStream(
        ScriptedFeed(), settings, door: door, orders: MarketDataOnly("no orders here"),
        tls: venue.tls, loop: loop, time: SystemTime(), log: .silent, counters: counters,
        hearer: { heard.hear($0) })
      loop.onLoop { stream.start() }

      // The first at once, the others together and later.
      #expect(await soon { heard.count == 3 })
      #expect(
        heard.all == [
          .connected(attempt: 1), .missed(reason: "a row"), .missed(reason: "a row"),
        ])
      #expect(counters.privateConnections.value == 1 && counters.malformed.value == 0)
      await stream.stop()
      await venue.stop()
    }
  }
}
