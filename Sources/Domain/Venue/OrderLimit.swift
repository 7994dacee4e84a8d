/// How many new orders a venue takes, of all its instruments together or of each.
package struct OrderLimit: Sendable, Hashable {
  package enum Rule: Sendable, Hashable {
    /// So many within each window.
    case window(Duration)
    /// A counter that every order raises by one and time lowers by so many hundredths a second.
    case decay(hundredthsPerSecond: Int)
  }

  /// The venue's own: "ORDERS".
  package let name: String
  package let ordersMax: Int
  package let rule: Rule
  package let isPerInstrument: Bool

  package init(name: String, ordersMax: Int, rule: Rule, isPerInstrument: Bool) {
    self.name = name
    self.ordersMax = ordersMax
    self.rule = rule
    self.isPerInstrument = isPerInstrument
  }
}
