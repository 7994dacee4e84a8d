private import Synchronization

/// Every metric of a process, and their Prometheus text (version 0.0.4).
///
/// Asking twice for one name gives the same metric; asking for it as another kind is our bug.
package final class MetricsRegistry: Sendable {
  /// The Content-Type of `exposition()`.
  package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  private let seriesMax: Int
  private let entries = Mutex<[String: Entry]>([:])

  private struct Entry: Sendable {
    let help: String
    let source: Source
  }

  private enum Source: Sendable {
    case counters(CounterFamily)
    case gauges(GaugeFamily)
    case histograms(HistogramFamily)
    case readCounters(labels: [String], @Sendable () -> [([String], Double)])
    case readGauge(@Sendable () -> Double)
  }

  /// `seriesMax`: label combinations kept per metric name.
  package init(seriesMax: Int = 1000) { self.seriesMax = seriesMax }

  // MARK: Registration

  package func counter(_ name: String, help: String) -> Counter {
    counters(name, help: help, labels: []).with()
  }

  package func counters(_ name: String, help: String, labels: [String]) -> CounterFamily {
    precondition(name.hasSuffix("_total"), "a counter's name ends in _total: \(name)")
    let entry = register(name, help, labels) {
      .counters(CounterFamily(labels: labels, seriesMax: seriesMax) { Counter() })
    }
    guard case .counters(let family) = entry, family.labels == labels else { clash(name) }
    return family
  }

  package func gauge(_ name: String, help: String) -> Gauge {
    gauges(name, help: help, labels: []).with()
  }

  package func gauges(_ name: String, help: String, labels: [String]) -> GaugeFamily {
    precondition(!name.hasSuffix("_total"), "only a counter's name ends in _total: \(name)")
    let entry = register(name, help, labels) {
      .gauges(GaugeFamily(labels: labels, seriesMax: seriesMax) { Gauge() })
    }
    guard case .gauges(let family) = entry, family.labels == labels else { clash(name) }
    return family
  }

  package func histogram(
    _ name: String, help: String, bounds: [Double] = Histogram.latencyBounds
  ) -> Histogram {
    histograms(name, help: help, labels: [], bounds: bounds).with()
  }

  package func histograms(
    _ name: String, help: String, labels: [String], bounds: [Double] = Histogram.latencyBounds
  ) -> HistogramFamily {
    precondition(!labels.contains("le"), "the label le belongs to the buckets: \(name)")
    let entry = register(name, help, labels) {
      .histograms(
        HistogramFamily(labels: labels, seriesMax: seriesMax) { Histogram(bounds: bounds) })
    }
    guard case .histograms(let family) = entry, family.labels == labels else { clash(name) }
    return family
  }

  /// A gauge whose value is asked for at every scrape; the last registration of a name holds.
  package func gauge(_ name: String, help: String, read: @escaping @Sendable () -> Double) {
    check(name, [])
    entries.withLock { $0[name] = Entry(help: help, source: .readGauge(read)) }
  }

  /// A counter that something else keeps; the last registration of a name holds.
  package func counter(_ name: String, help: String, read: @escaping @Sendable () -> Double) {
    counters(name, help: help, labels: []) { [([], read())] }
  }

  /// The same with labels: all rows, each with a value per label.
  package func counters(
    _ name: String, help: String, labels: [String],
    read: @escaping @Sendable () -> [(values: [String], count: Double)]
  ) {
    precondition(name.hasSuffix("_total"), "a counter's name ends in _total: \(name)")
    check(name, labels)
    entries.withLock {
      $0[name] = Entry(help: help, source: .readCounters(labels: labels, read))
    }
  }

  private func register(
    _ name: String, _ help: String, _ labels: [String], make: () -> Source
  ) -> Source {
    check(name, labels)
    return entries.withLock { entries in
      if let known = entries[name] { return known.source }
      let source = make()
      entries[name] = Entry(help: help, source: source)
      return source
    }
  }

  private func check(_ name: String, _ labels: [String]) {
    for word in [name] + labels {
      let isWord = word.utf8.allSatisfy { byte in
        byte == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
      }
      precondition(
        isWord && word.first?.isLetter == true, "metrics and labels are snake case: \(word)")
    }
  }

  private func clash(_ name: String) -> Never {
    preconditionFailure("\(name) is registered as another kind or with other labels")
  }

  // MARK: Exposition

  package func exposition() -> String {
    var text = ExpositionText()
    let sorted = entries.withLock { $0 }.sorted { $0.key < $1.key }
    for (name, entry) in sorted {
      switch entry.source {
      case .counters(let family):
        text.head(name, entry.help, "counter")
        for (values, metric) in family.all() {
          text.sample(name, family.labels, values, String(metric.value))
        }
      case .gauges(let family):
        text.head(name, entry.help, "gauge")
        for (values, metric) in family.all() {
          text.sample(name, family.labels, values, metric.value)
        }
      case .histograms(let family):
        text.head(name, entry.help, "histogram")
        for (values, metric) in family.all() { text.buckets(name, family.labels, values, metric) }
      case .readCounters(let labels, let read):
        text.head(name, entry.help, "counter")
        for (values, count) in read() { text.sample(name, labels, values, count) }
      case .readGauge(let read):
        text.head(name, entry.help, "gauge")
        text.sample(name, [], [], read())
      }
    }
    return text.text
  }
}
