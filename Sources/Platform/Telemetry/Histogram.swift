private import Synchronization

/// Counts of observations in fixed buckets, and their sum. Lock-free.
package final class Histogram: Sendable {
  /// Upper bounds, ascending; the bucket to +Inf is implied.
  package let bounds: [Double]
  private let counts: Counts
  private let total = AtomicDouble()

  init(bounds: [Double]) {
    precondition(
      !bounds.isEmpty && zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 },
      "histogram bounds ascend: \(bounds)")
    self.bounds = bounds
    self.counts = Counts(bounds.count + 1)
  }

  package func observe(_ value: Double) {
    // Buckets are few, and most observations fall into the first ones: linear beats binary search.
    var index = 0
    while index < bounds.count, value > bounds[index] { index += 1 }
    counts.increment(index)
    total.add(value)
  }

  /// In seconds, the unit of every duration metric.
  package func observe(_ duration: Duration) {
    let (seconds, attoseconds) = duration.components
    observe(Double(seconds) + Double(attoseconds) * 1e-18)
  }

  package var sum: Double { total.load() }
  package var count: UInt64 { cumulativeCounts.last ?? 0 }

  /// Observations at or under each bound, then all of them.
  package var cumulativeCounts: [UInt64] {
    var running: UInt64 = 0
    return (0...bounds.count).map { index in
      running += counts.load(index)
      return running
    }
  }

  /// 1 µs to 1 s in steps of a tenth of a decade (R10 of ISO 3): for spans whose quantiles matter.
  package static let spanBounds: [Double] =
    [1e9, 1e8, 1e7, 1e6, 1e5, 1e4].flatMap { parts in
      // Whole numbers divided once: each is the number that its text says.
      [1_000, 1_250, 1_600, 2_000, 2_500, 3_150, 4_000, 5_000, 6_300, 8_000].map { $0 / parts }
    } + [1]

  /// 50 µs to 10 s: from an in-process call to a timeout.
  package static let latencyBounds: [Double] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1, 2.5, 5, 10,
  ]
}

/// A row of atomic counters: arrays cannot hold atomics, which do not move.
///
/// `@unchecked Sendable`: the memory lives as long as the object, and only atomics are in it.
private final class Counts: @unchecked Sendable {
  private let cells: UnsafeMutableBufferPointer<Atomic<UInt64>>

  init(_ count: Int) {
    cells = .allocate(capacity: count)
    for index in 0..<count { cells.initializeElement(at: index, to: Atomic(0)) }
  }

  deinit {
    cells.deinitialize()
    cells.deallocate()
  }

  func increment(_ index: Int) { cells[index].wrappingAdd(1, ordering: .relaxed) }
  func load(_ index: Int) -> UInt64 { cells[index].load(ordering: .relaxed) }
}
