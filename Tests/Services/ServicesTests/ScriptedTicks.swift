import Chrono
import Glibc
import Loop
import ServiceKit
import SharedRing
import TickRing
import Units
import Venue

/// The writer of a ring of ticks in a world's folder, as a market-connector would be.
final class ScriptedTicks {
  let path: String
  private let loop: EventLoop
  private let time: SimulatedTime
  private var writer: TickWriter?
  private static let bitcoin = Instrument(
    id: InstrumentID(0), venue: VenueID("binance"), symbol: "BTCUSDT", venueSymbol: "BTCUSDT",
    base: "BTC", quote: "USDT", priceScale: 2, quantityScale: 5, tickSize: Price(1),
    lotSize: Quantity(1), minQuantity: Quantity(10), maxQuantity: Quantity(.max),
    minNotional: Notional(0))

  init(_ world: ServiceWorld, capacity: Int = 1_024) throws {
    loop = world.loop
    time = world.time
    try makeFolder(world.state.run)
    path = RingPlace(TickRingFile.name, in: world.state.run).path
    try open(capacity: capacity)
  }

  deinit {
    stop()
    unlink(path)
    for number in 0..<64 { unlink("\(path).bell-\(number)") }
  }

  func open(capacity: Int = 1_024) throws {
    writer = try TickWriter(path, capacity: capacity)
    beat()
  }

  func beat() { writer?.beat(loop.uptime) }

  func say(bid: Int64, ask: Int64, isTrusted: Bool = true, isOtherUnit: Bool = false) {
    var instrument = Self.bitcoin
    if isOtherUnit { instrument.priceScale = 3 }
    guard let number = writer?.number(of: instrument) else { return }
    func level(_ price: Int64) -> PriceLevel {
      PriceLevel(price: Price(price), quantity: Quantity(300_000))
    }
    writer?.write(
      TickEvent(
        exchangeTime: time.now, receivedTime: time.now, bid: level(bid), ask: level(ask),
        flags: isTrusted ? 0 : Tick.distrustMark | 1), of: number)
  }

  /// As a process that died: the file stays.
  func stop() { writer = nil }

  /// As a process that ends in order.
  func end() {
    if let writer = writer.take() { writer.remove() }
  }
}
