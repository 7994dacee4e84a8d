import Chrono
import EventBus
import Testing

/// The lanes of source document 001, chapter 17.
private enum Kind: Int, CaseIterable {
  case orders, signals, marketData, metrics
}

private func bus(shards: Int = 1) -> PriorityBus<Int> {
  PriorityBus(lanes: [
    Lane("orders", capacity: 1_000, overflow: .wait),
    Lane("signals", capacity: 5_000, overflow: .wait),
    Lane("market data", capacity: 10_000, overflow: .dropOldest, shards: shards),
    Lane("metrics", capacity: 1_000, overflow: .dropNewest),
  ])
}

extension PriorityBus<Int> {
  fileprivate func publishNow(_ event: Int, _ kind: Kind, key: Int = 0) throws(TopicError) {
    try publishNow(event, on: kind.rawValue, key: key)
  }
}

private func uptime(_ milliseconds: UInt64) -> Uptime {
  Uptime(nanoseconds: milliseconds * 1_000_000)
}

@Suite struct `Flow control` {
  @Test(arguments: [(Kind.orders, 1_000), (.signals, 5_000)])
  fileprivate func `FLOW-01 a full lane of orders or signals refuses the next, which is counted`(
    kind: (lane: Kind, size: Int)
  ) throws {
    let bus = bus()
    let slow = bus.subscribe("slow")
    for event in 0..<kind.size { try bus.publishNow(event, kind.lane) }

    #expect(throws: TopicError.full(subscriber: "slow")) { try bus.publishNow(-1, kind.lane) }

    let counts = bus.counts(of: kind.lane.rawValue)
    #expect(counts == .init(published: UInt64(kind.size), refused: 1))
    for event in 0..<kind.size { #expect(slow.nextNow() == event) }
    #expect(slow.nextNow() == nil)
  }

  @Test func `FLOW-01 who may wait is held back by a full lane of orders, and nothing is lost`()
    async throws
  {
    let bus = bus()
    let subscription = bus.subscribe("oms")
    let publisher = Task {
      for event in 0..<5_000 { try await bus.publish(event, on: Kind.orders.rawValue) }
      bus.finish()
    }
    var seen: [Int] = []
    while let event = await subscription.next() {
      #expect(subscription.pending[0] <= 1_000)
      seen.append(event)
    }
    try await publisher.value
    #expect(seen == Array(0..<5_000))
    #expect(bus.counts(of: 0) == .init(published: 5_000))
  }

  @Test func `FLOW-01 a full lane of market data loses its oldest, one of metrics its newest`()
    throws
  {
    let bus = bus()
    let slow = bus.subscribe("slow")
    for event in 0..<10_500 { try bus.publishNow(event, .marketData) }
    for event in 20_000..<21_500 { try bus.publishNow(event, .metrics) }

    #expect(bus.counts(of: 2) == .init(published: 10_500, overrun: 500))
    #expect(bus.counts(of: 3) == .init(published: 1_000, dropped: 500))
    #expect(slow.dropped == [0, 0, 500, 0])
    for event in 500..<10_500 { #expect(slow.nextNow() == event) }
    for event in 20_000..<21_000 { #expect(slow.nextNow() == event) }
    #expect(slow.nextNow() == nil)
  }

  @Test func `FLOW-02 with every lower lane full an acknowledgement is the next event`() throws {
    let bus = bus()
    let subscription = bus.subscribe("s")
    for event in 0..<2_000 { try bus.publishNow(event, .metrics) }
    #expect(subscription.nextNow() == 0)
    for event in 0..<10_000 { try bus.publishNow(event, .marketData) }
    for event in 0..<5_000 { try bus.publishNow(event, .signals) }

    try bus.publishNow(-1, .orders)
    #expect(subscription.nextNow() == -1)
    #expect(subscription.pending == [0, 5_000, 10_000, 999])
    for event in 0..<5_000 { #expect(subscription.nextNow() == event) }
    try bus.publishNow(-2, .orders)
    #expect(subscription.nextNow() == -2)
  }

  @Test func `FLOW-02 a sleeping subscriber is woken by any lane`() async throws {
    for kind in Kind.allCases {
      let bus = bus()
      let subscription = bus.subscribe("s")
      let reader = Task { (await subscription.next(), await subscription.next()) }
      await Task.yield()
      try bus.publishNow(kind.rawValue, kind)
      bus.finish()
      #expect(await reader.value == (kind.rawValue, nil))
    }
  }

  @Test func `FLOW-03 who takes nothing for 100 ms is named once, and market data is shed`() throws
  {
    let bus = bus()
    let stopped = bus.subscribe("stopped")
    let quick = bus.subscribe("quick")
    let limit = Duration.milliseconds(100)
    for event in 0..<300 { try bus.publishNow(event, .marketData) }
    for event in 0..<10 { try bus.publishNow(event, .orders) }
    #expect(bus.slowSubscribers(now: uptime(1_000), limit: limit) == [])
    for _ in 0..<310 { #expect(quick.nextNow() != nil) }
    #expect(bus.slowSubscribers(now: uptime(1_099), limit: limit) == [])

    let slow = bus.slowSubscribers(now: uptime(1_100), limit: limit)

    #expect(
      slow == [
        SlowSubscriber(
          topic: "orders", name: "stopped", behind: 10, silentFor: limit, wasShed: false),
        SlowSubscriber(
          topic: "market data", name: "stopped", behind: 300, silentFor: limit, wasShed: true),
      ])
    #expect(bus.slowSubscribers(now: uptime(1_500), limit: limit) == [])
    #expect(stopped.pending == [10, 0, 0, 0] && stopped.dropped == [0, 0, 300, 0])
    #expect(quick.dropped == [0, 0, 0, 0])
    // It reads again, and stops again.
    for event in 0..<10 { #expect(stopped.nextNow() == event) }
    try bus.publishNow(1, .orders)
    #expect(bus.slowSubscribers(now: uptime(2_000), limit: limit) == [])
    #expect(bus.slowSubscribers(now: uptime(2_200), limit: limit).map(\.name).contains("stopped"))
  }

  @Test func `FLOW-04 a symbol that is stalled holds up no other`() throws {
    let bus = PriorityBus<Int>(lanes: [
      Lane("orders", capacity: 4, overflow: .wait, shards: 8),
      Lane("market data", capacity: 100, overflow: .dropOldest, shards: 8),
    ])
    let stalled = bus.subscribe("A", key: 1)
    let live = bus.subscribe("B", key: 2)
    for event in 0..<4 { try bus.publishNow(event, on: 0, key: 1) }
    #expect(throws: TopicError.full(subscriber: "A")) { try bus.publishNow(4, on: 0, key: 1) }

    for event in 0..<1_000 {
      try bus.publishNow(event, on: 0, key: 2)
      try bus.publishNow(event, on: 1, key: 1)
      #expect(live.nextNow() == event)
    }

    #expect(live.nextNow() == nil && live.dropped == [0, 0])
    #expect(stalled.pending == [4, 100] && stalled.dropped == [0, 900])
  }

  @Test func `who hears every key is served from all shards in turn`() throws {
    let bus = bus(shards: 4)
    let subscription = bus.subscribe("all")
    for event in 0..<400 { try bus.publishNow(event, .marketData, key: event % 4) }

    var seen: [Int] = []
    for _ in 0..<8 { seen.append(try #require(subscription.nextNow()) % 4) }

    #expect(seen.sorted() == [0, 0, 1, 1, 2, 2, 3, 3])
    for _ in 8..<400 { #expect(subscription.nextNow() != nil) }
    #expect(subscription.nextNow() == nil)
  }
}
