import OrderBook
import Testing
import Units
import Venue

@Suite struct `Sequenced book` {
  @Test func `MD-04 deltas are kept until the snapshot and bridged by the venue's rule`() {
    let book = SequencedBook()

    #expect(book.apply(delta(1...4, bids: [level(90, 9)])) == .requestSnapshot(.noSnapshot))
    #expect(book.apply(delta(5...8, bids: [level(99, 1)])) == .buffered)
    #expect(book.apply(delta(9...9, bids: [level(98, 2)])) == .buffered)
    let bridged = book.apply(snapshot(6, bids: [level(99, 7)], asks: [level(101, 7)]))

    #expect(bridged == .recovered)
    #expect(!book.isStale && book.lastUpdateID == 9 && book.bufferedCount == 0)
    #expect(book.book.levels(.buy, max: 9) == [level(99, 1), level(98, 2)])
    #expect(book.apply(delta(9...9)) == .dropped)
    #expect(book.apply(delta(10...12, asks: [level(101, 0)])) == .applied)
    #expect(book.book.bestAsk == nil)
  }

  @Test func `MD-04 a first delta that begins inside the snapshot is taken once`() {
    let book = SequencedBook()

    #expect(book.apply(snapshot(10, bids: [], asks: [])) == .recovered)
    #expect(book.apply(delta(7...10)) == .dropped)
    #expect(book.apply(delta(8...13, bids: [level(5, 5)])) == .applied)
    #expect(book.apply(delta(13...15)) == .requestSnapshot(.gap(expected: 14, found: 13)))
  }

  @Test func `MD-03 a gap makes the book stale on that very message`() {
    let book = SequencedBook()
    _ = book.apply(snapshot(10, bids: [], asks: []))
    #expect(book.apply(delta(11...12)) == .applied)

    #expect(book.apply(delta(14...15)) == .requestSnapshot(.gap(expected: 13, found: 14)))
    #expect(book.isStale && book.desyncCount == 1)
    #expect(book.apply(delta(16...16)) == .buffered)
    #expect(
      book.apply(snapshot(11, bids: [], asks: []))
        == .requestSnapshot(.snapshotTooOld(snapshot: 11, oldestDelta: 14)))
    #expect(book.apply(snapshot(13, bids: [], asks: [])) == .recovered)
    #expect(book.lastUpdateID == 16)
  }

  @Test func `MD-03 a crossed book is not trusted`() {
    let book = SequencedBook()
    _ = book.apply(snapshot(1, bids: [level(99, 1)], asks: [level(100, 1)]))

    #expect(book.apply(delta(2...2, bids: [level(100, 1)])) == .requestSnapshot(.crossed))
    #expect(book.isStale)
    #expect(book.invalidate("checksum") == .requestSnapshot(.invalidated("checksum")))
  }

  @Test func `the buffer is bounded and what gives way is the oldest`() {
    let book = SequencedBook(bufferMax: 3)
    for id in UInt64(1)...5 { _ = book.apply(delta(id...id)) }

    #expect(book.bufferedCount == 3 && book.overflowCount == 2)
    #expect(
      book.apply(snapshot(1, bids: [], asks: []))
        == .requestSnapshot(.snapshotTooOld(snapshot: 1, oldestDelta: 3)))
    #expect(book.apply(snapshot(2, bids: [], asks: [])) == .recovered)
    #expect(book.lastUpdateID == 5)
  }

  @Test func `a venue that restarts its numbers is followed`() {
    let book = SequencedBook()
    _ = book.apply(snapshot(10, bids: [], asks: []))

    #expect(book.apply(delta(11...11)) == .applied)
    #expect(book.apply(BookDelta(numbered: 12, last: 3)) == .applied)
    #expect(book.apply(delta(4...5, bids: [level(1, 1)])) == .applied)
    #expect(book.lastUpdateID == 5)
  }

  @Test(arguments: 1...20)
  func `MD-03 MD-04 gaps, duplicates and reordering always end in the reference book`(
    seed: UInt64
  ) {
    var random = SeededGenerator(seed: seed)
    var venue = ReferenceVenue()
    let book = SequencedBook(bufferMax: 50)
    var inFlight: [BookDelta] = []
    var snapshotDue: Int?
    var recoveries = 0

    for step in 0..<3_000 {
      inFlight.append(venue.change(&random))
      if random.chance(2) { inFlight.removeLast() }
      if random.chance(3), let last = inFlight.last { inFlight.append(last) }
      if random.chance(3), inFlight.count > 1 { inFlight.swapAt(0, inFlight.count - 1) }
      while !inFlight.isEmpty, random.chance(70) {
        let action = book.apply(inFlight.removeFirst())
        if case .requestSnapshot = action { snapshotDue = step + random.below(30) }
        if action == .applied { #expect(venue.matches(book), "seed \(seed) step \(step)") }
      }
      if let due = snapshotDue, step >= due {
        snapshotDue = nil
        switch book.apply(venue.snapshot(age: random.below(5))) {
        case .requestSnapshot: snapshotDue = step + random.below(30)
        case .recovered:
          recoveries += 1
          #expect(venue.matches(book), "seed \(seed) step \(step)")
        default: break
        }
      }
    }
    #expect(recoveries > 5, "seed \(seed)")
  }
}

extension BookDelta {
  fileprivate init(numbered first: UInt64, last: UInt64) {
    self = delta(first...first)
    lastUpdateID = last
  }
}

/// The venue's side of the story: the true book after every update id.
private struct ReferenceVenue {
  private var history: [(last: UInt64, book: NaiveBook)] = [(100, NaiveBook())]

  mutating func change(_ random: inout SeededGenerator) -> BookDelta {
    let first = history.last!.last + 1
    let last = first + UInt64(random.below(4))
    var book = history.last!.book
    let change = delta(
      first...last,
      bids: (0..<random.below(3)).map { _ in
        level(1_000 - Int64(random.below(30)), Int64(random.below(3)))
      },
      asks: (0..<random.below(3)).map { _ in
        level(1_001 + Int64(random.below(30)), Int64(random.below(3)))
      })
    book.apply(change)
    history.append((last, book))
    return change
  }

  func snapshot(age: Int) -> BookSnapshot {
    let entry = history[max(0, history.count - 1 - age)]
    return OrderBookTests.snapshot(
      entry.last, bids: entry.book.levels(.buy), asks: entry.book.levels(.sell))
  }

  func matches(_ book: SequencedBook) -> Bool {
    guard let entry = history.last(where: { $0.last == book.lastUpdateID }) else { return false }
    return book.book.levels(.buy, max: .max) == entry.book.levels(.buy)
      && book.book.levels(.sell, max: .max) == entry.book.levels(.sell)
  }
}
