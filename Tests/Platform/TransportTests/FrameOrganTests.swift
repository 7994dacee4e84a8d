import Chrono
import TestKit
import Testing

@testable import Transport

private func at(_ milliseconds: Int) -> Uptime {
  Uptime(nanoseconds: 1_000_000_000 + UInt64(milliseconds) * 1_000_000)
}

private func head(_ type: UInt8, length: Int = 0, flags: UInt8 = 0, stream: Int32 = 0) -> FrameHead
{
  FrameHead(length: length, type: type, flags: flags, stream: stream)
}

@Suite struct `Frame scanner` {
  @Test(arguments: [1, 2, 3, 7, 8, 9, 10, 64, 100_000])
  func `finds every head, however the bytes are cut`(piece: Int) {
    let frames: [Frame] = [
      .settings([(3, 1)]), .headers(1, Frame.get), .data(1, [UInt8](repeating: 9, count: 300)),
      .ping(), Frame(type: 0xfe, flags: 0xff, stream: .max, payload: []), .data(3),
      .continuation(0x1234_567, [1, 2, 3]),
    ]
    let bytes = Frame.preface + frames.flatMap(\.bytes)
    var scanner = FrameScanner(skipping: 24)
    var found: [FrameHead] = []

    for start in stride(from: 0, to: bytes.count, by: piece) {
      Array(bytes[start..<min(start + piece, bytes.count)]).withUnsafeBytes { bytes in
        var offset = 0
        while let head = scanner.next(bytes, &offset) { found.append(head) }
        #expect(offset == bytes.count)
      }
    }

    #expect(
      found
        == frames.map {
          FrameHead(length: $0.payload.count, type: $0.type, flags: $0.flags, stream: $0.stream)
        })
    #expect(!scanner.isInside)
  }
}

@Suite struct `Ledger of frames` {
  @Test func `a budget is its burst, and its rate after that`() {
    var budget = RateBudget(RateLimit(burst: 10, perSecond: 100), now: at(0))
    func spend(_ count: Int, at now: Uptime) -> Int {
      (0..<count).count { _ in budget.spend() || budget.refill(at: now) }
    }

    #expect(spend(10, at: at(0)) == 10)
    #expect(spend(1, at: at(0)) == 0)
    // What was refused is owed: 1 above the burst, 30 earned in 300 ms, at most the burst kept.
    let isPaid = budget.refill(at: at(300))
    #expect(isPaid)
    #expect(spend(10, at: at(300)) == 10)
  }

  @Test func `a small rate is not lost between many looks`() {
    for (end, isPaid) in [(490, false), (500, true)] {
      var budget = RateBudget(RateLimit(burst: 1, perSecond: 2), now: at(0))
      let isWithin = budget.spend()
      #expect(isWithin)
      for millisecond in stride(from: 10, to: end, by: 10) {
        #expect(budget.refill(at: at(millisecond)) == true)
      }
      #expect((budget.spend() || budget.refill(at: at(end))) == isPaid)
    }
  }

  @Test func `ordinary frames cost nothing`() {
    var limits = FloodLimits()
    for budget in [\FloodLimits.resets, \.pings, \.settings, \.emptyFrames, \.windowUpdates] {
      limits[keyPath: budget] = RateLimit(burst: 0, perSecond: 0)
    }
    var ledger = FrameLedger(limits, now: at(0))

    for frame in [
      head(FrameHead.Kind.headers, length: 10, flags: 5, stream: 1),
      head(FrameHead.Kind.data, length: 1, stream: 1),
      head(FrameHead.Kind.data, flags: 1, stream: 1),
      head(FrameHead.Kind.settings, flags: 1), head(FrameHead.Kind.ping, length: 8, flags: 1),
      head(FrameHead.Kind.goAway, length: 8),
    ] {
      #expect(ledger.received(frame, now: { at(0) }) == nil)
    }
    #expect(ledger.received(head(FrameHead.Kind.data), now: { at(0) }) == nil, "earned by HEADERS")
  }

  @Test func `window updates are earned by DATA, and other frames by requests`() {
    var limits = FloodLimits()
    limits.windowUpdates = RateLimit(burst: 1, perSecond: 0)
    limits.emptyFrames = RateLimit(burst: 1, perSecond: 0)
    var ledger = FrameLedger(limits, now: at(0))
    let update = head(FrameHead.Kind.windowUpdate, length: 4)
    let priority = head(FrameHead.Kind.priority, length: 5)

    for _ in 0..<1_000 {
      ledger.sentData()
      #expect(ledger.received(update, now: { at(0) }) == nil)
      #expect(ledger.received(head(FrameHead.Kind.headers), now: { at(0) }) == nil)
      #expect(ledger.received(priority, now: { at(0) }) == nil)
    }
    #expect((0..<10).contains { _ in ledger.received(update, now: { at(0) }) == .windowUpdates })
    #expect((0..<10).contains { _ in ledger.received(priority, now: { at(0) }) == .emptyFrames })
  }

  @Test func `RPC-09 pings: two strikes are forgiven, the third ends it`() {
    var limits = FloodLimits()
    limits.pingIntervalMin = .seconds(10)
    let ping = head(FrameHead.Kind.ping, length: 8)
    var ledger = FrameLedger(limits, now: at(0))

    // As often as allowed, for ever.
    for round in 0..<100 { #expect(ledger.received(ping, now: { at(round * 10_000) }) == nil) }
    #expect(ledger.received(ping, now: { at(991_000) }) == nil)
    #expect(ledger.received(ping, now: { at(992_000) }) == nil)
    #expect(ledger.received(ping, now: { at(993_000) }) == .pings)

    // An answer in between takes the strikes back.
    var other = FrameLedger(limits, now: at(0))
    for round in 0..<100 {
      if round % 3 == 2 { other.sentHeaders() }
      #expect(other.received(ping, now: { at(round) }) == nil)
    }
  }

  @Test func `continuations are counted for each block`() {
    var ledger = FrameLedger(FloodLimits(), now: at(0))
    let more = head(FrameHead.Kind.continuation)

    for _ in 0..<3 {
      #expect(ledger.received(head(FrameHead.Kind.headers), now: { at(0) }) == nil)
      for _ in 0..<8 { #expect(ledger.received(more, now: { at(0) }) == nil) }
    }
    #expect(ledger.received(more, now: { at(0) }) == .continuations)
  }
}

@Suite struct `History of streams` {
  @Test func `closed, passed over, reset by us, ignored`() {
    var history = StreamHistory(resetsKept: 2)
    for stream: Int32 in [1, 3, 9, 11] { history.opened(stream) }

    #expect(history.error(onClosed: 1) == HTTP2Code.streamClosed)
    #expect(history.error(onClosed: 5) == HTTP2Code.protocolError)
    #expect(history.error(onClosed: 7) == HTTP2Code.protocolError)
    #expect(history.error(onClosed: 9) == HTTP2Code.streamClosed)
    for stream: Int32 in [1, 3, 9] { history.wasReset(stream) }
    #expect(history.error(onClosed: 1) == HTTP2Code.streamClosed, "forgotten: two are kept")
    #expect(history.error(onClosed: 3) == nil)
    #expect(history.error(onClosed: 9) == nil)
    history.ignoredAbove = 9
    #expect(history.error(onClosed: 11) == nil)
  }

  @Test func `streams that no client may open break nothing`() {
    var history = StreamHistory(resetsKept: 1)
    for stream: Int32 in [2, 5, 6, 7, 10, .max - 1, .max] { history.opened(stream) }
    #expect(history.error(onClosed: 5) == HTTP2Code.streamClosed)
  }

  @Test func `a client that begins late has passed over the first ones`() {
    var history = StreamHistory(resetsKept: 2)
    history.opened(7)
    #expect(history.error(onClosed: 1) == HTTP2Code.protocolError)
    #expect(history.error(onClosed: 5) == HTTP2Code.protocolError)
    #expect(history.error(onClosed: 7) == HTTP2Code.streamClosed)
  }
}

@Suite struct `Watch over a connection` {
  private static let limits = ConnectionWatch.Limits(
    stallMax: .seconds(30), headTimeMax: .seconds(10), keepaliveAfter: .seconds(60),
    keepaliveAckMax: .seconds(20), idleMax: .seconds(600))

  private func sample(
    heard: UInt64 = 1, taken: UInt64 = 0, unsent: Int = 0, block: Int? = nil, streams: Int = 1,
    last: Int32 = 1
  ) -> ConnectionWatch.Sample {
    ConnectionWatch.Sample(
      heard: heard, taken: taken, unsent: unsent, openBlock: block, openStreams: streams,
      lastStream: last)
  }

  @Test func `a silent peer is pinged, and cut when it stays silent`() {
    var watch = ConnectionWatch(Self.limits, now: at(0))
    #expect(watch.look(sample(), now: at(0)) == .nothing)
    #expect(watch.look(sample(), now: at(59_999)) == .nothing)
    #expect(watch.look(sample(), now: at(60_000)) == .ping)
    #expect(watch.look(sample(), now: at(79_999)) == .nothing)
    #expect(watch.look(sample(heard: 2), now: at(79_999)) == .nothing)
    #expect(watch.look(sample(heard: 2), now: at(139_999)) == .ping)
    #expect(watch.look(sample(heard: 2), now: at(159_999)) == .cut(.keepalive))
  }

  @Test func `a peer that reads a little is not stalled`() {
    var watch = ConnectionWatch(Self.limits, now: at(0))
    for second in 0..<100 {
      let now = sample(heard: UInt64(second), taken: UInt64(second / 20), unsent: 1_000)
      #expect(watch.look(now, now: at(second * 1_000)) == .nothing)
    }
    let still = sample(heard: 1_000, taken: 4, unsent: 1_000)
    #expect(watch.look(still, now: at(109_999)) == .nothing)
    #expect(watch.look(still, now: at(110_000)) == .cut(.stall))
  }

  @Test func `the same block of headers may not stay open`() {
    var watch = ConnectionWatch(Self.limits, now: at(0))
    #expect(watch.look(sample(heard: 1, block: 1), now: at(0)) == .nothing)
    #expect(watch.look(sample(heard: 2, block: 2), now: at(9_000)) == .nothing)
    #expect(watch.look(sample(heard: 3, block: 2), now: at(18_000)) == .nothing)
    #expect(watch.look(sample(heard: 4, block: 2), now: at(19_000)) == .cut(.headTime))
  }

  @Test func `idle is without streams, whatever else is said`() {
    var watch = ConnectionWatch(Self.limits, now: at(0))
    #expect(watch.look(sample(heard: 1, streams: 0, last: 1), now: at(0)) == .nothing)
    #expect(watch.look(sample(heard: 2, streams: 0, last: 3), now: at(500_000)) == .nothing)
    #expect(watch.look(sample(heard: 3, streams: 1, last: 5), now: at(1_200_000)) == .nothing)
    #expect(watch.look(sample(heard: 4, streams: 0, last: 5), now: at(1_300_000)) == .nothing)
    #expect(watch.look(sample(heard: 5, streams: 0, last: 5), now: at(1_900_000)) == .goAway)
  }

  @Test func `looks are frequent enough for the shortest time`() {
    var limits = Self.limits
    #expect(limits.lookInterval == .seconds(1))
    limits.stallMax = .milliseconds(100)
    #expect(limits.lookInterval == .milliseconds(25))
    limits.stallMax = .zero
    #expect(limits.lookInterval == .milliseconds(5))
  }
}

@Suite struct `Watch over a stream` {
  @Test func `the same message may not stay incomplete, others may begin`() {
    var watch = StreamWatch()
    func look(_ owed: Int?, _ now: Int) -> TransportLimit? {
      watch.look(
        owed: owed, isBlocked: false, messageTimeMax: .seconds(10), stallMax: nil, at(now))
    }

    #expect(look(0, 0) == nil)
    #expect(look(1, 9_000) == nil)
    #expect(look(1, 18_999) == nil)
    #expect(look(nil, 19_000) == nil)
    #expect(look(1, 20_000) == nil)
    #expect(look(1, 30_000) == .messageTime)
  }

  @Test func `a window that opens in between is no stall`() {
    var watch = StreamWatch()
    func look(_ isBlocked: Bool, _ now: Int) -> TransportLimit? {
      watch.look(
        owed: nil, isBlocked: isBlocked, messageTimeMax: .seconds(10), stallMax: .seconds(5),
        at(now))
    }

    #expect(look(true, 0) == nil)
    #expect(look(false, 4_000) == nil)
    #expect(look(true, 5_000) == nil)
    #expect(look(true, 9_999) == nil)
    #expect(look(true, 10_000) == .streamStall)
  }
}
