import Calls
import ServiceKit
import TestKit
import Testing

@Suite struct `A watched value` {
  @Test func `wakes every reader that is behind, with the newest value`() async {
    let watched = Watched("first")
    async let one = watched.change(after: 0)
    async let other = watched.change(after: 0)

    watched.set("second")
    let (seen, alsoSeen) = await (one, other)

    #expect(seen.version == 1 && alsoSeen.version == 1)
    #expect(seen.value == "second")
    watched.set("third")
    watched.update { $0 += " and last" }
    let late = await watched.change(after: 1)
    #expect(late.version == 3 && late.value == "third and last")
  }

  @Test func `a cancelled reader is let go, before and while it waits`() async {
    let watched = Watched(0)
    for _ in 0..<100 {
      let reader = Task { await watched.change(after: 0).version }
      reader.cancel()
      #expect(await reader.value == 0)
    }
  }

  @Test func `has as many subscribers as it may, and takes another when one has gone`() async throws
  {
    let watched = Watched(0, subscribersMax: 1)
    try await watched.subscribed(limitedBy: "subscribers_max") {
      await #expect(throws: RPCError(.resourceExhausted, "1 streams are open (subscribers_max)")) {
        _ = try await watched.subscribed(limitedBy: "subscribers_max") { 1 }
      }
    }
    #expect(try await watched.subscribed(limitedBy: "subscribers_max") { 2 } == 2)
  }
}
