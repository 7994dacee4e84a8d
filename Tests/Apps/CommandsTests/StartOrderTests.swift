import ServiceKit
import Testing

@testable import Commands

@Suite struct `Order of starting` {
  let order = StartOrder([
    ("gateway", ["auth", "oms"]), ("oms", ["auth", "discovery", "absent"]), ("auth", ["discovery"]),
    ("discovery", []), ("orderbook", ["discovery"]),
  ])

  @Test func `a service starts when its needs serve, and others beside it`() {
    #expect(order.startable(started: [], serving: []) == ["discovery"])
    #expect(order.startable(started: ["discovery"], serving: []) == [])
    #expect(
      order.startable(started: ["discovery"], serving: ["discovery"]) == ["auth", "orderbook"])
  }

  @Test func `layers go from what all need to what none needs`() {
    #expect(order.layers == [["discovery"], ["auth", "orderbook"], ["oms"], ["gateway"]])
  }

  @Test func `a circle is no reason to wait for ever`() {
    let circle = StartOrder([("a", ["b"]), ("b", ["a"]), ("c", [])])

    #expect(circle.startable(started: [], serving: []) == ["c"])
    #expect(circle.startable(started: ["c"], serving: ["c"]) == ["a", "b"])
    #expect(circle.layers.count == 2)
  }

  @Test func `the catalog has no circle`() {
    let catalog = StartOrder(Catalog.services.map { ($0.name, $0.needs) })
    let place = Dictionary(
      uniqueKeysWithValues: catalog.layers.enumerated().flatMap { index, layer in
        layer.map { ($0, index) }
      })

    for entry in Catalog.services {
      for need in entry.needs {
        if let other = place[need] { #expect(other < place[entry.name]!, "\(entry.name)") }
      }
    }
  }
}
