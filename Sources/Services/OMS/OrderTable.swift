internal import Bytes
internal import Orders
internal import Tables
internal import Venue

/// Orders by id, which only grow. Rows lie in chunks of fixed size: adding one moves no others, and
/// whoever holds the table while it is changed costs the copy of one chunk, never of all.
struct OrderTable: Sendable {
  private var chunks: [Chunk] = []
  private(set) var count = 0

  private static let chunkSize = 512

  private struct Chunk: Sendable {
    let first: OrderID
    var ids: [OrderID] = []
    /// Nil for what has been let go of.
    var rows: [OrderRow?] = []
    var live = 0
  }

  private struct Place {
    let chunk: Int
    let index: Int
  }

  var last: OrderID? { chunks.last?.ids.last }

  subscript(id: OrderID) -> OrderRow? {
    place(of: id).flatMap { chunks[$0.chunk].rows[$0.index] }
  }

  /// Without a copy of the row.
  func instrument(of id: OrderID) -> InstrumentID? {
    place(of: id).flatMap { chunks[$0.chunk].rows[$0.index]?.lifecycle.order.instrument }
  }

  mutating func append(_ row: consuming OrderRow) {
    let id = row.order.id
    precondition(last.map { $0 < id } ?? true, "order \(id) comes after \(last!)")
    if chunks.last.map({ $0.ids.count == Self.chunkSize }) ?? true {
      var chunk = Chunk(first: id)
      chunk.ids.reserveCapacity(Self.chunkSize)
      chunk.rows.reserveCapacity(Self.chunkSize)
      chunks.append(chunk)
    }
    chunks[chunks.count - 1].ids.append(id)
    chunks[chunks.count - 1].rows.append(row)
    chunks[chunks.count - 1].live += 1
    count += 1
  }

  /// Changes a row where it is; nil when there is none.
  mutating func update<Result>(
    _ id: OrderID, _ body: (inout OrderRow) throws -> Result
  ) rethrows -> Result? {
    guard let place = place(of: id), chunks[place.chunk].rows[place.index] != nil else {
      return nil
    }
    return try body(&chunks[place.chunk].rows[place.index]!)
  }

  mutating func remove(_ id: OrderID) {
    guard let place = place(of: id), chunks[place.chunk].rows[place.index] != nil else { return }
    chunks[place.chunk].rows[place.index] = nil
    chunks[place.chunk].live -= 1
    count -= 1
    if chunks[place.chunk].live == 0, place.chunk < chunks.count - 1 {
      chunks.remove(at: place.chunk)
    }
  }

  /// The newest first, from below `before` on, until `body` says that it has enough.
  func newestFirst(before: OrderID?, _ body: (OrderRow) -> Bool) {
    for chunk in chunks.reversed() {
      if let before, chunk.first >= before { continue }
      for index in chunk.ids.indices.reversed() {
        if let before, chunk.ids[index] >= before { continue }
        guard let row = chunk.rows[index] else { continue }
        guard body(row) else { return }
      }
    }
  }

  /// The oldest first.
  func forEach(_ body: (OrderRow) -> Void) {
    for chunk in chunks { for case .some(let row) in chunk.rows { body(row) } }
  }

  /// Some at a time, the oldest first; nil for what has been let go of.
  func forEachPiece<Fault: Error>(_ body: ([OrderRow?]) throws(Fault) -> Void) throws(Fault) {
    for chunk in chunks { try body(chunk.rows) }
  }

  private func place(of id: OrderID) -> Place? {
    guard let newest = chunks.last else { return nil }
    // Most of what happens happens to the newest.
    let chunk =
      newest.first <= id
      ? chunks.count - 1 : Self.firstIndex(chunks.count) { chunks[$0].first > id } - 1
    guard chunk >= 0 else { return nil }
    let ids = chunks[chunk].ids
    let index = Self.firstIndex(ids.count) { ids[$0] >= id }
    return index < ids.count && ids[index] == id ? Place(chunk: chunk, index: index) : nil
  }

  /// The first of `count` indices for which `isBehind` holds; it holds for all after that.
  private static func firstIndex(_ count: Int, _ isBehind: (Int) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if isBehind(middle) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}

/// Who asked for an order, and by what name.
struct ClientKey: Hashable, Sendable {
  let account: String
  let clientOrderID: String
}

/// Orders by client order id. Of orders that have left memory a number made of the id is kept, 16
/// bytes each, the newest of them: what repeats is recognised so long, and needs no database.
struct ClientIndex: Sendable {
  /// Keys are dear to copy: of a million, some hundred at a time.
  private var live = ShardedDictionary<ClientKey, OrderID>(shardBits: 12)
  private var evicted: RecentKeys

  init(evictedMax: Int) { evicted = RecentKeys(countMax: evictedMax) }

  subscript(key: ClientKey) -> OrderID? {
    get { live[key] ?? evicted[Self.number(key)].map(OrderID.init) }
    set { live[key] = newValue }
  }

  mutating func evict(_ key: ClientKey, _ id: OrderID) {
    live[key] = nil
    evicted.insert(Self.number(key), id.raw)
  }

  mutating func restore(_ number: UInt64, _ id: OrderID) { evicted.insert(number, id.raw) }

  func forEachEvictedPiece<Fault: Error>(
    _ body: ([UInt64: UInt64]) throws(Fault) -> Void
  ) throws(Fault) {
    try evicted.forEachPiece(body)
  }

  /// Two ids come to the same number once in 2^64 pairs; then the second is refused as a duplicate.
  private static func number(_ key: ClientKey) -> UInt64 {
    XXHash64.of(key.clientOrderID, seed: XXHash64.of(key.account))
  }
}

/// The newest of a long list: the oldest go in pieces, without moving the others.
struct RecentList<Element: Sendable>: Sendable {
  private var chunks: [[Element]] = []
  private(set) var count = 0

  private static var chunkSize: Int { 1024 }

  mutating func append(_ element: Element) {
    if chunks.last.map({ $0.count == Self.chunkSize }) ?? true {
      chunks.append([])
      chunks[chunks.count - 1].reserveCapacity(Self.chunkSize)
    }
    chunks[chunks.count - 1].append(element)
    count += 1
  }

  /// Lets go of whole chunks beyond `most`; true when it did.
  mutating func trim(to most: Int) -> Bool {
    guard let first = chunks.first, count - first.count >= most else { return false }
    count -= first.count
    chunks.removeFirst()
    return true
  }

  /// Some at a time, the oldest first.
  func forEachPiece<Fault: Error>(_ body: ([Element]) throws(Fault) -> Void) throws(Fault) {
    for chunk in chunks { try body(chunk) }
  }

  /// The newest first, until `body` says that it has enough.
  func newestFirst(_ body: (Element) -> Bool) {
    for chunk in chunks.reversed() {
      for element in chunk.reversed() { guard body(element) else { return } }
    }
  }
}

/// The ids of closed orders and the records that closed them, the oldest first, in pieces.
struct ClosedOrders: Sendable {
  typealias Element = (id: OrderID, sequence: UInt64)

  private var pieces: [[Element]] = []
  /// Of the first piece, what has gone.
  private var head = 0
  private(set) var count = 0

  private static let pieceSize = 1024

  var first: Element? { pieces.first.map { $0[head] } }

  mutating func append(_ id: OrderID, _ sequence: UInt64) {
    if pieces.last.map({ $0.count == Self.pieceSize }) ?? true { pieces.append([]) }
    pieces[pieces.count - 1].append((id, sequence))
    count += 1
  }

  mutating func removeFirst() {
    head += 1
    count -= 1
    guard let first = pieces.first, head == first.count else { return }
    pieces.removeFirst()
    head = 0
  }

  func forEachPiece<Fault: Error>(
    _ body: (ArraySlice<Element>) throws(Fault) -> Void
  ) throws(Fault) {
    for (index, piece) in pieces.enumerated() { try body(piece[(index == 0 ? head : 0)...]) }
  }
}
