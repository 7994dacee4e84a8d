private import Synchronization

/// Metrics of one name that differ in their label values.
///
/// `with(...)` takes a lock and hashes: keep what it returns where it is used often.
package final class MetricFamily<Metric: Sendable>: Sendable {
  package let labels: [String]
  private let make: @Sendable () -> Metric
  private let seriesMax: Int
  private let series: Mutex<[[String]: Metric]>

  init(labels: [String], seriesMax: Int, make: @escaping @Sendable () -> Metric) {
    self.labels = labels
    self.make = make
    self.seriesMax = seriesMax
    // A metric without labels is there from the start, so that a rate over it has a zero to start at.
    self.series = Mutex(labels.isEmpty ? [[]: make()] : [:])
  }

  /// One value per label, in the order of `labels`. Beyond `seriesMax` combinations everything new
  /// counts under the value `other`: label values may come from outside, memory may not.
  package func with(_ values: String...) -> Metric {
    precondition(values.count == labels.count, "\(values.count) values for labels \(labels)")
    return series.withLock { series in
      if let known = series[values] { return known }
      let key = series.count < seriesMax ? values : labels.map { _ in "other" }
      if let known = series[key] { return known }
      let metric = make()
      series[key] = metric
      return metric
    }
  }

  /// Sorted, so that two expositions can be compared line by line.
  func all() -> [(values: [String], metric: Metric)] {
    series.withLock { $0.map { (values: $0.key, metric: $0.value) } }
      .sorted { $0.values.lexicographicallyPrecedes($1.values) }
  }
}

package typealias CounterFamily = MetricFamily<Counter>
package typealias GaugeFamily = MetricFamily<Gauge>
package typealias HistogramFamily = MetricFamily<Histogram>
