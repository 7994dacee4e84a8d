package import ServiceKit

package struct Config: ServiceSettings {
  let ordersOpenMax: Int
  let ordersKeptMax: Int
  let executionsKeptMax: Int
  let admissionAgeMax: Duration
  let cancelWait: Duration
  let recordBatchMax: Int
  let recordInterval: Duration
  let unsentOrdersMax: Int
  let unsentAgeMax: Duration
  let routeAgeMax: Duration
  let restingRouteAgeMax: Duration
  let segmentBytes: Int
  let reserveBytes: Int

  package init(_ settings: SettingsReader) {
    ordersOpenMax = settings.int(
      "orders_open_max", in: 1...10_000_000, default: 100_000, unit: "orders",
      "New orders beyond this are refused with OVERLOADED.")
    ordersKeptMax = settings.int(
      "orders_kept_max", in: 1_000...100_000_000, default: 1_000_000, unit: "orders",
      "Closed orders beyond this leave memory, oldest first; PostgreSQL still answers for them.")
    executionsKeptMax = settings.int(
      "executions_kept_max", in: 1_000...100_000_000, default: 100_000, unit: "executions",
      "Executions beyond this leave memory, oldest first; PostgreSQL still answers for them.")
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
    unsentOrdersMax = settings.int(
      "unsent_orders_max", in: 1...1_000_000, default: 2_000, unit: "orders",
      "So many orders to one venue that the execution-router has not taken in charge, and more are "
        + "refused with OVERLOADED.")
    unsentAgeMax = settings.duration(
      "unsent_age_max", in: .milliseconds(10)...(.seconds(600)), default: .seconds(2),
      "When the first of them waits for longer, more are refused with VENUE_UNAVAILABLE.")
    routeAgeMax = settings.duration(
      "route_age_max", in: .milliseconds(100)...(.seconds(600)), default: .seconds(5),
      "A market, IOC or FOK order that could not be handed to the execution-router in that time is "
        + "rejected, or cancelled where it has it.")
    restingRouteAgeMax = settings.duration(
      "resting_route_age_max", in: .milliseconds(100)...(.seconds(3_600)), default: .seconds(60),
      "The same for orders that may rest.")
    segmentBytes = settings.int(
      "journal_segment_bytes", in: 4_194_304...1_073_741_824, default: 67_108_864, unit: "bytes",
      "Size of a journal segment; preallocated, and the one after it too.")
    reserveBytes = settings.int(
      "journal_reserve_bytes", in: 65_536...536_870_912, default: 16_777_216, unit: "bytes",
      "On a full disk new orders may not use the last of this (at most half a segment): it is kept "
        + "for cancels and for what the execution-router reports.")
  }
}
