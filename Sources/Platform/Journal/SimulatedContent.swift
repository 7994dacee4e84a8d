internal import Chrono
internal import Glibc

/// What is on a simulated disk, and what of it is safe.
struct SimulatedContent {
  var bytesMax: Int
  var nodes: [Int: SimulatedNode] = [:]
  var names: [String: Int] = [:]
  var folders: Set<String> = []
  var locks: Set<String> = []
  var faults: [DiskFault] = []
  /// What may still be done before the power goes; nil without end.
  var budget: Int?
  /// A write that the device has not done, or elsewhere, although it said yes.
  var damage: Damage?
  /// One more after each crash: files and locks of an earlier one are dead.
  var session = 0
  var now = Instant.epoch
  private var stableNames: [String: Int] = [:]
  /// Changes of names since the folder was synced, in their order: a crash keeps the first of them.
  private var nameChanges: [NameChange] = []
  private var lastNode = 0

  enum NameChange {
    case make(String, Int)
    case move(from: String, to: String, Int)
    case remove(String)

    func apply(to names: inout [String: Int]) {
      switch self {
      case .make(let name, let node): names[name] = node
      case .move(let from, let to, let node):
        names[from] = nil
        names[to] = node
      case .remove(let name): names[name] = nil
      }
    }
  }

  struct Damage {
    /// Nil for a folder.
    let node: Int?
    /// A sync that saved nothing: the next one that does makes it good.
    var isSync = false
    var writesSince = 0
  }

  init(bytesMax: Int) { self.bytesMax = bytesMax }

  var isCut: Bool { budget == 0 }
  var bytesUsed: Int { Set(names.values).reduce(0) { $0 + nodes[$1]!.size } }

  // MARK: Changes

  mutating func create(_ file: String) throws(JournalError) {
    try spend(1, "open", file)
    guard names[file] == nil else { throw .failed("open", EEXIST, file) }
    lastNode += 1
    nodes[lastNode] = SimulatedNode(lastWritten: now)
    change(.make(file, lastNode))
  }

  mutating func change(_ change: NameChange) {
    change.apply(to: &names)
    nameChanges.append(change)
  }

  mutating func settleNames() {
    stableNames = names
    nameChanges = []
    if damage?.isSync == true, damage?.node == nil { damage = nil }
  }

  mutating func settle(_ node: Int) {
    nodes[node]!.settle()
    if damage?.isSync == true, damage?.node == node { damage = nil }
  }

  mutating func grow(
    _ node: Int, to size: Int, _ call: String, _ file: String
  ) throws(JournalError) {
    if let code = takeFault({ if case .failedAllocation(let code) = $0 { code } else { nil } }) {
      throw .failed(call, code, file)
    }
    let more = size - nodes[node]!.size
    guard more > 0 else { return }
    guard more <= bytesMax - bytesUsed else { throw .failed(call, ENOSPC, file) }
    nodes[node]!.grow(to: size)
  }

  mutating func write(
    _ bytes: [UInt8], _ node: Int, _ offset: Int, _ file: String
  ) throws(JournalError) {
    if damage?.node == node { damage?.writesSince += 1 }
    if takeFault({ $0 == .lostWrite ? true : nil }) != nil {
      damage = Damage(node: node)
      return
    }
    var offset = offset
    if let by = takeFault({ if case .misdirectedWrite(let by) = $0 { by } else { nil } }) {
      damage = Damage(node: node)
      offset = max(0, min(offset + by, nodes[node]!.size - bytes.count))
    }
    let failure = takeFault { if case .failedWrite(let code) = $0 { code } else { nil } }
    let count = min(failure == nil ? bytes.count : bytes.count / 2, budget ?? .max)
    if offset + count > nodes[node]!.size {
      try grow(node, to: offset + count, "pwrite", file)
    }
    nodes[node]!.put(bytes[0..<count], at: offset, now)
    if let failure { throw .failed("pwrite", failure, file) }
    try spend(bytes.count, "pwrite", file)
  }

  // MARK: Faults

  /// Throws when the power goes with it.
  mutating func spend(_ cost: Int, _ call: String, _ file: String) throws(JournalError) {
    guard let left = budget else { return }
    budget = max(0, left - cost)
    guard left >= cost, left > 0 else { throw .failed(call, EIO, file) }
  }

  /// True when the sync is to say yes without having saved.
  mutating func syncFails(
    _ call: String, _ node: Int?, _ file: String
  ) throws(JournalError) -> Bool {
    if let code = takeFault({ if case .failedSync(let code) = $0 { code } else { nil } }) {
      throw .failed(call, code, file)
    }
    guard takeFault({ $0 == .lostSync ? true : nil }) != nil else { return false }
    if damage == nil { damage = Damage(node: node, isSync: true) }
    return true
  }

  private mutating func takeFault<Value>(_ fits: (DiskFault) -> Value?) -> Value? {
    guard let index = faults.firstIndex(where: { fits($0) != nil }) else { return nil }
    return fits(faults.remove(at: index))
  }

  // MARK: Crashes

  mutating func losePower(using random: inout some RandomNumberGenerator) {
    let kept = Int.random(in: 0...nameChanges.count, using: &random)
    for change in nameChanges[0..<kept] { change.apply(to: &stableNames) }
    names = stableNames
    for node in nodes.keys.sorted() { nodes[node]!.losePower(using: &random) }
  }

  mutating func endSession() {
    settleNames()
    let named = Set(names.values)
    nodes = nodes.filter { named.contains($0.key) }
    for node in nodes.keys { nodes[node]!.settle() }
    session += 1
    locks = []
    faults = []
    budget = nil
  }
}

/// One file's bytes: as they are read, and as they would be after a crash. What was never written is
/// zero, and takes no room here.
struct SimulatedNode {
  private(set) var size = 0
  var lastWritten: Instant
  /// The beginning of the file; behind it is nothing but zeros.
  private var data: [UInt8] = []
  private var stableSize = 0
  private var stable: [UInt8] = []
  private var dirty: Set<Int> = []

  init(lastWritten: Instant) { self.lastWritten = lastWritten }

  /// All of it.
  var bytes: [UInt8] { data + repeatElement(0, count: size - data.count) }

  func read(_ count: Int, at offset: Int) -> [UInt8] {
    let end = min(size, offset + count)
    guard offset < end else { return [] }
    let written = data[min(offset, data.count)..<min(end, data.count)]
    return Array(written) + repeatElement(0, count: end - offset - written.count)
  }

  mutating func grow(to size: Int) { self.size = max(size, self.size) }

  mutating func put(_ bytes: ArraySlice<UInt8>, at offset: Int, _ now: Instant) {
    guard !bytes.isEmpty else { return }
    let end = offset + bytes.count
    Self.extend(&data, to: end)
    data.replaceSubrange(offset..<end, with: bytes)
    grow(to: end)
    touch(offset..<end)
    lastWritten = now
  }

  /// Other bytes, behind everybody's back and durable.
  mutating func replace(_ bytes: [UInt8]) {
    (data, size, dirty) = (bytes, bytes.count, [])
    (stable, stableSize) = (bytes, bytes.count)
  }

  mutating func truncate(to size: Int) {
    if size < self.size {
      if size < data.count { data.removeLast(data.count - size) }
      touch(size..<max(size, stable.count))
    }
    self.size = size
  }

  private mutating func touch(_ range: Range<Int>) {
    guard !range.isEmpty else { return }
    let sector = SimulatedDisk.sector
    for place in range.lowerBound / sector...(range.upperBound - 1) / sector {
      dirty.insert(place)
    }
  }

  private static func extend(_ bytes: inout [UInt8], to count: Int) {
    if bytes.count < count { bytes += repeatElement(0, count: count - bytes.count) }
  }

  /// A sync that worked.
  mutating func settle() {
    resizeStable()
    for sector in dirty { copy(sector) }
    dirty.removeAll(keepingCapacity: true)
  }

  /// A sync that failed: what was to be saved is no longer remembered as unsaved.
  mutating func forget() { dirty = [] }

  /// What is unsynced goes: all of it, none of it, sectors by chance, or all behind one that is torn.
  mutating func losePower(using random: inout some RandomNumberGenerator) {
    if size != stableSize, Bool.random(using: &random) { resizeStable() }
    let sectors = dirty.sorted()
    switch Int.random(in: 0..<4, using: &random) {
    case 0: break
    case 1: for sector in sectors { copy(sector) }
    case 2: for sector in sectors where Bool.random(using: &random) { copy(sector) }
    default:
      let kept = Int.random(in: 0...sectors.count, using: &random)
      for sector in sectors[0..<kept] { copy(sector) }
      if kept < sectors.count {
        copy(sectors[kept], Int.random(in: 0..<SimulatedDisk.sector, using: &random))
      }
    }
    dirty = []
    (data, size) = (stable, stableSize)
  }

  private mutating func resizeStable() {
    if stable.count > size { stable.removeLast(stable.count - size) }
    stableSize = size
  }

  /// The first bytes of a sector, from what is read to what is safe.
  private mutating func copy(_ sector: Int, _ count: Int = SimulatedDisk.sector) {
    let start = sector * SimulatedDisk.sector
    let end = min(start + count, size, stableSize)
    guard start < end else { return }
    let written = max(start, min(end, data.count))
    if start < written {
      Self.extend(&stable, to: written)
      stable.replaceSubrange(start..<written, with: data[start..<written])
    }
    // Cut off, and grown again.
    for place in written..<max(written, min(end, stable.count)) { stable[place] = 0 }
  }
}
