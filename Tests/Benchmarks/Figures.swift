private import JSON

/// What one benchmark found: one JSON line.
struct Figures {
  let name: String
  /// Nanoseconds per operation.
  var p50: Double?
  var p99: Double?
  var operationsPerSecond: Double?
  /// Of the heap, per operation.
  var allocations: Double?
  /// What was measured beside it, in the same run.
  var peer: String?
  /// How many times better than the peer; over 1 is better.
  var ratio: Double?
  /// Further numbers, named with their unit.
  var more: [(name: String, value: Double)] = []

  init(_ name: String) { self.name = name }

  /// `samples` are nanoseconds per operation.
  init(_ name: String, samples: [Double]) {
    self.name = name
    measured(samples)
  }

  init(_ measurement: OrderBookMeasurement) {
    name = measurement.name
    p50 = measurement.p50
    p99 = measurement.p99
    operationsPerSecond = measurement.operationsPerSecond
    allocations = measurement.allocations
  }

  mutating func measured(_ samples: [Double]) {
    let sorted = samples.sorted()
    p50 = sorted.quantile(0.50)
    p99 = sorted.quantile(0.99)
  }

  var line: String {
    var json = JSONWriter()
    json.beginObject()
    json.member("name", name)
    member("p50_ns", p50, &json)
    member("p99_ns", p99, &json)
    member("ops_per_s", operationsPerSecond?.rounded(), &json)
    member("allocations", allocations, &json)
    json.name("peer")
    if let peer { json.string(peer) } else { json.null() }
    member("ratio", ratio, &json)
    for (name, value) in more { member(name, value, &json) }
    json.endObject()
    return String(decoding: json.finished(), as: UTF8.self)
  }

  /// Two decimals below a hundred, whole numbers above: no figure is better than that.
  private func member(_ name: String, _ value: Double?, _ json: inout JSONWriter) {
    json.name(name)
    guard let value else { return json.null() }
    let isWhole = value >= 100 || value == value.rounded()
    if isWhole {
      json.integer(Int64(value.rounded()))
    } else {
      json.double((value * 100).rounded() / 100)
    }
  }
}

extension [Double] {
  /// Of a sorted array that is not empty.
  func quantile(_ share: Double) -> Double {
    self[Swift.min(count - 1, Int(Double(count) * share))]
  }

  var median: Double { sorted().quantile(0.5) }
}
