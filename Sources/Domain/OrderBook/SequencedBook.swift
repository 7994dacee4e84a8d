package import Venue

/// What the owner of a `SequencedBook` does next.
package enum BookAction: Sendable, Hashable {
  /// The delta is in the book: publish it.
  case applied
  /// The book is whole again, with every buffered delta in it: publish the snapshot and then
  /// `bridged`, or `book` as a snapshot of `lastUpdateID`.
  case recovered
  /// Kept until a snapshot comes.
  case buffered
  /// Older than the book; nothing changed.
  case dropped
  /// The book is stale from here on: say so, and fetch a snapshot.
  case requestSnapshot(BookDesync)
}

/// Why a book stopped being trusted.
package enum BookDesync: Sendable, Hashable {
  /// The first delta of a connection: there is no snapshot yet.
  case noSnapshot
  /// Updates `expected..<found` never came.
  case gap(expected: UInt64, found: UInt64)
  /// The snapshot ends before the oldest kept delta begins.
  case snapshotTooOld(snapshot: UInt64, oldestDelta: UInt64)
  /// The best bid reached the best ask.
  case crossed
  /// The owner's reason, such as a checksum that does not match.
  case invalidated(String)

  package var reason: String {
    switch self {
    case .noSnapshot: "no snapshot yet"
    case .gap(let expected, let found): "gap: expected update \(expected), found \(found)"
    case .snapshotTooOld(let snapshot, let oldest):
      "snapshot \(snapshot) ends before the oldest kept delta, \(oldest)"
    case .crossed: "the best bid reached the best ask"
    case .invalidated(let reason): reason
    }
  }
}

/// A book rebuilt from a venue's snapshot and its numbered deltas, and never trusted across a gap.
///
/// States: *stale* (no snapshot, or desynchronised; deltas are kept, in order) and *synchronised*.
/// stale + delta: keep it; the first one asks for the snapshot. At the limit the oldest kept delta
/// is dropped, which only means that the snapshot must be newer.
/// stale + snapshot `L`: drop kept deltas that end at or before `L`; the first that remains must
/// begin at or before `L + 1`, else the snapshot is too old and another is asked for; then apply
/// the rest.
/// synchronised + delta `U...u` after `p`: `u <= p` is a duplicate and dropped; `U == p + 1` is
/// applied (right after a snapshot `U <= p + 1`, as the venue's batches do not end where snapshots
/// do); anything else is a gap: stale. `U == p + 1` with `u < p` is a venue that restarted its
/// numbers.
/// synchronised + snapshot: replaces the book unless it is older.
///
/// These are Binance's spot rules. A venue that names the previous update instead (`pu`,
/// `prevSeqId`) fits by `firstUpdateID = previous + 1`; one without numbers counts messages itself
/// and calls `invalidate` when its checksum fails.
package final class SequencedBook {
  package let book: PriceLevelBook
  /// Most deltas kept while a snapshot is awaited.
  package let bufferMax: Int
  package private(set) var isStale = true
  /// The last update in the book; meaningful when it is not stale.
  package private(set) var lastUpdateID: UInt64 = 0
  /// How often the book lost its place, since the beginning.
  package private(set) var desyncCount = 0
  /// Kept deltas that gave way to newer ones, since the beginning.
  package private(set) var overflowCount = 0
  /// The kept deltas that the last snapshot was followed by, in their order.
  package private(set) var bridged: [BookDelta] = []
  private var followsSnapshot = false
  private var hasAsked = false
  private var buffer: [BookDelta] = []

  package init(book: PriceLevelBook = PriceLevelBook(), bufferMax: Int = 1_000) {
    precondition(bufferMax > 0, "a buffer of \(bufferMax) deltas")
    self.book = book
    self.bufferMax = bufferMax
  }

  package var bufferedCount: Int { buffer.count }

  package func apply(_ delta: BookDelta) -> BookAction {
    if isStale {
      keep(delta)
      guard !hasAsked else { return .buffered }
      hasAsked = true
      return .requestSnapshot(.noSnapshot)
    }
    switch place(of: delta) {
    case .old:
      return .dropped
    case .next:
      advance(by: delta)
      return book.isCrossed ? desynchronise(.crossed) : .applied
    case .afterGap:
      let action = desynchronise(.gap(expected: lastUpdateID &+ 1, found: delta.firstUpdateID))
      keep(delta)
      return action
    }
  }

  package func apply(_ snapshot: BookSnapshot) -> BookAction {
    guard isStale || snapshot.updateID >= lastUpdateID else { return .dropped }
    let kept = buffer.firstIndex { $0.lastUpdateID > snapshot.updateID } ?? buffer.endIndex
    if kept < buffer.endIndex, buffer[kept].firstUpdateID > snapshot.updateID &+ 1 {
      return desynchronise(
        .snapshotTooOld(snapshot: snapshot.updateID, oldestDelta: buffer[kept].firstUpdateID))
    }
    book.apply(snapshot)
    lastUpdateID = snapshot.updateID
    followsSnapshot = true
    isStale = false
    return drain(from: kept)
  }

  /// The owner's own reason not to trust the book, such as a wrong checksum.
  package func invalidate(_ reason: String) -> BookAction {
    desynchronise(.invalidated(reason))
  }

  /// A new connection: nothing of the old one counts, and the next delta asks for a snapshot.
  package func reset() {
    book.removeAll()
    buffer.removeAll(keepingCapacity: true)
    isStale = true
    hasAsked = false
    followsSnapshot = false
    lastUpdateID = 0
  }

  /// Applies the kept deltas from `index` on; what a gap among them leaves stays kept.
  private func drain(from index: Int) -> BookAction {
    var index = index
    var found: BookDesync?
    bridged.removeAll()
    while index < buffer.endIndex, found == nil {
      let delta = buffer[index]
      switch place(of: delta) {
      case .old:
        index += 1
      case .next:
        advance(by: delta)
        bridged.append(delta)
        index += 1
      case .afterGap:
        found = .gap(expected: lastUpdateID &+ 1, found: delta.firstUpdateID)
      }
    }
    buffer.removeSubrange(..<index)
    if found == nil, book.isCrossed { found = .crossed }
    return found.map(desynchronise) ?? .recovered
  }

  private enum Place { case old, next, afterGap }

  private func place(of delta: BookDelta) -> Place {
    let expected = lastUpdateID &+ 1
    if delta.lastUpdateID < expected {
      // The previous update is ours but the new number is lower: the venue restarted its numbers.
      let restarted = delta.firstUpdateID == expected && delta.lastUpdateID < lastUpdateID
      return restarted ? .next : .old
    }
    if delta.firstUpdateID == expected { return .next }
    return followsSnapshot && delta.firstUpdateID < expected ? .next : .afterGap
  }

  private func advance(by delta: BookDelta) {
    book.apply(delta)
    lastUpdateID = delta.lastUpdateID
    followsSnapshot = false
  }

  private func desynchronise(_ reason: BookDesync) -> BookAction {
    isStale = true
    hasAsked = true
    desyncCount += 1
    return .requestSnapshot(reason)
  }

  /// In order of their first update, so that neighbours delivered out of order still fit.
  private func keep(_ delta: BookDelta) {
    var index = buffer.endIndex
    while index > 0, buffer[index - 1].firstUpdateID > delta.firstUpdateID { index -= 1 }
    buffer.insert(delta, at: index)
    if buffer.count > bufferMax {
      buffer.removeFirst()
      overflowCount += 1
    }
  }
}
