internal import OrderBook
internal import Venue

/// Holds our best bid and ask against the venue's own, wherever both speak of one update id.
///
/// A venue's top may come before the delta with the same id, or after it: those ahead of the book wait
/// until it has reached them.
struct TopCheck {
  enum Verdict { case equal, different }

  private var waiting: [TopOfBook] = []
  static let waitingMax = 4_096

  /// The venue's top, against a book at `updateID`. Nil when the ids differ.
  mutating func take(_ top: TopOfBook, _ book: PriceLevelBook, at updateID: UInt64) -> Verdict? {
    if top.updateID == updateID { return Self.compare(top, book) }
    if top.updateID > updateID {
      if waiting.count == Self.waitingMax { waiting.removeFirst(Self.waitingMax / 2) }
      waiting.append(top)
    }
    return nil
  }

  /// The book has moved to `updateID`: what waited for exactly this is compared, what is older is let go.
  mutating func advance(_ book: PriceLevelBook, to updateID: UInt64) -> [Verdict] {
    guard let first = waiting.first, first.updateID <= updateID else { return [] }
    var verdicts: [Verdict] = []
    var passed = 0
    for top in waiting {
      guard top.updateID <= updateID else { break }
      passed += 1
      if top.updateID == updateID { verdicts.append(Self.compare(top, book)) }
    }
    waiting.removeFirst(passed)
    return verdicts
  }

  mutating func reset() { waiting.removeAll(keepingCapacity: true) }

  private static func compare(_ top: TopOfBook, _ book: PriceLevelBook) -> Verdict {
    book.bestBid == top.bid && book.bestAsk == top.ask ? .equal : .different
  }
}
