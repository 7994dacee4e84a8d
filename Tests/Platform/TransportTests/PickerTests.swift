import Seeds
import Testing

@testable import Transport

@Suite struct `Which connection takes a call` {
  private final class Place: PickedPlace {
    var openCalls = 0
    let callsMax: Int
    init(_ callsMax: Int) { self.callsMax = callsMax }
    var hasRoom: Bool { openCalls < callsMax }
  }

  @Test func `round robin takes turns and passes over the full`() {
    let places = [Place(100), Place(2), Place(100)]
    var picker = ConnectionPicker<Place>(.roundRobin)
    picker.use(places)
    for _ in 0..<12 { picker.pick()?.openCalls += 1 }
    #expect(places.map(\.openCalls).reduce(0, +) == 12)
    #expect(places[1].openCalls == 2)
    #expect(abs(places[0].openCalls - places[2].openCalls) <= 2)
  }

  @Test func `least outstanding evens the load out, whoever is slow`() {
    let places = [Place(1_000), Place(1_000), Place(1_000)]
    places[0].openCalls = 30
    var picker = ConnectionPicker<Place>(.leastOutstanding)
    picker.use(places)
    for _ in 0..<60 { picker.pick()?.openCalls += 1 }
    #expect(places.map(\.openCalls) == [30, 30, 30])
    for _ in 0..<30 { picker.pick()?.openCalls += 1 }
    #expect(places.map(\.openCalls) == [40, 40, 40])
  }

  @Test(arguments: LoadBalancing.allCases)
  func `one with room is found, and none when all are full`(policy: LoadBalancing) {
    var chance = SeededGenerator(seed: 2)
    for _ in 0..<200 {
      let places = (0..<Int.random(in: 0...6, using: &chance)).map { _ in
        Place(Int.random(in: 0...4, using: &chance))
      }
      var picker = ConnectionPicker<Place>(policy)
      picker.use(places)
      let room = places.map(\.callsMax).reduce(0, +)
      for _ in 0..<room {
        let picked = picker.pick()
        #expect(picked?.hasRoom == true)
        picked?.openCalls += 1
      }
      #expect(picker.pick() == nil)
    }
  }
}
