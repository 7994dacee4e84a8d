import Chrono
import Loop
import SimulatorKit
import Synchronization
import Telemetry
import TestKit
import Testing
import Units
import Venue

@testable import VenueSimulator
@testable import Venues

/// A venue's adapter and its simulated exchange on one clock that moves only when a test says so: the
/// exchange tells its books every 100 ms of it, and between two steps both stand still, so that they
/// can be held against one another at the same update.
final class SteppedVenue: Sendable {
  static let window = Duration.milliseconds(100)
  static let bitcoin = InstrumentID(0)
  static let ether = InstrumentID(1)

  let connected: ConnectedVenue
  let time: SimulatedTime
  private let isByOrder: Bool
  let profile: SimulatedProfile
  let bitcoinSymbol: String
  private let etherSymbol: String
  private let listed = Mutex<[Instrument]>([])
  private let followers = Mutex(
    (heard: 0, all: [BookFollower(of: bitcoin), BookFollower(of: ether)]))

  /// Ether has a change in every window, so that its book shows that a window has arrived.
  init(
    _ loop: EventLoop, _ venue: KnownVenue,
    symbols: (SimulatedProfile) -> [String] = { [$0.bitcoin, $0.ether] }, behindMax: Int? = nil,
    isByOrder: Bool = false,
    exchange: (inout ExchangeSettings) -> Void = { _ in },
    settings: (inout VenueSettings) -> Void = { _ in }
  ) async throws {
    let time = SimulatedTime(start: DialectClient.start)
    profile = try SimulatedProfile(venue)
    (bitcoinSymbol, etherSymbol) = (
      profile.exchange.markets[0].symbol, profile.exchange.markets[1].symbol
    )
    self.time = time
    self.isByOrder = isByOrder
    connected = try await ConnectedVenue(
      loop, venue, venueTime: time, time: time, symbols: symbols(profile), behindMax: behindMax,
      exchange: {
        $0.markets[1].eventsPerSecond = 200
        $0.hasOKXChecksums = venue == .okx
        exchange(&$0)
      },
      settings: {
        // The clock stands still for as long as a machine is busy.
        $0.silenceMax = .seconds(3_600)
        $0.isByOrder = isByOrder
        settings(&$0)
      })
  }

  var venue: KnownVenue { connected.venue }
  var counters: VenueCounters { connected.session.counters }
  var book: BookFollower { follower(of: Self.bitcoin) }
  var etherBook: BookFollower { follower(of: Self.ether) }

  func follower(of instrument: InstrumentID) -> BookFollower {
    followers.withLock { state in
      let new = connected.market.since(state.heard)
      state.heard += new.count
      for event in new {
        for index in state.all.indices { state.all[index].hear(event) }
      }
      return state.all[Int(instrument.index)]
    }
  }

  var instruments: [Instrument] { listed.withLock { $0 } }

  /// Connects; both books are whole and the exchange's afterwards.
  func begin() async throws {
    try await connect()
    try #require(await recovers())
  }

  func connect() async throws {
    let instruments = try await connected.start()
    listed.withLock { $0 = instruments }
    try #require(await soon { counters.messages.value > 0 })
  }

  /// One window of the exchange's time, told to everyone.
  func step() async throws { try await step(Self.window) }

  func step(_ duration: Duration) async throws {
    time.advance(by: duration)
    await connected.server.catchUp()
  }

  func inject(_ fault: BookFault, count: Int = 1) async throws {
    try await connected.fault(.book(fault, symbol: bitcoinSymbol, count: count))
  }

  /// Our book of bitcoin is the exchange's, level by level, at the same update.
  func agrees() async throws -> Bool { try await agrees(Self.bitcoin, bitcoinSymbol) }

  private func agrees(_ instrument: InstrumentID, _ symbol: String) async throws -> Bool {
    let theirs = try await connected.exchangeBook(symbol)
    let ours = follower(of: instrument)
    guard !ours.isStale, !theirs.bids.isEmpty, !theirs.asks.isEmpty else { return false }
    // Kraken's books have no update numbers.
    guard venue == .kraken || ours.updateID == theirs.updateID else { return false }
    return isSame(ours.levels(.buy), theirs.bids, instrument, theirs)
      && isSame(ours.levels(.sell), theirs.asks, instrument, theirs)
      && ours.levels(.buy).count == theirs.bids.count
      && ours.levels(.sell).count == theirs.asks.count
  }

  /// As far as theirs reach; scales may differ.
  private func isSame(
    _ ours: [PriceLevel], _ theirs: [PriceLevel], _ instrument: InstrumentID, _ book: ExchangeBook
  ) -> Bool {
    let scales = instruments[Int(instrument.index)]
    func power(_ left: UInt8, _ right: UInt8) -> Int128 {
      (right..<max(left, right)).reduce(1) { power, _ in power * 10 }
    }
    let price = (
      power(book.priceScale, scales.priceScale), power(scales.priceScale, book.priceScale)
    )
    let quantity = (
      power(book.quantityScale, scales.quantityScale),
      power(scales.quantityScale, book.quantityScale)
    )
    return ours.count >= theirs.count
      && zip(ours, theirs).allSatisfy { our, their in
        Int128(our.price.raw) * price.0 == Int128(their.price.raw) * price.1
          && Int128(our.quantity.raw) * quantity.0 == Int128(their.quantity.raw) * quantity.1
      }
  }

  /// What was told of the window has arrived, as far as ether is heard.
  func settles() async throws -> Bool {
    let theirs = try await connected.exchangeBook(etherSymbol, levelsMax: 20)
    return try await soonThrowing {
      let ours = etherBook
      if venue != .kraken { return ours.updateID == theirs.updateID }
      return isSame(ours.levels(.buy), theirs.bids, Self.ether, theirs)
        && isSame(ours.levels(.sell), theirs.asks, Self.ether, theirs)
    }
  }

  func agreesSoon() async throws -> Bool { try await soonThrowing { try await agrees() } }

  /// Lets time pass until both books are whole and right again.
  func recovers(by step: Duration = window, steps: Int = 100) async throws -> Bool {
    for _ in 0..<steps {
      try await self.step(step)
      // Too short a wait costs a step, no more.
      let isRight = try await soonThrowing(.milliseconds(50)) {
        guard try await agrees() else { return false }
        return try await agrees(Self.ether, etherSymbol)
      }
      if isRight { return true }
    }
    return false
  }

  /// How often a snapshot of bitcoin's book was asked for: by REST, or by subscribing anew.
  func snapshotRequests() async -> Int {
    let counts = await connected.server.requestCounts()
    return switch venue {
    case .kraken: counts["subscribe \(isByOrder ? "level3" : "book") \(bitcoinSymbol)"] ?? 0
    case .okx: counts["subscribe books \(bitcoinSymbol)"] ?? 0
    default: counts["GET /api/v3/depth"] ?? 0
    }
  }

  func stop() async { await connected.stop() }
}

/// `soon` for a condition that may throw.
func soonThrowing(
  _ limit: Duration = .seconds(30), _ condition: () async throws -> Bool
) async throws -> Bool {
  var failure: (any Error)?
  let isTrue = await eventually(within: limit) {
    do {
      return try await condition()
    } catch {
      failure = error
      return true
    }
  }
  if let failure { throw failure }
  return isTrue
}
