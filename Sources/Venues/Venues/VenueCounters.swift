package import Telemetry

/// What is counted at every venue, under one name each with the label `venue`.
package struct VenueCounters: Sendable {
  /// Public streams that were opened, the first one too.
  package let connections: Counter
  /// Public streams that were opened again.
  package let reconnections: Counter
  package let privateConnections: Counter
  package let privateReconnections: Counter
  /// Private streams whose messages' numbers had a hole.
  package let privateGaps: Counter
  /// Messages received on public streams.
  package let messages: Counter
  /// Messages that could not be read.
  package let malformed: Counter
  /// Rows of lists and private messages that could not be read, and were left out.
  package let unreadRows: Counter
  /// Prices and quantities of our orders and fills with finer digits than their instrument was listed with.
  package let finerNumbers: Counter
  /// Books that lost their place: missing updates, or crossed.
  package let gaps: Counter
  /// Books whose checksum was not the venue's.
  package let checksums: Counter
  /// Stretches of trades that the stream left out.
  package let missedTrades: Counter
  /// Subscriptions that the venue refused, and its complaints.
  package let refusals: Counter
  /// Snapshots fetched over REST.
  package let snapshots: Counter
  package let requests: Counter
  /// Requests that were answered with a limit (429, 418), or held back by our own count.
  package let limited: Counter
  /// Requests that ended in silence.
  package let unknownOutcomes: Counter
  /// Requests that got no answer, or one that says that the venue cannot (5xx and the like).
  package let failures: Counter
  /// Answers that say that a limit was passed (429, 418, and a venue's own code for it).
  package let throttled: Counter
  /// From sending a request to the last byte of its answer.
  package let answerTime: Histogram
  package let breakerOpenings: Counter
  /// Requests that were not sent, as the circuit breaker was open.
  package let breakerRefusals: Counter
  /// Public streams that are connected now.
  package let open: Gauge

  package init(_ registry: MetricsRegistry, venue: String) {
    func counter(_ name: String, _ help: String) -> Counter {
      registry.counters("venue_\(name)_total", help: help, labels: ["venue"]).with(venue)
    }
    connections = counter("connections", "Public streams opened")
    reconnections = counter("reconnections", "Public streams opened again after a loss")
    privateConnections = counter("private_connections", "Private streams opened")
    privateReconnections = counter(
      "private_reconnections", "Private streams opened again after a loss")
    privateGaps = counter("private_gaps", "Private streams that lost messages by their numbers")
    messages = counter("messages", "Messages received on public streams")
    malformed = counter("malformed", "Messages that could not be read")
    unreadRows = counter(
      "unread_rows", "Rows of lists and private messages that could not be read, and were left out")
    finerNumbers = counter(
      "finer_numbers",
      "Prices and quantities of our orders with more digits than listed, told to the nearest")
    gaps = counter("gaps", "Books that lost their place in the venue's sequence")
    checksums = counter("checksums", "Books whose checksum was not the venue's")
    missedTrades = counter("missed_trades", "Stretches of trades that the stream left out")
    refusals = counter("refusals", "Subscriptions that the venue refused, and its complaints")
    snapshots = counter("snapshots", "Book snapshots fetched over REST")
    requests = counter("requests", "REST requests sent")
    limited = counter("limited", "Requests refused or held back by a request limit")
    unknownOutcomes = counter(
      "unknown_outcomes", "Orders, cancels and queries that ended in silence")
    failures = counter(
      "request_failures", "Requests without an answer, or with one that says the venue cannot")
    throttled = counter("throttled", "Answers that a request limit was passed (429, 418)")
    answerTime = registry.histograms(
      "venue_answer_seconds", help: "From sending a request to the end of its answer.",
      labels: ["venue"], bounds: Histogram.latencyBounds
    ).with(venue)
    breakerOpenings = counter("breaker_openings", "Times the circuit breaker opened")
    breakerRefusals = counter(
      "breaker_refusals", "Requests not sent, as the circuit breaker was open")
    open = registry.gauges(
      "venue_streams_open", help: "Public streams that are connected.", labels: ["venue"]
    ).with(venue)
  }
}
