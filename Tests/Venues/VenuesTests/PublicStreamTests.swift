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

@Suite struct `Public streams` {
  private static let id = InstrumentID(0)

  /// A feed that notes its calls and does as the frames say.
  private final class NotedFeed: PublicFeed, @unchecked Sendable {
    let target = "/stream"
    let instruments = [Instrument.recorded("BTCUSDT", 0)]
    // Of the loop's thread and the test's.
    private let noted = Mutex<[String]>([])

    var notes: [String] { noted.withLock { $0 } }
    func count(_ note: String) -> Int { notes.count { $0 == note } }
    private func note(_ text: String) { noted.withLock { $0.append(text) } }

    func opened(at now: Instant, _ output: inout FeedOutput) {
      note("opened")
      output.wishes.append(.send(Array("hello".utf8)))
    }

    func receive(_ frame: [UInt8], at received: Instant, _ output: inout FeedOutput) {
      let text = String(decoding: frame, as: UTF8.self)
      note(text)
      switch text {
      case "ask":
        output.wishes.append(
          .get(target: "/book?a=b", weight: 1, FeedQuestion(.snapshot, id), after: .zero))
      case "reconnect": output.wishes.append(.reconnect(reason: "told so"))
      case "faults":
        output.faults = [
          .malformed("m"), .gap(id, "g"), .gap(id, "g"), .checksum(id, "c"),
          .missedTrades(id, "1 to 2"), .refused("r"),
        ]
      default: output.events.append(.stale(id, reason: text))
      }
    }

    func answered(
      _ question: FeedQuestion, _ body: [UInt8], at received: Instant, _ output: inout FeedOutput
    ) { note("answered " + String(decoding: body, as: UTF8.self)) }

    func tick(at now: Instant, _ output: inout FeedOutput) { note("tick") }

    func closed(reason: String, at now: Instant, _ output: inout FeedOutput) {
      note("closed: " + reason)
    }
  }

  /// Fails as often as told, then answers.
  private final class FailingREST: PublicREST {
    private let failures: Mutex<Int>
    let asked = Mutex<[String]>([])
    init(failures: Int) { self.failures = Mutex(failures) }

    func get(_ target: String, weight: Int) async throws(VenueError) -> [UInt8] {
      asked.withLock { $0.append(target) }
      let fails = failures.withLock { left in
        left -= 1
        return left >= 0
      }
      if fails { throw VenueError(.venueUnavailable, "not now") }
      return Array("body".utf8)
    }
  }

  private func run(
    rest: any PublicREST = FailingREST(failures: 0), silenceMax: Duration = .seconds(30),
    talk: @escaping ScriptedVenue.Talk,
    hearer: @escaping @Sendable (MarketEvent) async -> Void = { _ in },
    _ body: @escaping @Sendable (NotedFeed, VenueCounters) async throws -> Void
  ) async throws {
    try await withLoop { loop in
      let venue = try await ScriptedVenue(loop, talk: talk)
      var settings = venue.settings
      settings.silenceMax = silenceMax
      let feed = NotedFeed()
      let counters = VenueCounters(MetricsRegistry(), venue: "scripted")
      let stream = PublicStream(
        feed, settings, rest: rest, tls: venue.tls, loop: loop, time: SystemTime(), log: .silent,
        counters: counters, hearer: hearer)
      loop.onLoop { stream.start() }
      try await body(feed, counters)
      await stream.stop()
      await venue.stop()
    }
  }

  /// Waits for the feed's greeting, says something, and then reads until the other end goes.
  private static func say(_ words: [String], _ socket: WebSocket) async throws {
    _ = try await socket.receive()
    for word in words { try await socket.send(text: word) }
    while try await socket.receive() != nil {}
  }

  @Test func `MD-01 a stream without a frame for too long is opened again`() async throws {
    try await run(
      silenceMax: .milliseconds(10),
      // A socket that stays open, answers pings, and says nothing more.
      talk: { socket, _ in try await Self.say(["one"], socket) },
      { feed, counters in
        #expect(await soon { feed.count("opened") >= 2 })
        #expect(feed.count("closed: no frame for 0.01 seconds") >= 1)
        #expect(counters.reconnections.value >= 1)
      })
  }

  @Test func `a slow hearer is not the venue's silence`() async throws {
    let held = HeldHearer()
    try await run(
      silenceMax: .milliseconds(1_500),
      talk: { socket, _ in try await Self.say(["one", "two"], socket) },
      hearer: { _ in await held.hear() },
      { feed, counters in
        // The hearer keeps the first event for three ticks, of which two are over the limit.
        #expect(await soon { feed.count("tick") >= 3 })
        #expect(feed.count("opened") == 1 && feed.count("two") == 0)
        held.release()
        #expect(await soon { feed.count("two") >= 1 })
      })
  }

  @Test func `questions are asked until they are answered`() async throws {
    let rest = FailingREST(failures: 3)
    try await run(
      rest: rest, talk: { socket, _ in try await Self.say(["ask"], socket) },
      { feed, counters in
        #expect(await soon { feed.count("answered body") == 1 })
        #expect(rest.asked.withLock { $0 } == .init(repeating: "/book?a=b", count: 4))
        #expect(counters.snapshots.value == 4)
      })
  }

  @Test func `an answer to an earlier connection's question is dropped`() async throws {
    let rest = HeldREST()
    try await run(
      rest: rest,
      talk: { socket, number in
        try await Self.say(number == 1 ? ["ask", "reconnect"] : ["ask"], socket)
      },
      { feed, counters in
        #expect(await soon { rest.waiting == 2 })
        #expect(feed.count("closed: told so") == 1)
        rest.answerAll()
        #expect(await soon { feed.count("answered 2") == 1 })
        #expect(feed.count("answered 1") == 0)
        #expect(counters.reconnections.value == 1)
      })
  }

  @Test func `MD-01 a lost connection is opened again and counted, faults are counted by kind`()
    async throws
  {
    try await run(
      talk: { socket, number in
        if number > 2 { return try await Self.say(["faults"], socket) }
        _ = try await socket.receive()
        try await socket.send(text: "x")
      },
      { feed, counters in
        #expect(await soon { counters.refusals.value == 1 })
        #expect(feed.count("opened") == 3 && feed.count("x") == 2)
        #expect(counters.connections.value == 3 && counters.reconnections.value == 2)
        #expect(counters.gaps.value == 2 && counters.checksums.value == 1)
        #expect(counters.malformed.value == 1 && counters.missedTrades.value == 1)
      })
  }

  /// Keeps its first event until it is let go.
  private final class HeldHearer: Sendable {
    private let state = Mutex<(isReleased: Bool, waiting: [CheckedContinuation<Void, Never>])>(
      (false, []))

    func hear() async {
      await withCheckedContinuation { continuation in
        let isReleased = state.withLock { state in
          if !state.isReleased { state.waiting.append(continuation) }
          return state.isReleased
        }
        if isReleased { continuation.resume() }
      }
    }

    func release() {
      let waiting = state.withLock { state in
        state.isReleased = true
        defer { state.waiting = [] }
        return state.waiting
      }
      for continuation in waiting { continuation.resume() }
    }
  }

  /// Answers nothing until told, then each question with its number.
  private final class HeldREST: PublicREST {
    private let questions = Mutex<[CheckedContinuation<Void, Never>]>([])
    private let count = Mutex(0)

    var waiting: Int { questions.withLock { $0.count } }

    func get(_ target: String, weight: Int) async throws(VenueError) -> [UInt8] {
      let number = count.withLock { count in
        count += 1
        return count
      }
      await withCheckedContinuation { continuation in
        questions.withLock { $0.append(continuation) }
      }
      return Array("\(number)".utf8)
    }

    func answerAll() {
      for question in questions.withLock({ $0 }) { question.resume() }
    }
  }
}
