internal import Calls
internal import Chrono
internal import Contracts
internal import Execution
internal import Loop
internal import Mutants
internal import Orders
internal import ServiceKit
internal import Telemetry
internal import Translation
internal import Units
internal import Venue

/// Carries out what the ledger decides, and tells it what came of it. Silence is told as silence.
///
/// What must come true in the end, a cancel, the proof of an order, the end of an orphan, has an owner
/// each that asks again until the world has answered, slower each time, and is told in readiness and
/// metrics for so long. A venue that is away, a limit of ours or of the venue, a breaker that is open
/// say nothing of the order.
struct VenueDesk: Sendable {
  let router: Router
  let config: Config
  let context: ServiceContext
  let venues: MarketV1.VenueOrderServiceClient
  let market: MarketV1.MarketServiceClient
  let matters = OpenMatters()
  let lanes: VenueLanes
  let silences: Counter
  let amendments: CounterFamily
  let verifications: Counter
  let orphans: CounterFamily
  let strays: CounterFamily
  /// Of this instance.
  let began: Uptime
  private let placed: Histogram
  private let openCounts: GaugeFamily

  init(_ router: Router, _ config: Config, _ context: ServiceContext) {
    self.router = router
    self.config = config
    self.context = context
    self.began = context.loop.uptime
    self.venues = .init(channel: context.channel(to: "market-connector"))
    self.market = .init(channel: context.channel(to: "market-connector"))
    lanes = VenueLanes(config, context)
    let metrics = context.metrics
    self.silences = metrics.counter(
      "execution_router_silences_total",
      help: "Orders and amendments that the venue did not answer in time.")
    self.verifications = metrics.counter(
      "execution_router_verifications_total",
      help: "Questions about live orders of which nothing was wanting, a few in each interval.")
    self.amendments = metrics.counters(
      "execution_router_amendments_total",
      help: "Answers of venues that were asked to change an order in place.", labels: ["outcome"])
    self.orphans = metrics.counters(
      "execution_router_orphans_total",
      help: "Orders at a venue under ids of ours that no journal knows, to be cancelled.",
      labels: ["venue"])
    self.strays = metrics.counters(
      "execution_router_stray_reports_total",
      help: "Reports of orders of ours that the router does not know or not any more.",
      labels: ["venue"])
    self.placed = metrics.histogram(
      "execution_router_place_seconds", help: "From sending an order to the venue's answer.")
    self.openCounts = metrics.gauges(
      "execution_router_open_matters",
      help: "Cancels, proofs, orphans and lists that a venue has not answered yet.",
      labels: ["venue", "kind"])
  }

  // MARK: Commands

  func place(_ order: VenueOrder, at instrument: Instrument) {
    context.spawn("place order") {
      var request = MarketV1.PlaceOrderRequest()
      request.order = MarketV1.VenueOrder(order, instrument)
      let began = context.loop.uptime
      let outcome = await Self.outcome(at: instrument) { () throws(RPCError) in
        try await venues.placeOrder(request, within(config.placeTimeout))
      }
      placed.observe(context.loop.uptime - began)
      try await tell(outcome, order.clientOrderID, at: instrument)
    }
  }

  private func tell(
    _ outcome: VenueOutcome, _ childID: String, at instrument: Instrument
  ) async throws {
    switch outcome {
    case .acknowledged(let report): try await router.take(.reported(report), at: instrument)
    case .rejected(let reason, let text):
      try await router.take(.refused(childID: childID, reason, text: text), at: instrument)
    case .unknown(let reason):
      silences.increment()
      try await router.take(.silent(childID: childID, reason: reason), at: instrument)
    }
  }

  /// What the venue made of a request. An answer that cannot be read is one all the same: it may say that
  /// the venue has done as it was asked.
  static func outcome(
    at instrument: Instrument, _ ask: () async throws(RPCError) -> MarketV1.VenueOrderOutcome
  ) async -> VenueOutcome {
    let wire: MarketV1.VenueOrderOutcome
    do throws(RPCError) { wire = try await ask() } catch { return outcome(of: error) }
    do throws(RPCError) { return try VenueOutcome(wire.fitted(to: instrument), instrument) } catch {
      return .unknown(reason: "the venue's answer cannot be read: \(error.message)")
    }
  }

  /// What an error of the call to the market-connector proves. Only refusals before it could act are
  /// proof; everything else leaves it open whether the venue has the order.
  private static func outcome(of error: RPCError) -> VenueOutcome {
    switch error.code {
    case .invalidArgument: .rejected(.invalidOrder, text: error.message)
    case .permissionDenied, .unauthenticated, .unimplemented, .failedPrecondition:
      .rejected(.venueUnavailable, text: error.message)
    default:
      Mutant.isOn(.silenceIsRefusal)
        ? .rejected(.venueUnavailable, text: error.message)
        : .unknown(reason: "\(error.code.name): \(error.message)")
    }
  }

  /// Tells what is open at the venues, for so long as it is.
  func watch(_ venues: [String: ReadinessBoard.Requirement]) {
    let found = matters.summaries(now: context.loop.uptime, olderThan: Self.noticeAfter)
    for (venue, requirement) in venues {
      let summary = found[venue] ?? OpenMatters.Summary()
      for kind in OpenMatters.Kind.allCases {
        openCounts.with(venue, kind.name).set(summary.counts[kind] ?? 0)
      }
      if summary.counts.isEmpty { requirement.hold() } else { requirement.fail(summary.text) }
    }
  }

  /// True when nobody is at it yet.
  func open(_ key: OpenMatters.Key, at venue: String) -> Bool {
    matters.open(
      key, at: venue,
      now: OpenMatters.Moment(time: context.time.now, uptime: context.loop.uptime))
  }

  /// What is answered sooner, and at the first try, is nothing to tell of.
  private static let noticeAfter = Duration.seconds(2)

  /// A word of a venue that does not fit, or that takes back an end: somebody should know.
  func alarm(_ report: ParentReport, of order: String) {
    switch report {
    case .setAside(let text):
      context.log.error(
        "a venue's word does not fit its order, and the venue is asked",
        ["order_id": .text(order), "text": .text(text)])
    case .reappeared(_, let venueOrderID):
      context.log.error(
        "a venue has an order that had ended here; it is being cancelled",
        ["order_id": .text(order), "venue_order_id": .text(venueOrderID)])
    default: break
    }
  }

  /// Waits for a connection within the limit: while the market-connector starts again nothing was
  /// sent, and nothing need be doubted.
  func within(_ limit: Duration) -> CallOptions {
    var options = CallOptions(deadline: context.loop.uptime + limit)
    options.waitsForReady = true
    return options
  }
}
