import Chrono
import Synchronization
import Telemetry
import Units
import Venue
import Venues

/// A venue's session that lists one instrument, and notes the orders that reach it.
final class ScriptedSession: VenueSession {
  let venue: VenueID
  let counters: VenueCounters
  let clockOffset: Duration? = .milliseconds(-40)
  let entry = Entry()
  private let asked = Mutex<[String]>([])
  private let told = Mutex(SessionVitals())

  init(_ known: KnownVenue, _ metrics: MetricsRegistry) {
    venue = known.id
    counters = VenueCounters(metrics, venue: known.rawValue)
  }

  var orders: any VenueOrderEntry { entry }

  func loadInstruments() async throws(VenueError) -> [Instrument] {
    ["BTCUSDT", "ETHUSDT"].enumerated().map { index, symbol in
      var instrument = Instrument(
        id: InstrumentID(Int32(index)), venue: venue, symbol: symbol, venueSymbol: symbol,
        base: String(symbol.prefix(3)), quote: "USDT", priceScale: 2, quantityScale: 3,
        tickSize: Price(1), lotSize: Quantity(1), minQuantity: Quantity(1),
        maxQuantity: Quantity(1_000_000), minNotional: Notional(0))
      instrument.priceRange = Price(1)...Price(1_000_000_00)
      instrument.fees = FeeSchedule(maker: decimal("0.001"), taker: decimal("0.002"))
      return instrument
    }
  }

  func start(
    market: @escaping @Sendable (MarketEvent) async -> Void,
    account: @escaping @Sendable (PrivateEvent) async -> Void
  ) async {}

  func stop() async {}

  /// What the connector asked for anew, with the reasons.
  var resynchronised: [String] { asked.withLock { $0 } }

  func resynchronise(_ instrument: InstrumentID, reason: String) {
    asked.withLock { $0.append(reason) }
  }

  var vitals: SessionVitals {
    get { told.withLock { $0 } }
    set { told.withLock { $0 = newValue } }
  }

  final class Entry: VenueOrderEntry {
    let settlesAfter = Duration.zero
    private let names = Mutex<[String]>([])
    private let script = Mutex(Script())

    private struct Script {
      var amended: [VenueAmendment] = []
      var amendOutcome: VenueOutcome?
      /// Rounds of cancelling all, the next one first.
      var rounds: [Result<(cancelled: [VenueReport], left: Int), VenueError>] = []
      var left = 0
      var missing: [VenueListGap] = []
      var refusals: [InstrumentID: VenueError] = [:]
    }

    var placed: [String] { names.withLock { $0 } }
    var amended: [VenueAmendment] { script.withLock { $0.amended } }

    func answers(amend outcome: VenueOutcome) { script.withLock { $0.amendOutcome = outcome } }

    /// What the next round of cancelling all does.
    func clears(_ reports: [VenueReport], leaving left: Int) {
      script.withLock { $0.rounds.append(.success((reports, left))) }
    }

    func clears(_ error: VenueError) { script.withLock { $0.rounds.append(.failure(error)) } }

    /// So many open orders in each instrument, and what its lists lack.
    func has(_ open: Int, missing: [VenueListGap]) {
      script.withLock { ($0.left, $0.missing) = (open, missing) }
    }

    /// The instrument's open orders are not told.
    func refuses(_ instrument: InstrumentID, _ error: VenueError) {
      script.withLock { $0.refusals[instrument] = error }
    }

    func place(_ order: VenueOrder) async -> VenueOutcome {
      names.withLock { $0.append(order.clientOrderID) }
      return .unknown(reason: "the script ends here")
    }

    func cancel(_ clientOrderID: String, of instrument: InstrumentID) async -> VenueOutcome {
      refused
    }

    func replace(_ clientOrderID: String, with order: VenueOrder) async -> VenueReplacement {
      VenueReplacement(cancel: refused, place: nil)
    }

    func amend(_ amendment: VenueAmendment) async -> VenueOutcome {
      script.withLock { script in
        script.amended.append(amendment)
        return script.amendOutcome
      } ?? refused
    }

    func cancelAll(
      of instrument: InstrumentID
    ) async throws(VenueError) -> VenueList<VenueReport> {
      let round = script.withLock { script in
        script.rounds.isEmpty ? nil : script.rounds.removeFirst()
      }
      guard let done = try round?.get() else { return VenueList() }
      script.withLock { $0.left = done.left }
      return VenueList(done.cancelled.map { $0.ended(.cancelled) })
    }

    func query(_ clientOrderID: String, of instrument: InstrumentID) async -> VenueOutcome {
      refused
    }

    func openOrders(
      of instrument: InstrumentID
    ) async throws(VenueError) -> VenueList<VenueReport> {
      let script = script.withLock { $0 }
      if let refusal = script.refusals[instrument] { throw refusal }
      let rows = (0..<script.left).map { number in
        VenueReport(
          instrument: instrument, clientOrderID: "left-\(number)", venueOrderID: "\(number)",
          status: .new, filledQuantity: .zero, exchangeTime: .epoch)
      }
      return VenueList(rows, missing: script.missing)
    }

    func fills(
      of instrument: InstrumentID, from executionID: String?
    ) async throws(VenueError) -> VenueList<VenueFillRecord> { VenueList() }

    func fills(
      ofOrder venueOrderID: String, _ instrument: InstrumentID
    ) async throws(VenueError) -> VenueList<VenueFillRecord> {
      VenueList(missing: script.withLock { $0.missing })
    }

    func balances() async throws(VenueError) -> [VenueBalance] { [] }

    private var refused: VenueOutcome { .rejected(.unknownOrder, text: "the script has none") }
  }
}
