import ServiceKit
import Testing

@Suite struct `Nearest name` {
  let known = ["orders_max", "patience", "mode", "risk-manager", "trading-gateway", "gateway"]

  @Test(arguments: [
    ("order_max", "orders_max"), ("patinece", "patience"), ("risk-manger", "risk-manager"),
    ("gatway", "gateway"), ("mood", "mode"),
  ])
  func `a typo finds what was meant`(_ wrong: String, _ meant: String) {
    #expect(nearestName(to: wrong, among: known) == meant)
  }

  @Test func `something else finds nothing`() {
    #expect(nearestName(to: "fibonacci_sequence", among: known) == nil)
    #expect(nearestName(to: "x", among: []) == nil)
  }
}
