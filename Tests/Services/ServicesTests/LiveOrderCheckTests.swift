import Testing

@testable import ExecutionRouterService

@Suite struct `Live orders that are verified` {
  private func resting(_ names: String...) -> [LiveOrderCheck.Candidate] {
    names.map { LiveOrderCheck.Candidate(childID: $0, endsAtOnce: false) }
  }

  @Test func `an order is asked about from its second round on, and then in turn`() {
    var check = LiveOrderCheck(most: 2)
    let live = resting("a", "b", "c")
    #expect(check.next(live) == [])
    #expect(check.next(live) == ["a", "b"])
    #expect(check.next(live) == ["c", "a"])
    #expect(check.next(live) == ["b", "a"])
    // One that has gone and come is new.
    #expect(check.next(resting("a")) == ["a"])
    #expect(check.next(live) == ["a"])
  }

  @Test func `one that ends at once by its terms goes first`() {
    var check = LiveOrderCheck(most: 1)
    let live = resting("a") + [LiveOrderCheck.Candidate(childID: "z", endsAtOnce: true)]
    #expect(check.next(live) == [])
    #expect(check.next(live) == ["z"])
    #expect(check.next(live) == ["z"])
  }

  @Test func `those that end at once and do not leave the others their turn`() {
    var check = LiveOrderCheck(most: 2)
    let stuck = ["x", "y", "z"].map { LiveOrderCheck.Candidate(childID: $0, endsAtOnce: true) }
    let live = stuck + resting("a")
    #expect(check.next(live) == [])
    #expect(check.next(live) == ["x", "a"])
    #expect(check.next(live) == ["y", "z"])
    #expect(check.next(live) == ["x", "a"])
  }
}
