package import ServiceKit

package struct Config: ServiceSettings {
  let ordersOpenMax: Int
  let ordersKeptMax: Int
  let ordersKeptFor: Duration
  let executionsKeptMax: Int
  let clientOrderIDsKeptMax: Int
  let admissionAgeMax: Duration
  let cancelWait: Duration
  let recordBatchMax: Int
  let recordInterval: Duration
  let recordLagEventsMax: UInt64
  let recordLagTimeMax: Duration
  let unsentOrdersMax: Int
  let unsentAgeMax: Duration
  let routeAgeMax: Duration
  let restingRouteAgeMax: Duration
  let journal: JournalPlan

  package init(_ settings: SettingsReader) {
    ordersOpenMax = settings.int(
      "orders_open_max", in: 1...10_000_000, default: 100_000, unit: "orders",
      "New orders beyond this are refused with OVERLOADED.")
    ordersKeptMax = settings.int(
      "orders_kept_max", in: 1_000...100_000_000, default: 100_000, unit: "orders",
      "Closed orders beyond this leave memory, oldest first, as soon as PostgreSQL has them, which "
        + "still answers for them.")
    ordersKeptFor = settings.duration(
      "orders_kept_for", in: .zero...(.seconds(86_400)), default: .seconds(10),
      "Closed orders stay in memory at least so long, for the last words of venues about them.")
    executionsKeptMax = settings.int(
      "executions_kept_max", in: 1_000...100_000_000, default: 100_000, unit: "executions",
      "Executions beyond this leave memory, oldest first; PostgreSQL still answers for them.")
    clientOrderIDsKeptMax = settings.int(
      "client_order_ids_kept_max", in: 10_000...1_000_000_000, default: 2_000_000, unit: "ids",
      "Client order ids of orders that have left memory, by which a repeated one is recognised: "
        + "the newest, between half of this and all of it; 16 bytes each.")
    admissionAgeMax = settings.duration(
      "admission_age_max", in: .milliseconds(10)...(.seconds(60)), default: .seconds(4),
      "An order that the risk gate admitted longer ago is ABORTED; below the gate's resolve_after.")
    cancelWait = settings.duration(
      "cancel_wait", in: .zero...(.seconds(10)), default: .seconds(1),
      "A cancel answers when the venue has confirmed it, or after this with PENDING_CANCEL.")
    recordBatchMax = settings.int(
      "record_batch_max", in: 1...10_000, default: 256, unit: "events",
      "Events written to PostgreSQL in one transaction.")
    recordInterval = settings.duration(
      "record_interval", in: .milliseconds(1)...(.seconds(10)), default: .milliseconds(20),
      "How long events wait for others to share a transaction.")
    recordLagEventsMax = UInt64(
      settings.int(
        "record_lag_events_max", in: 1...1_000_000_000, default: 100_000, unit: "events",
        "Not SERVING while more events than this wait to be recorded in PostgreSQL."))
    recordLagTimeMax = settings.duration(
      "record_lag_time_max", in: .seconds(1)...(.seconds(86_400)), default: .seconds(30),
      "Not SERVING while an event waits longer than this to be recorded in PostgreSQL.")
    unsentOrdersMax = settings.int(
      "unsent_orders_max", in: 1...1_000_000, default: 2_000, unit: "orders",
      "So many orders to one venue that the execution-router has not taken in charge, and more are "
        + "refused with OVERLOADED.")
    unsentAgeMax = settings.duration(
      "unsent_age_max", in: .milliseconds(10)...(.seconds(600)), default: .seconds(2),
      "When the first of them waits for longer, more are refused with VENUE_UNAVAILABLE.")
    routeAgeMax = settings.duration(
      "route_age_max", in: .milliseconds(100)...(.seconds(600)), default: .seconds(5),
      "A market, IOC or FOK order, and any that waited for a start of the oms, that could not be "
        + "handed to the execution-router in that time is rejected.")
    restingRouteAgeMax = settings.duration(
      "resting_route_age_max", in: .milliseconds(100)...(.seconds(3_600)), default: .seconds(60),
      "The same for orders that may rest.")
    journal = JournalPlan(
      settings, business: "new orders",
      essential: "cancels and for what the execution-router reports", state: "the orders are")
  }
}
