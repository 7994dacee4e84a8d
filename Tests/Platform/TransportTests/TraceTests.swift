import Calls
import Testing

@testable import Transport

@Suite struct `Traces` {
  private static let id = "4bf92f3577b34da6a3ce929d0e0e4736"
  private static let parent = "00f067aa0ba902b7"

  @Test(arguments: ["01", "00", "03", "02"])
  func `the trace and its flag are passed on, with a span of our own`(_ flags: String) {
    var identity = TraceIdentity()

    let hop = identity.hop(continuing: "00-\(Self.id)-\(Self.parent)-\(flags)")

    #expect(hop.traceID == Self.id && hop.isContinued)
    #expect(hop.spanID != Self.parent)
    let isSampled = flags == "01" || flags == "03"
    #expect(hop.traceParent == "00-\(Self.id)-\(hop.spanID)-\(isSampled ? "01" : "00")")
  }

  static let broken = [
    "", "00", "00-\(id)-\(parent)", "00-\(id)-\(parent)-0", "00-\(id)-\(parent)-01-more",
    "ff-\(id)-\(parent)-01", "0g-\(id)-\(parent)-01", "00-\(id)-\(parent)-0x",
    "00-\(id.uppercased())-\(parent)-01", "00-\(id)-0000000000000000-01",
    "00-00000000000000000000000000000000-\(parent)-01", "00_\(id)-\(parent)-01",
  ]

  @Test(arguments: broken) func `what is no traceparent begins a new trace`(_ text: String) {
    var identity = TraceIdentity()

    let hop = identity.hop(continuing: text)

    #expect(hop.traceID != Self.id && !hop.isContinued && hop.isSampled)
  }

  @Test func `a later version is read as far as it is known`() {
    var identity = TraceIdentity()

    #expect(identity.hop(continuing: "cc-\(Self.id)-\(Self.parent)-01").traceID == Self.id)
    #expect(
      identity.hop(continuing: "01-\(Self.id)-\(Self.parent)-01-what-comes").traceID == Self.id)
  }

  @Test(arguments: Route.allCases) func `vendors' state goes with its trace, and not without`(
    _ route: Route
  ) async throws {
    try await EchoWorld.run(route) { world in
      var options = CallOptions(traceParent: "00-\(Self.id)-\(Self.parent)-00")
      options.metadata.add("tracestate", "a=1,b=2")
      _ = try await world.channel.unary(EchoService.unary, [], options)
      let continued = world.service.downstream
      options.traceParent = "00-broken"
      _ = try await world.channel.unary(EchoService.unary, [], options)
      let begun = world.service.downstream

      #expect(continued?.traceParent?.hasPrefix("00-\(Self.id)-") == true)
      #expect(continued?.traceParent?.hasSuffix("-00") == true)
      #expect(continued?.metadata.text("tracestate") == "a=1,b=2")
      #expect(begun?.traceParent?.hasSuffix("-01") == true)
      #expect(begun?.metadata.text("tracestate") == nil)
    }
  }
}
