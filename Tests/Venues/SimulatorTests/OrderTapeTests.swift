import Bytes
import Chrono
import JSON
import Security
import Seeds
import SimulatorKit
import Testing
import Units
import Venue

@testable import VenueSimulator

/// What an exchange says, publicly and to its accounts, while orders of every type are entered at fixed
/// moments.
@Suite struct `A tape with orders` {
  /// One exchange and all that it has said.
  private struct Recorder: ~Copyable {
    var exchange: SimulatedExchange
    private var kraken: KrakenVoice
    private var okx: OKXVoice
    private var random: SeededGenerator
    private var tape: [UInt8] = []
    private(set) var triggered = 0
    private(set) var prevented = 0
    let dialect: VenueDialect

    init(_ dialect: VenueDialect, seed: UInt64) throws {
      var settings = try RandomOrders.settings(dialect)
      settings.seed = seed
      settings.hasOKXChecksums = true
      self.dialect = dialect
      exchange = SimulatedExchange(settings: settings, start: DialectClient.start)
      kraken = KrakenVoice(exchange)
      okx = OKXVoice(exchange)
      random = SeededGenerator(seed: seed)
      tape = kraken.bookSnapshot(market: 0, depth: 100)
      tape += okx.bookSnapshot(market: 0, time: DialectClient.start)
    }

    /// To the moment of the next order in strides, then the order.
    mutating func step(to milliseconds: Int64, stride: Int64) {
      let end = DialectClient.start + .milliseconds(milliseconds)
      var now = exchange.now
      while now < end {
        now = min(end, now + .milliseconds(stride))
        exchange.advance(to: now)
        hear()
      }
      let ticket = RandomOrders.ticket(exchange, &random)
      do throws(Refusal) { _ = try exchange.enter(ticket) } catch { tape += Array("\(error)".utf8) }
      hear()
    }

    private mutating func hear() {
      for happening in exchange.takeHappenings() {
        if case .report(let order, let cause, _) = happening.what {
          tell(order, cause, happening.time)
        }
        let delivery = Delivery(happening: happening, fault: nil)
        switch dialect {
        case .binance:
          switch exchange.binanceMessage(of: happening) {
          case .market(_, let payload), .account(_, let payload): tape += payload
          case nil: break
          }
        case .kraken:
          for message in kraken.messages(of: delivery, exchange) { tape += message.payload }
        case .okx: for message in okx.messages(of: delivery, exchange) { tape += message.payload }
        }
      }
    }

    private mutating func tell(_ order: PrivateOrder, _ cause: ReportCause, _ time: Instant) {
      if case .triggered = cause { triggered += 1 }
      if case .prevented = cause { prevented += 1 }
      switch dialect {
      case .binance: break
      case .kraken: for report in exchange.krakenExecutions(order, cause, time) { tape += report }
      case .okx:
        var json = JSONWriter()
        json.array { json in
          exchange.okxAlgo(order, &json)
          exchange.okxOrder(order, nil, &json)
        }
        tape += json.finished()
      }
    }

    /// By its length and its hash.
    var said: String { "\(tape.count) \(Hexadecimal.encode(Digest.sha256(tape)))" }
  }

  private static let orders: Int64 = 150
  private static let interval: Int64 = 50

  private func alone(_ dialect: VenueDialect, seed: UInt64, stride: Int64) throws -> String {
    var recorder = try Recorder(dialect, seed: seed)
    for order in 1...Self.orders { recorder.step(to: order * Self.interval, stride: stride) }
    #expect(recorder.triggered > 0 && recorder.prevented > 0)
    return recorder.said
  }

  @Test(arguments: VenueDialect.allCases)
  func
    `MD-22 a seed and its orders give the same tape in each dialect, however often it is looked at`(
      dialect: VenueDialect
    ) throws
  {
    let first = try alone(dialect, seed: 3, stride: 7)
    #expect(try alone(dialect, seed: 3, stride: 1_000) == first)
    #expect(try alone(dialect, seed: 3, stride: 13) == first)
    #expect(try alone(dialect, seed: 4, stride: 7) != first)
  }

  @Test func `MD-22 venues side by side say what each says alone`() throws {
    var binance = try Recorder(.binance, seed: 5)
    var kraken = try Recorder(.kraken, seed: 6)
    var okx = try Recorder(.okx, seed: 7)
    for order in 1...Self.orders {
      binance.step(to: order * Self.interval, stride: 11)
      okx.step(to: order * Self.interval, stride: 23)
      kraken.step(to: order * Self.interval, stride: 5)
    }

    #expect(binance.said == (try alone(.binance, seed: 5, stride: 100)))
    #expect(kraken.said == (try alone(.kraken, seed: 6, stride: 100)))
    #expect(okx.said == (try alone(.okx, seed: 7, stride: 100)))
  }
}
