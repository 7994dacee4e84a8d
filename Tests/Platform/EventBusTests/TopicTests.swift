import EventBus
import Loop
import Testing

@Suite struct `A topic` {
  @Test func `every subscriber gets every event from its start on, in order`() async throws {
    let topic = Topic<Int>(name: "t")
    let early = topic.subscribe("early", capacity: 10, overflow: .refuse)
    try topic.publishNow(1)
    let late = topic.subscribe("late", capacity: 10, overflow: .refuse)
    try topic.publishNow(2)
    try topic.publishNow(3)
    topic.finish()

    var seen: [Int] = []
    for await event in early { seen.append(event) }

    #expect(seen == [1, 2, 3])
    #expect(await late.nextBatch(max: 10) == [2, 3])
    #expect(await late.nextBatch(max: 10) == [])
    #expect(topic.published == 3)
    #expect(throws: TopicError.finished) { try topic.publishNow(4) }
  }

  @Test func `BUS-01 a hundred thousand events wait for a slow subscriber, the next is refused`()
    throws
  {
    let topic = Topic<Int>(name: "t", capacity: 200_000)
    let slow = topic.subscribe("slow", capacity: 100_000, overflow: .refuse)
    let other = topic.subscribe("other", capacity: 200_000, overflow: .refuse)

    for event in 0..<100_000 { try topic.publishNow(event) }

    #expect(throws: TopicError.full(subscriber: "slow")) { try topic.publishNow(100_000) }
    #expect(other.pending == 100_000)
    #expect((0..<100_000).allSatisfy { slow.nextNow() == $0 })
    #expect(slow.nextNow() == nil)
  }

  @Test func `the oldest are dropped and counted when the subscriber says so`() async throws {
    let topic = Topic<Int>(name: "t")
    let subscription = topic.subscribe("ticks", capacity: 3, overflow: .dropOldest)

    for event in 1...10 { try topic.publishNow(event) }

    #expect(await subscription.nextBatch(max: 2) == [8, 9])
    #expect(subscription.dropped == 7)
    #expect(subscription.pending == 1)
  }

  @Test func `BUS-03 a publisher waits for room and nothing is lost`() async throws {
    let topic = Topic<Int>(name: "t")
    let subscription = topic.subscribe("orders", capacity: 2, overflow: .wait)
    let publisher = Task {
      for event in 0..<1000 { try await topic.publish(event) }
      topic.finish()
    }

    var seen: [Int] = []
    while let event = await subscription.next() { seen.append(event) }

    #expect(seen == Array(0..<1000))
    try await publisher.value
    #expect(throws: TopicError.finished) { try topic.publishNow(1) }
  }

  @Test
  func `a waiting publisher or subscriber ends when cancelled, and a gone subscriber frees it`()
    async throws
  {
    let topic = Topic<Int>(name: "t")
    var full: Subscription<Int>? = topic.subscribe("full", capacity: 1, overflow: .wait)
    try topic.publishNow(1)
    #expect(throws: TopicError.full(subscriber: "full")) { try topic.publishNow(2) }

    let cancelled = Task { try await topic.publish(3) }
    cancelled.cancel()
    await #expect(throws: TopicError.cancelled) { try await cancelled.value }
    let freed = Task { try await topic.publish(4) }
    #expect(full?.pending == 1)
    full = nil
    try await freed.value

    let reader = topic.subscribe("reader", capacity: 1, overflow: .wait)
    let waiting = Task { await reader.next() }
    waiting.cancel()
    #expect(await waiting.value == nil)
    #expect(topic.subscriberCount == 1)
  }

  @Test func `a subscriber on a loop is served there`() async throws {
    let topic = Topic<Int>(name: "t")
    let loop = EventLoop()
    let thread = loop.start()
    let subscription = topic.subscribe("loop", capacity: 100, overflow: .wait)

    let reader = Task(executorPreference: loop) {
      var sum = 0
      while let event = await subscription.next() {
        sum += event
        guard loop.isCurrent else { return -1 }
      }
      return sum
    }
    for event in 1...500 { try await topic.publish(event) }
    topic.finish()

    #expect(await reader.value == 125_250)
    loop.stop()
    thread.join()
  }
}
