import Calls
import Contracts
import Loop
import ServiceKit
import Telemetry
import TestKit
import Testing
import Venue
import Venues

@testable import MarketConnectorService

/// One reader of a stream stands still: it is sent away with a reason, and nobody else notices.
@Suite struct SlowReaderTests {
  private func readers(
    _ loop: EventLoop, queueMax: Int, slowWait: Duration
  ) -> (readers: Readers<Int>, ended: Counter) {
    let ended = MetricsRegistry().counters("ended_total", help: "Ended.", labels: ["stream"])
      .with("market")
    return (
      Readers(queueMax: queueMax, readersMax: 10, slowWait: slowWait, loop, ended: ended), ended
    )
  }

  @Test func `TST-04 a reader that took nothing for too long is ended without a wait`()
    async throws
  {
    try await withLoop { loop in
      let (readers, ended) = readers(loop, queueMax: 16, slowWait: .milliseconds(1))
      let sleeper = try await readers.add(first: []) { _ in true }
      let awake = try await readers.add(first: []) { _ in true }
      let reading = Task(executorPreference: loop) { () -> [Int] in
        var heard: [Int] = []
        do {
          while heard.count < 1_000 { heard += try await readers.next(awake) }
        } catch {
          Issue.record("\(error)")
        }
        return heard
      }
      for event in 1...1_000 { await readers.publish(event, to: [sleeper, awake]) }

      #expect(await reading.value == Array(1...1_000))
      let error = await #expect(throws: RPCError.self) { _ = try await readers.next(sleeper) }
      #expect(error?.code == .resourceExhausted)
      #expect(error?.message.contains("reader_queue_max, slow_reader_wait") == true)
      #expect(ended.value == 1)
    }
  }

  @Test func `TST-02 a reader that is slow and alive is waited for, and loses nothing`()
    async throws
  {
    try await withLoop { loop in
      let (readers, ended) = readers(loop, queueMax: 16, slowWait: .seconds(600))
      let slow = try await readers.add(first: []) { _ in true }
      let publishing = loop.spawn {
        for event in 1...1_000 { await readers.publish(event, to: [slow]) }
      }
      var heard: [Int] = []
      while heard.count < 1_000 {
        let events = try await readers.next(slow)
        #expect(events.count <= 16 + 1)
        heard += events
        await loop.sleep(for: .microseconds(100))
      }
      await publishing.value
      #expect(heard == Array(1...1_000) && ended.value == 0)
    }
  }

  @Test func `TST-04 a client of StreamMarketData that stops reading is shed, the others are not`()
    async throws
  {
    let settings = [
      "market-connector.reader_queue_max=16", "market-connector.slow_reader_wait=1ms",
    ]
    try await withConnector([.binance], settings) { desk in
      let asleep = try await desk.market.streamMarketData(.init())
      let awake = try await desk.market.streamMarketData(.init())
      defer { awake.cancel() }
      #expect(await eventually { await desk.links[0].market.ids.count == 2 })
      let ended = desk.context.metrics.counters(
        "market_connector_slow_readers_total", help: "Streams ended because their reader was slow.",
        labels: ["stream"]
      ).with("market")
      await desk.say(desk.snapshot(1))
      let reading = Task(executorPreference: desk.world.loop) { () -> UInt64 in
        do {
          while let event = try await awake.next() {
            if case .delta(let delta) = event.event, delta.lastUpdateId == 5_000 {
              return delta.lastUpdateId
            }
          }
        } catch {
          Issue.record("\(error)")
        }
        return 0
      }
      for id in UInt64(2)...5_000 { await desk.say(desk.delta(id, bids: [(99_98, Int64(id))])) }

      #expect(await reading.value == 5_000)
      #expect(ended.value == 1)
      // What was under way still comes, then the reason.
      let error = await #expect(throws: RPCError.self) {
        while try await asleep.next() != nil {}
      }
      #expect(error?.code == .resourceExhausted)
    }
  }
}
