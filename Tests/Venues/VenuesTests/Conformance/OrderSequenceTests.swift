import Chrono
import Loop
import Seeds
import Telemetry
import TestKit
import Testing
import Units
import Venue

@testable import VenueSimulator
@testable import Venues

/// Whatever is done and whatever goes wrong, in whatever order: what the adapter tells is what the
/// exchange has.
@Suite(.serialized) struct `Conformance of sequences` {
  private static let steps = 250

  @Test(arguments: ConnectedVenue.simulated)
  func `TST-01 a random sequence of orders and faults ends with the exchange's own account`(
    _ venue: KnownVenue
  ) async throws {
    let seed = UInt64.random(in: .min ... .max)
    print("\(venue): seed \(seed)")
    try await withLoop { loop in
      let trading = try await TradingVenue(loop, venue, timeout: .seconds(2))
      var walk = OrderWalk(trading, seed: seed)
      for step in 1...Self.steps {
        try await walk.step()
        if step % 50 == 0 {
          try await trading.connected.fault(.none)
          try await trading.expectAgreement("seed \(seed), step \(step)")
          await walk.turn()
        }
      }
      print(
        "\(venue): \(walk.done.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" })",
        "\(trading.view.fills.count) fills, \(trading.counters.unknownOutcomes.value) unknown,",
        "\(trading.counters.privateReconnections.value) reconnections")
      #expect(trading.view.fills.count > 10 && trading.view.orders.count > 20)
      await trading.stop()
    }
  }
}

/// Draws what happens next from a seed.
private struct OrderWalk {
  private let trading: TradingVenue
  private var random: SeededGenerator
  /// All of ours are of one side for a while: an order that met one of its own account would be the
  /// venue's business, of self-trade prevention.
  private var side = Side.buy
  private var number = 0
  private var otherNumber = 1_000
  /// How often each thing was done.
  private(set) var done: [String: Int] = [:]

  init(_ trading: TradingVenue, seed: UInt64) {
    self.trading = trading
    random = SeededGenerator(seed: seed)
  }

  private mutating func draw(_ range: ClosedRange<Int64>) -> Int64 {
    Int64.random(in: range, using: &random)
  }

  private mutating func count(_ what: String) { done[what, default: 0] += 1 }

  mutating func turn() async {
    #expect(
      await soon {
        (try? await trading.orders.cancelAll(of: trading.bitcoin.id)) != nil
      })
    side = side.opposite
    count("cancel all")
  }

  mutating func step() async throws {
    switch draw(1...100) {
    case ...40: await place()
    case ...55: await cancel()
    case ...65: await amend()
    case ...85: await trade()
    case ...97: try await fault()
    default: try? await trading.view.reconcile(trading.orders)
    }
    trading.view.hear()
  }

  private mutating func place() async {
    number += 1
    let force: TimeInForce = [.gtc, .gtc, .gtc, .ioc, .fok, .postOnly][Int(draw(0...5))]
    let price = draw(1...20) == 1 ? nil : trading.price(side.sign * draw(-5...2))
    let order = trading.order(number, side, draw(10...300), at: price, force)
    await trading.place(order)
    count(price == nil ? "market" : "\(force)")
  }

  private mutating func openNumber() -> Int? {
    let open = trading.view.orders.filter { !$0.value.status.isTerminal }.keys.sorted()
    guard !open.isEmpty else { return nil }
    return open[Int(draw(0...Int64(open.count - 1)))].split(separator: "-").last.flatMap { Int($0) }
  }

  private mutating func cancel() async {
    guard let number = openNumber() else { return }
    await trading.cancel(number)
    count("cancel")
  }

  private mutating func amend() async {
    guard let number = openNumber() else { return }
    let name = TradingVenue.name(number)
    let outcome = await trading.orders.amend(
      VenueAmendment(
        clientOrderID: name, instrument: trading.bitcoin.id,
        quantity: trading.amount(draw(5...200))))
    trading.view.take(outcome, of: name)
    count("amend")
  }

  /// The other one takes from the book, ours where it is the best, and waits now and then.
  private mutating func trade() async {
    otherNumber += 1
    let other = draw(1...10) == 1 ? side : side.opposite
    let force: TimeInForce = draw(1...4) == 1 ? .gtc : .ioc
    let order = trading.order(
      otherNumber, other, draw(10...400), at: trading.price(other.sign * draw(-1...5)), force)
    _ = await trading.other.orders.place(order)
    count("trade")
  }

  private mutating func fault() async throws {
    // Each lost answer costs a timeout.
    if draw(1...4) == 1 {
      try await trading.connected.fault(.request(.lostAcknowledgement, count: 1))
      return count("lost acknowledgement")
    }
    let faults: [(String, VenueFault)] = [
      ("status unknown", .request(.statusUnknown, count: 1)),
      ("internal error", .request(.internalError, count: 1)),
      ("lost fill", .lostFill(count: 1)), ("late fill", .lateFill(count: 1)),
      ("disconnect", .disconnect(.privateStreams)),
      ("clock", .clockSkew(.milliseconds(draw(-2_000...2_000)))),
    ]
    let (name, fault) = faults[Int(draw(0...Int64(faults.count - 1)))]
    try await trading.connected.fault(fault)
    count(name)
  }
}
