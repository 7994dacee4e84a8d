/// One side of a book: a sorted map from a key to 64 bits, best (greatest) key at the end.
///
/// A key is the price of a bid or the negated price of an ask, so both sides share this code.
/// Entries live in chunks of at most 64 with a sorted directory over them: a search is two short
/// searches, and an insertion or removal moves at most 63 entries however deep the book is. The
/// chunk used last is tried first and then the one below it, for a venue's message lists its
/// levels in order of price.
/// On a recorded day of BTCUSDT a change lies 250 entries from the touch on average, which is why
/// one flat array is not enough; no tick size is assumed, so an outlying price costs what any other
/// does. Memory is taken when the ladder grows beyond its greatest size so far, never otherwise.
struct PriceLadder: ~Copyable {
  static let chunkMax = 64
  /// A chunk with fewer entries is joined to a neighbour when both fit in three quarters of a
  /// chunk, so that the next insertions do not split it again.
  static let sparse = 16

  struct Chunk {
    /// No entry of this chunk is below and none of the previous chunk reaches it; of the first
    /// chunk it says nothing.
    var floor: Int64
    var slot: Int32
    var count: Int32
  }

  struct Entry {
    var key: Int64
    var value: Int64
  }

  private(set) var count = 0
  private var chunkCount = 0
  private var capacity: Int
  /// Slots `0..<used` were taken at some time; those given back wait in `free[0..<freeCount]`.
  private var used: Int32 = 0
  private var freeCount = 0
  private var directory: UnsafeMutablePointer<Chunk>
  private var free: UnsafeMutablePointer<Int32>
  private var entries: UnsafeMutablePointer<Entry>
  /// The chunk of the last change, a guess of the next one's.
  private var recent = 0

  init(entries: Int) {
    capacity = max(1, entries / (Self.chunkMax / 2))
    directory = .allocate(capacity: capacity)
    free = .allocate(capacity: capacity)
    self.entries = .allocate(capacity: capacity * Self.chunkMax)
  }

  deinit {
    directory.deallocate()
    free.deallocate()
    entries.deallocate()
  }

  var isEmpty: Bool { count == 0 }

  /// Heap bytes taken so far.
  var memoryBytes: Int {
    let perEntry = MemoryLayout<Entry>.stride * Self.chunkMax
    return capacity * (perEntry + MemoryLayout<Chunk>.stride + MemoryLayout<Int32>.stride)
  }

  var best: (key: Int64, value: Int64)? {
    guard chunkCount > 0 else { return nil }
    let chunk = directory[chunkCount - 1]
    let at = Int(chunk.slot) * Self.chunkMax + Int(chunk.count) - 1
    return (entries[at].key, entries[at].value)
  }

  var worst: (key: Int64, value: Int64)? {
    guard chunkCount > 0 else { return nil }
    let at = Int(directory[0].slot) * Self.chunkMax
    return (entries[at].key, entries[at].value)
  }

  func value(of key: Int64) -> Int64? {
    guard chunkCount > 0 else { return nil }
    let chunk = directory[chunkIndex(of: key)]
    let base = Int(chunk.slot) * Self.chunkMax
    let position = lowerBound(of: key, base: base, count: Int(chunk.count))
    guard position < Int(chunk.count), entries[base + position].key == key else {
      return nil
    }
    return entries[base + position].value
  }

  /// Adds the key or replaces its value; returns the value it replaced.
  @discardableResult
  mutating func set(_ key: Int64, to value: Int64) -> Int64? {
    guard chunkCount > 0 else {
      let slot = takeSlot()
      directory[0] = Chunk(floor: key, slot: slot, count: 1)
      entries[Int(slot) * Self.chunkMax] = Entry(key: key, value: value)
      chunkCount = 1
      count = 1
      return nil
    }
    var index = nextChunkIndex(of: key)
    var base = Int(directory[index].slot) * Self.chunkMax
    var size = Int(directory[index].count)
    var position = lowerBound(of: key, base: base, count: size)
    if position < size, entries[base + position].key == key {
      let old = entries[base + position].value
      entries[base + position].value = value
      return old
    }
    if size == Self.chunkMax {
      split(index)
      size = Self.chunkMax / 2
      if position > size {
        index += 1
        position -= size
        base = Int(directory[index].slot) * Self.chunkMax
      }
    }
    let at = base + position
    (entries + at + 1).update(from: entries + at, count: size - position)
    entries[at] = Entry(key: key, value: value)
    directory[index].count = Int32(truncatingIfNeeded: size + 1)
    count += 1
    return nil
  }

  /// Removes the key; returns its value.
  @discardableResult
  mutating func remove(_ key: Int64) -> Int64? {
    guard chunkCount > 0 else { return nil }
    let index = nextChunkIndex(of: key)
    let base = Int(directory[index].slot) * Self.chunkMax
    let size = Int(directory[index].count)
    let position = lowerBound(of: key, base: base, count: size)
    guard position < size, entries[base + position].key == key else { return nil }
    return removeEntry(chunk: index, position: position)
  }

  mutating func removeWorst() {
    guard chunkCount > 0 else { return }
    removeEntry(chunk: 0, position: 0)
  }

  mutating func removeAll() {
    count = 0
    chunkCount = 0
    recent = 0
    used = 0
    freeCount = 0
  }

  /// Calls `body` from the best entry on, until it returns false.
  @inline(__always)
  func forEach(_ body: (_ key: Int64, _ value: Int64) -> Bool) {
    var index = chunkCount - 1
    while index >= 0 {
      let base = Int(directory[index].slot) * Self.chunkMax
      var at = base + Int(directory[index].count) - 1
      while at >= base {
        guard body(entries[at].key, entries[at].value) else { return }
        at -= 1
      }
      index -= 1
    }
  }
}

extension PriceLadder {
  /// The last chunk whose floor is not above the key, or the first chunk.
  @inline(__always)
  private func chunkIndex(of key: Int64) -> Int {
    var base = 0
    var length = chunkCount
    while length > 1 {
      let half = length >> 1
      base &+= half & ~Self.below(key, directory[base &+ half].floor)
      length &-= half
    }
    return base
  }

  /// The same for a change, which most often falls where the last one did, or in the chunk
  /// below it: a message goes from the touch outwards.
  @inline(__always)
  private mutating func nextChunkIndex(of key: Int64) -> Int {
    var guess = recent
    if guess < chunkCount, guess == chunkCount &- 1 || key < directory[guess &+ 1].floor {
      if guess == 0 || directory[guess].floor <= key { return guess }
      guess &-= 1
      if guess == 0 || directory[guess].floor <= key {
        recent = guess
        return guess
      }
    }
    recent = chunkIndex(of: key)
    return recent
  }

  /// How many of the chunk's keys are below `key`.
  @inline(__always)
  private func lowerBound(of key: Int64, base: Int, count: Int) -> Int {
    let chunk = entries + base
    var low = 0
    var length = count
    while length > 3 {
      let quarter = length >> 2
      let at = low &+ quarter &- 1
      let passed =
        Self.below(chunk[at].key, key) &+ Self.below(chunk[at &+ quarter].key, key)
        &+ Self.below(chunk[at &+ quarter &+ quarter].key, key)
      low &-= quarter &* passed
      length &-= quarter &* 3
    }
    while length > 1 {
      let half = length >> 1
      low &+= half & Self.below(chunk[low &+ half &- 1].key, key)
      length &-= half
    }
    return low &- Self.below(chunk[low].key, key)
  }

  /// All ones when `left < right`, else zero. Where a change falls cannot be predicted, and
  /// compilers turn comparisons back into branches, so the searches take the sign of the difference
  /// instead. Exact while keys lie within 2^63 of each other, which positive prices always do.
  @inline(__always)
  private static func below(_ left: Int64, _ right: Int64) -> Int {
    Int(truncatingIfNeeded: (left &- right) >> 63)
  }

  @discardableResult
  private mutating func removeEntry(chunk index: Int, position: Int) -> Int64 {
    let at = Int(directory[index].slot) * Self.chunkMax + position
    let old = entries[at].value
    let size = Int(directory[index].count) - 1
    (entries + at).update(from: entries + at + 1, count: size - position)
    directory[index].count = Int32(truncatingIfNeeded: size)
    count -= 1
    if size < Self.sparse { thin(index) }
    return old
  }

  /// Drops an empty chunk, or joins a sparse one to a neighbour with room.
  private mutating func thin(_ index: Int) {
    let room = Int32(Self.chunkMax * 3 / 4)
    if directory[index].count == 0 {
      dropChunk(index)
    } else if index + 1 < chunkCount, directory[index].count + directory[index + 1].count <= room {
      join(index)
    } else if index > 0, directory[index - 1].count + directory[index].count <= room {
      join(index - 1)
    }
  }

  /// Moves the next chunk's entries to the end of this one.
  private mutating func join(_ index: Int) {
    let next = directory[index + 1]
    let to = Int(directory[index].slot) * Self.chunkMax + Int(directory[index].count)
    let from = Int(next.slot) * Self.chunkMax
    (entries + to).update(from: entries + from, count: Int(next.count))
    directory[index].count += next.count
    dropChunk(index + 1)
  }

  private mutating func dropChunk(_ index: Int) {
    free[freeCount] = directory[index].slot
    freeCount += 1
    chunkCount -= 1
    (directory + index).update(from: directory + index + 1, count: chunkCount - index)
  }

  /// Moves the upper half of a full chunk to a new chunk after it.
  private mutating func split(_ index: Int) {
    let slot = takeSlot()
    let half = Self.chunkMax / 2
    let from = Int(directory[index].slot) * Self.chunkMax + half
    let to = Int(slot) * Self.chunkMax
    (entries + to).update(from: entries + from, count: half)
    directory[index].count = Int32(half)
    (directory + index + 2).update(from: directory + index + 1, count: chunkCount - index - 1)
    directory[index + 1] = Chunk(floor: entries[to].key, slot: slot, count: Int32(half))
    chunkCount += 1
  }

  private mutating func takeSlot() -> Int32 {
    if freeCount > 0 {
      freeCount -= 1
      return free[freeCount]
    }
    if Int(used) == capacity { grow() }
    used += 1
    return used - 1
  }

  private mutating func grow() {
    directory = Self.moved(directory, count: capacity, capacity: capacity * 2)
    free = Self.moved(free, count: capacity, capacity: capacity * 2)
    entries = Self.moved(
      entries, count: capacity * Self.chunkMax, capacity: capacity * 2 * Self.chunkMax)
    capacity *= 2
  }

  private static func moved<Element: BitwiseCopyable>(
    _ old: UnsafeMutablePointer<Element>, count: Int, capacity: Int
  ) -> UnsafeMutablePointer<Element> {
    let new = UnsafeMutablePointer<Element>.allocate(capacity: capacity)
    new.update(from: old, count: count)
    old.deallocate()
    return new
  }
}
