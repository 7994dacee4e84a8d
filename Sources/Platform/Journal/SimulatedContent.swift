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

  init(bytesMax: Int) { self.bytesMax = bytesMax }

  var isCut: Bool { budget == 0 }
  var bytesUsed: Int { Set(names.values).reduce(0) { $0 + nodes[$1]!.data.count } }

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
  }

  mutating func grow(
    _ node: Int, to size: Int, _ call: String, _ file: String
  ) throws(JournalError) {
    if let code = takeFault({ if case .failedAllocation(let code) = $0 { code } else { nil } }) {
      throw .failed(call, code, file)
    }
    let more = size - nodes[node]!.data.count
    guard more > 0 else { return }
    guard more <= bytesMax - bytesUsed else { throw .failed(call, ENOSPC, file) }
    nodes[node]!.data += repeatElement(0, count: more)
  }

  mutating func write(
    _ bytes: [UInt8], _ node: Int, _ offset: Int, _ file: String
  ) throws(JournalError) {
    if takeFault({ $0 == .lostWrite ? true : nil }) != nil { return }
    var offset = offset
    if let by = takeFault({ if case .misdirectedWrite(let by) = $0 { by } else { nil } }) {
      offset = max(0, min(offset + by, nodes[node]!.data.count - bytes.count))
    }
    let failure = takeFault { if case .failedWrite(let code) = $0 { code } else { nil } }
    let count = min(failure == nil ? bytes.count : bytes.count / 2, budget ?? .max)
    if offset + count > nodes[node]!.data.count {
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
  mutating func syncFails(_ call: String, _ file: String) throws(JournalError) -> Bool {
    if let code = takeFault({ if case .failedSync(let code) = $0 { code } else { nil } }) {
      throw .failed(call, code, file)
    }
    return takeFault { $0 == .lostSync ? true : nil } != nil
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

/// One file's bytes: as they are read, and as they would be after a crash.
struct SimulatedNode {
  var data: [UInt8] = []
  var lastWritten: Instant
  private var stable: [UInt8] = []
  private var dirty: Set<Int> = []

  init(lastWritten: Instant) { self.lastWritten = lastWritten }

  mutating func put(_ bytes: ArraySlice<UInt8>, at offset: Int, _ now: Instant) {
    guard !bytes.isEmpty else { return }
    data.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    touch(offset..<offset + bytes.count)
    lastWritten = now
  }

  mutating func truncate(to size: Int) {
    if size < data.count {
      data.removeLast(data.count - size)
      touch(size..<max(size, stable.count))
    } else {
      data += repeatElement(0, count: size - data.count)
    }
  }

  private mutating func touch(_ range: Range<Int>) {
    guard !range.isEmpty else { return }
    let sector = SimulatedDisk.sector
    dirty.formUnion(range.lowerBound / sector...(range.upperBound - 1) / sector)
  }

  /// A sync that worked.
  mutating func settle() {
    resizeStable()
    for sector in dirty { copy(sector) }
    dirty = []
  }

  /// A sync that failed: what was to be saved is no longer remembered as unsaved.
  mutating func forget() { dirty = [] }

  /// What is unsynced goes: all of it, none of it, sectors by chance, or all behind one that is torn.
  mutating func losePower(using random: inout some RandomNumberGenerator) {
    if data.count != stable.count, Bool.random(using: &random) { resizeStable() }
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
    data = stable
  }

  private mutating func resizeStable() {
    if stable.count > data.count { stable.removeLast(stable.count - data.count) }
    if stable.count < data.count { stable += repeatElement(0, count: data.count - stable.count) }
  }

  /// The first bytes of a sector, from what is read to what is safe.
  private mutating func copy(_ sector: Int, _ count: Int = SimulatedDisk.sector) {
    let start = sector * SimulatedDisk.sector
    let end = min(start + count, data.count, stable.count)
    guard start < end else { return }
    stable.replaceSubrange(start..<end, with: data[start..<end])
  }
}
