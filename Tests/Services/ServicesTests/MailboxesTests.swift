import Chrono
import Loop
import Seeds
import Telemetry
import TestKit
import Testing
import Venue

@testable import MarketConnectorService

@Suite struct `Mailboxes of a venue` {
  private static let symbols = (0..<40).map { "S\($0)USDT" }

  private func mailboxes(shards: Int, max: Int) -> Mailboxes<MarketEvent> {
    var mail = Mailboxes<MarketEvent>(shards: shards, max: max)
    mail.open(
      Self.symbols, venue: "binance",
      MetricsRegistry().gauges("depth", help: "", labels: ["venue", "shard", "symbol"]))
    return mail
  }

  private func event(_ symbol: Int, _ number: Int) -> MarketEvent {
    .stale(InstrumentID(Int32(symbol)), reason: "\(number)")
  }

  private func number(_ event: MarketEvent) -> Int {
    guard case .stale(_, let text) = event, let number = Int(text) else { return -1 }
    return number
  }

  @Test func `MD-16 a symbol is always of the same shard, here as anywhere`() {
    // XXH64 modulo 16 by Python's xxhash.
    #expect(
      ["BTCUSDT", "ETHUSDT", "SOLUSDT"].map { Shard.of($0, among: 16) } == [9, 6, 10])
    let shards = Self.symbols.map { Shard.of($0, among: 16) }
    #expect(Set(shards).count > 10, "\(shards)")
    #expect(Self.symbols.allSatisfy { Shard.of($0, among: 1) == 0 })
  }

  @Test func `MD-16 a symbol's events keep their order whatever the others do`() {
    var random = SeededGenerator(seed: 0x16_16)
    var mail = mailboxes(shards: 7, max: 1_000)
    var put = Array(repeating: 0, count: Self.symbols.count)
    var taken = put
    for _ in 0..<20_000 {
      if Bool.random(using: &random) {
        let symbol = Int.random(in: 0..<Self.symbols.count, using: &random)
        if mail.put(event(symbol, put[symbol])) { put[symbol] += 1 }
      } else if let next = mail.next() {
        let symbol = Int(next.instrument.index)
        #expect(number(next) == taken[symbol], "seed 0x1616")
        taken[symbol] += 1
      }
    }
    for symbol in put.indices {
      #expect(mail.depth(InstrumentID(Int32(symbol))) == put[symbol] - taken[symbol])
    }
    while let next = mail.next() { taken[Int(next.instrument.index)] += 1 }
    #expect(taken == put)
  }

  @Test func `MD-16 a storm in one symbol delays another shard by one event`() throws {
    var mail = mailboxes(shards: 2, max: 100)
    let other = try #require(
      Self.symbols.indices.first {
        Shard.of(Self.symbols[$0], among: 2)
          != Shard.of(Self.symbols[0], among: 2)
      })
    let storm = (0...100).map { mail.put(event(0, $0)) }
    #expect(storm == Array(repeating: true, count: 100) + [false], "the last finds it full")
    let isOtherTaken = mail.put(event(other, 7))
    #expect(isOtherTaken)

    let firstTwo = [mail.next(), mail.next()].compactMap { $0 }.map(\.instrument.index)
    #expect(firstTwo.sorted() == [0, Int32(other)].sorted())
    let hasRoom = mail.put(event(0, 100))
    #expect(hasRoom)
  }

  @Test func `MD-16 who finds it full waits in order, and nothing is lost`() async throws {
    try await withLoop { loop in
      let hall = Hall(mailboxes(shards: 1, max: 16))
      for number in 0..<20 { loop.spawn { await hall.bring(self.event(3, number)) } }
      #expect(await eventually { await hall.brought == 16 })
      #expect(await hall.depth(3) == 20)

      var numbers: [Int] = []
      while let next = await hall.take() { numbers.append(self.number(next)) }
      #expect(numbers == Array(0..<20))
      #expect(await eventually { await hall.brought == 20 })
    }
  }

  @Test func `MD-16 closing lets everybody go`() async throws {
    try await withLoop { loop in
      let hall = Hall(mailboxes(shards: 1, max: 16))
      for number in 0..<20 { loop.spawn { await hall.bring(self.event(3, number)) } }
      #expect(await eventually { await hall.brought == 16 })

      await hall.close()
      #expect(await eventually { await hall.brought == 20 })
      #expect(await hall.take() == nil)
      #expect(await hall.depth(3) == 0)
      await hall.bring(self.event(3, 21))
      #expect(await hall.depth(3) == 0)
    }
  }
}

/// Mailboxes as the link of a venue uses them.
private actor Hall {
  private var mail: Mailboxes<MarketEvent>
  private(set) var brought = 0

  init(_ mail: sending Mailboxes<MarketEvent>) { self.mail = mail }

  func bring(_ event: MarketEvent) async {
    guard !mail.put(event) else { return brought += 1 }
    await withCheckedContinuation { mail.wait(with: event, of: event.instrument, $0) }
    brought += 1
  }

  func take() -> MarketEvent? { mail.next() }
  func depth(_ symbol: Int32) -> Int { mail.depth(InstrumentID(symbol)) }
  func close() { mail.close() }
}

extension Mailboxes<MarketEvent> {
  fileprivate mutating func put(_ event: MarketEvent) -> Bool { put(event, of: event.instrument) }
}
