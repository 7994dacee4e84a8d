/// Lines of the Prometheus text format 0.0.4.
struct ExpositionText {
  private(set) var text = ""

  mutating func head(_ name: String, _ help: String, _ kind: String) {
    text += "# HELP \(name) \(Self.escape(help, quotes: false))\n# TYPE \(name) \(kind)\n"
  }

  mutating func sample(_ name: String, _ labels: [String], _ values: [String], _ value: Double) {
    sample(name, labels, values, Self.number(value))
  }

  mutating func sample(_ name: String, _ labels: [String], _ values: [String], _ value: String) {
    text += name
    if !labels.isEmpty {
      let pairs = zip(labels, values).map { "\($0)=\"\(Self.escape($1, quotes: true))\"" }
      text += "{\(pairs.joined(separator: ","))}"
    }
    text += " \(value)\n"
  }

  mutating func buckets(
    _ name: String, _ labels: [String], _ values: [String], _ histogram: Histogram
  ) {
    // Read once: the count must equal the last bucket, also while others observe.
    let counts = histogram.cumulativeCounts
    let bounds = histogram.bounds.map(Self.number) + ["+Inf"]
    for (bound, count) in zip(bounds, counts) {
      sample("\(name)_bucket", labels + ["le"], values + [bound], String(count))
    }
    sample("\(name)_sum", labels, values, histogram.sum)
    sample("\(name)_count", labels, values, String(counts.last ?? 0))
  }

  private static func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
    if let integer = Int64(exactly: value) { return String(integer) }
    return "\(value)"
  }

  private static func escape(_ text: String, quotes: Bool) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": escaped += #"\\"#
      case "\n": escaped += #"\n"#
      case "\"" where quotes: escaped += #"\""#
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}
