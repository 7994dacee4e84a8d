package import ServiceKit

package struct Config: ServiceSettings {
  let placeTimeout: Duration
  let queryInterval: Duration
  let queryIntervalMax: Duration
  let cancelIntervalMax: Duration
  let questionsMax: Int
  let cancelsMax: Int
  let verifyInterval: Duration
  let verifyMax: Int
  let denialsNeeded: Int
  let denialAfter: Duration
  let ordersKeptMax: Int
  let routeAgeMax: Duration
  let restingRouteAgeMax: Duration
  let routesWaitingMax: Int
  let keepBytes: Int
  let journal: JournalPlan

  package init(_ settings: SettingsReader) {
    placeTimeout = settings.duration(
      "place_timeout", in: .milliseconds(10)...(.seconds(60)), default: .seconds(3),
      "A venue that has not answered by then is silent: the order is UNKNOWN and is asked about.")
    queryInterval = settings.duration(
      "query_interval", in: .milliseconds(10)...(.seconds(60)), default: .milliseconds(500),
      "Pause before an open question or an unanswered cancel is sent again; it doubles each time.")
    queryIntervalMax = settings.duration(
      "query_interval_max", in: .milliseconds(10)...(.seconds(3_600)), default: .seconds(5),
      "The longest of these pauses.")
    cancelIntervalMax = settings.duration(
      "cancel_interval_max", in: .milliseconds(10)...(.seconds(3_600)), default: .seconds(1),
      "The longest of them for cancels that a venue does not answer.")
    questionsMax = settings.int(
      "questions_max", in: 1...1_000, default: 4, unit: "questions",
      "So many are under way at a venue at a time; the others wait their turn.")
    cancelsMax = settings.int(
      "cancels_max", in: 1...1_000, default: 16, unit: "cancels",
      "So many are under way at a venue at a time, beside the questions.")
    verifyInterval = settings.duration(
      "verify_interval", in: .milliseconds(10)...(.seconds(3_600)), default: .seconds(5),
      "How often live orders are asked about, in case that a report of the venue was lost.")
    verifyMax = settings.int(
      "verify_max", in: 1...1_000, default: 5, unit: "orders",
      "Of so many at a venue each time: those that end at once first but for one place, then in turn."
    )
    denialsNeeded = settings.int(
      "denials_needed", in: 1...100, default: 2, unit: "answers",
      "So many times the venue must deny an order before it is believed.")
    denialAfter = settings.duration(
      "denial_after", in: .milliseconds(10)...(.seconds(300)), default: .seconds(5),
      "A denial counts after so long, and not before requests can no longer take effect at the venue."
    )
    ordersKeptMax = settings.int(
      "orders_kept_max", in: 100...10_000_000, default: 100_000, unit: "orders",
      "Orders that are done and kept in memory to recognise what repeats; the oldest give way.")
    routeAgeMax = settings.duration(
      "route_age_max", in: .milliseconds(100)...(.seconds(600)), default: .seconds(5),
      "A market, IOC or FOK order that arrives so long after it was accepted is refused for good.")
    restingRouteAgeMax = settings.duration(
      "resting_route_age_max", in: .milliseconds(100)...(.seconds(3_600)), default: .seconds(60),
      "The same for orders that may rest.")
    routesWaitingMax = settings.int(
      "routes_waiting_max", in: 1...1_000_000, default: 4_096, unit: "orders",
      "Orders that wait for the journal; one more is refused with RESOURCE_EXHAUSTED.")
    journal = JournalPlan(
      settings, business: "new orders", essential: "cancels and for what venues report",
      state: "the ledger is")
    keepBytes = settings.int(
      "journal_keep_bytes", in: 0...1_000_000_000_000, default: 0, unit: "bytes",
      "Segments beyond this are removed, oldest first, when two snapshots are behind them and the "
        + "oms has read their reports; 0 keeps everything.")
  }
}
