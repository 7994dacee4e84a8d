import Chrono
import Glibc
import Seeds
import SharedRing
import Testing
import TickRing
import Units
import Venue

private func instrument(_ index: Int32, _ venue: String, _ symbol: String) -> Instrument {
  Instrument(
    id: InstrumentID(index), venue: VenueID(venue), symbol: symbol, venueSymbol: symbol, base: "B",
    quote: "Q", priceScale: 2, quantityScale: UInt8(5 + index % 3), tickSize: Price(1),
    lotSize: Quantity(1), minQuantity: Quantity(1), maxQuantity: Quantity(.max),
    minNotional: Notional(0))
}

private func level(_ price: Int64, _ quantity: Int64) -> PriceLevel {
  PriceLevel(price: Price(price), quantity: Quantity(quantity))
}

private func event(_ number: Int64, flags: UInt32 = 0) -> TickEvent {
  TickEvent(
    exchangeTime: Instant(nanoseconds: number), receivedTime: Instant(nanoseconds: number + 1),
    bid: level(number * 10, 1), ask: level(number * 10 + 1, 2), flags: flags)
}

extension TickWriter {
  /// As somebody who keeps the number.
  @discardableResult
  mutating func write(_ event: TickEvent, of instrument: Instrument) -> UInt64 {
    number(of: instrument).map { write(event, of: $0) } ?? 0
  }
}

private final class File {
  let path: String
  init(_ name: String) { path = "/dev/shm/shrivenquant-test-\(getpid())-tick-\(name)" }
  deinit {
    unlink(path)
    unlink(path + ".bell-0")
  }
}

@Suite struct `A tick` {
  @Test func `SHM-02 is 64 bytes, each field where the layout says`() {
    #expect(MemoryLayout<Tick>.size == 64 && MemoryLayout<Tick>.stride == 64)
    #expect(MemoryLayout<Tick>.offset(of: \.sequence) == 0)
    #expect(MemoryLayout<Tick>.offset(of: \.exchangeTime) == 8)
    #expect(MemoryLayout<Tick>.offset(of: \.receivedTime) == 16)
    #expect(MemoryLayout<Tick>.offset(of: \.venue) == 24)
    #expect(MemoryLayout<Tick>.offset(of: \.instrument) == 26)
    #expect(MemoryLayout<Tick>.offset(of: \.flags) == 28)
    #expect(MemoryLayout<Tick>.offset(of: \.bid) == 32)
    #expect(MemoryLayout<Tick>.offset(of: \.askQuantity) == 56)
  }

  @Test func `SHM-02 is the same after its way through words`() {
    var random = SeededGenerator(seed: 64)
    for _ in 0..<10_000 {
      let words: Tick.Words = (
        random.next(), random.next(), random.next(), random.next(), random.next(), random.next(),
        random.next()
      )
      let tick = Tick(sequence: random.next(), words: words)
      let back = tick.words
      #expect(
        back.0 == words.0 && back.1 == words.1 && back.2 == words.2 && back.3 == words.3
          && back.4 == words.4 && back.5 == words.5 && back.6 == words.6, "seed 64")
      #expect(Tick(sequence: tick.sequence, words: back) == tick, "seed 64")
    }
  }

  @Test func `an empty side is none, and a price of zero or less is one`() {
    let time = Instant(nanoseconds: 1)
    let tick = Tick(
      exchangeTime: time, receivedTime: time, venue: 0, instrument: 0, flags: 0, bid: nil,
      ask: level(-5, 1))
    #expect(tick.bestBid == nil && tick.bestAsk == level(-5, 1))
  }
}

@Suite struct `A ring of ticks` {
  @Test func `SHM-02 readers know instruments by venue, symbol and scales, not by our numbers`()
    throws
  {
    let file = File("names")
    var writer = try TickWriter(file.path, capacity: 64)
    var reader = try TickReader(file.path)
    let known = [
      instrument(7, "binance", "BTCUSDT"), instrument(2, "kraken", "BTCUSD"),
      instrument(0, "binance", "ETHUSDT"),
    ]
    for (number, instrument) in known.enumerated() {
      #expect(writer.write(event(Int64(number), flags: 1 << 31 | 5), of: instrument) != 0)
    }

    var venues: [UInt16] = []
    for (number, instrument) in known.enumerated() {
      guard case .tick(let tick, let named) = reader.read() else {
        Issue.record("tick \(number) is missing")
        return
      }
      #expect(named == TickInstrument(instrument))
      #expect(tick.sequence == UInt64(number + 1) && tick.flags == 1 << 31 | 5)
      #expect(tick.bestBid == level(Int64(number) * 10, 1))
      #expect(tick.receivedTime == Instant(nanoseconds: Int64(number) + 1))
      venues.append(tick.venue)
    }
    #expect(venues[0] == venues[2] && venues[0] != venues[1])
    #expect(reader.read() == .none && reader.unnamed == 0)
  }

  @Test func `SHM-01 an overrun reader of ticks is told how many it lost`() throws {
    let file = File("overrun")
    var writer = try TickWriter(file.path, capacity: 64)
    var reader = try TickReader(file.path)
    let btc = instrument(0, "okx", "BTCUSDT")
    for number in 1...32 as ClosedRange<Int64> { writer.write(event(number), of: btc) }
    #expect(reader.occupancyPermille == 500 && reader.lag == 32)
    for number in 33...1_000 as ClosedRange<Int64> { writer.write(event(number), of: btc) }
    #expect(reader.occupancyPermille == 1_000)

    guard case .overrun(let lost) = reader.read() else {
      Issue.record("no overrun")
      return
    }
    var next = lost + 1
    while case .tick(let tick, _) = reader.read() {
      #expect(tick.sequence == next && tick.exchangeTime.nanoseconds == Int64(next))
      next += 1
    }
    #expect(next == 1_001 && reader.lost == lost)
  }

  @Test func `SHM-01 numbers outlive the writer, and its successor is noticed`() throws {
    let file = File("restart")
    do {
      var first = try TickWriter(file.path, capacity: 64)
      first.write(event(1), of: instrument(0, "okx", "BTCUSDT"))
    }
    var reader = try TickReader(file.path, from: .oldest)
    guard case .tick(let before, let named) = reader.read() else {
      Issue.record("the first tick is missing")
      return
    }
    var second = try TickWriter(file.path, capacity: 64)
    #expect(reader.read() == .newWriter)
    // Another process numbers its instruments anew.
    second.write(event(2), of: instrument(5, "kraken", "XRPUSD"))
    second.write(event(3), of: instrument(6, "okx", "BTCUSDT"))
    guard case .tick(_, let other) = reader.read(), case .tick(let after, let same) = reader.read()
    else {
      Issue.record("ticks are missing")
      return
    }
    #expect(other.symbol == "XRPUSD")
    #expect(same == named)
    #expect(after.instrument == before.instrument && after.venue == before.venue)
  }

  @Test func `a full directory refuses new instruments, which is counted, and keeps the old`()
    throws
  {
    let file = File("full")
    var writer = try TickWriter(file.path, capacity: 64, namesMax: 2)
    let known = instrument(0, "okx", "BTCUSDT")
    #expect(writer.write(event(1), of: known) == 1)
    #expect(writer.write(event(2), of: instrument(1, "okx", "ETHUSDT")) == 0)
    #expect(writer.write(event(3), of: known) == 2)
    #expect(writer.number(of: instrument(1, "okx", "ETHUSDT")) == nil)
  }

  @Test func `SHM-01 a restart tells every touch of now, once, and what follows`() throws {
    let file = File("now")
    var writer = try TickWriter(file.path, capacity: 64)
    let (quiet, busy) = (instrument(0, "okx", "BTCUSDT"), instrument(1, "okx", "ETHUSDT"))
    writer.write(event(1), of: quiet)
    for number in 2...1_000 as ClosedRange<Int64> { writer.write(event(number), of: busy) }
    let trade = Trade(
      instrument: busy.id, tradeID: 1, price: Price(7), quantity: Quantity(3), aggressor: .sell,
      exchangeTime: .epoch, receivedTime: .epoch)
    writer.write(TickEvent(trade, quality: 2), of: busy)
    var reader = try TickReader(file.path, from: .oldest)

    let begun = reader.restart()
    #expect(begun.map(\.instrument.symbol) == ["BTCUSDT", "ETHUSDT"])
    #expect(begun.map(\.tick.sequence) == [1, 1_000])
    #expect(begun.map(\.tick.exchangeTime.nanoseconds) == [1, 1_000])
    #expect(reader.read() == .none)
    writer.write(event(1_001), of: quiet)
    guard case .tick(let tick, let named) = reader.read() else {
      Issue.record("nothing follows")
      return
    }
    #expect(tick.sequence == 1_002 && named == TickInstrument(quiet))
  }

  @Test func `MD-15 a trade and a distrusted touch are told apart by their marks`() throws {
    let file = File("marks")
    var writer = try TickWriter(file.path, capacity: 64)
    var reader = try TickReader(file.path)
    let btc = instrument(0, "okx", "BTCUSDT")
    for side in [Side.buy, .sell] {
      let trade = Trade(
        instrument: btc.id, tradeID: 1, price: Price(7), quantity: Quantity(3), aggressor: side,
        exchangeTime: .epoch, receivedTime: .epoch)
      writer.write(TickEvent(trade, quality: 4), of: btc)
    }
    writer.write(event(1, flags: Tick.distrustMark | 1), of: btc)
    guard case .tick(let bought, _) = reader.read(), case .tick(let sold, _) = reader.read(),
      case .tick(let tainted, _) = reader.read()
    else {
      Issue.record("ticks are missing")
      return
    }
    #expect(bought.isTrade && bought.bestAsk == level(7, 3) && bought.bestBid == nil)
    #expect(sold.isTrade && sold.bestBid == level(7, 3) && sold.bestAsk == nil)
    #expect(bought.quality == 4 && bought.isTrusted)
    #expect(!tainted.isTrade && !tainted.isTrusted && tainted.quality == 1)
  }

  @Test func `SHM-01 a writer that is gone, silent or alive is told apart`() throws {
    let file = File("absence")
    let reader: TickReader
    let now = Uptime(nanoseconds: 5_000_000_000)
    do {
      let writer = try TickWriter(file.path, capacity: 64)
      reader = try TickReader(file.path)
      writer.beat(now)
      #expect(reader.absence(now + .seconds(1), silenceMax: .seconds(1)) == nil)
      #expect(
        reader.absence(now + .milliseconds(1_001), silenceMax: .seconds(1))?.contains("silent")
          == true)
    }
    #expect(reader.absence(now, silenceMax: .seconds(1)) == "nobody writes it")
  }
}
