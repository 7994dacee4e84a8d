internal import Orders
internal import Venue

/// Orders by id, which only grow. Rows lie in chunks of fixed size: adding one moves no others, and
/// whoever holds the table while it is changed costs the copy of one chunk, never of all.
struct OrderTable: Sendable {
  private var chunks: [Chunk] = []
  private(set) var count = 0

  private static let chunkSize = 512

  private struct Chunk: Sendable {
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

  mutating func append(_ row: OrderRow) {
    let id = row.order.id
    precondition(last.map { $0 < id } ?? true, "order \(id) comes after \(last!)")
    if chunks.last.map({ $0.ids.count == Self.chunkSize }) ?? true {
      var chunk = Chunk()
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
      if let before, let first = chunk.ids.first, first >= before { continue }
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

  private func place(of id: OrderID) -> Place? {
    let chunk = Self.firstIndex(chunks.count) { chunks[$0].ids[0] > id } - 1
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

/// Orders by client order id, in many small tables: one that grows stops nobody for long.
struct ClientIndex: Sendable {
  private var shards: [[ClientKey: OrderID]]

  init() { shards = Array(repeating: [:], count: 1024) }

  subscript(key: ClientKey) -> OrderID? {
    get { shards[Self.shard(key)][key] }
    set { shards[Self.shard(key)][key] = newValue }
  }

  /// FNV-1a: the same in every run.
  private static func shard(_ key: ClientKey) -> Int {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in key.clientOrderID.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return Int(hash >> 32 & 1023)
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

  /// The newest first, until `body` says that it has enough.
  func newestFirst(_ body: (Element) -> Bool) {
    for chunk in chunks.reversed() {
      for element in chunk.reversed() { guard body(element) else { return } }
    }
  }
}

/// The ids of closed orders, the oldest first.
struct ClosedOrders: Sendable {
  private var ids: [OrderID] = []
  private var head = 0

  var count: Int { ids.count - head }

  mutating func append(_ id: OrderID) { ids.append(id) }

  mutating func popFirst() -> OrderID? {
    guard head < ids.count else { return nil }
    defer {
      head += 1
      if head > 65_536 {
        ids.removeFirst(head)
        head = 0
      }
    }
    return ids[head]
  }
}
