package import Chrono
internal import Glibc
internal import Loop
private import Synchronization

/// A fault that the disk shows once, at the next call that it fits.
package enum DiskFault: Sendable, Hashable {
  /// The write fails with half of its bytes written.
  case failedWrite(code: Int32)
  /// The sync fails, and what it should have saved counts as clean from then on, as in Linux: no
  /// later sync saves it.
  case failedSync(code: Int32)
  case failedAllocation(code: Int32)
  /// The device says yes and has saved nothing.
  case lostSync
  /// The device says yes and has written nothing.
  case lostWrite
  /// The bytes land so many bytes further, as far as the file reaches.
  case misdirectedWrite(by: Int)
}

package enum DiskCrash: Sendable, Hashable {
  /// The process ends: what it wrote stays, synced or not.
  case process
  /// The machine ends: of what was not synced, sectors stay or go by chance, and names too.
  case power
}

/// A disk in memory that knows what was synced and what not, and fails as it is told to; the same
/// calls and the same generator give the same disk, byte for byte.
package final class SimulatedDisk: JournalDisk {
  static let sector = 512

  fileprivate let content: Mutex<SimulatedContent>
  /// A second device that does what the first was told to do, without its faults; nil for a single one.
  private let replica: Mutex<SimulatedContent?>
  private let time: any TimeSource

  package init(bytesMax: Int = .max, time: any TimeSource, isReplicated: Bool = false) {
    self.time = time
    self.content = Mutex(SimulatedContent(bytesMax: bytesMax))
    self.replica = Mutex(isReplicated ? SimulatedContent(bytesMax: .max) : nil)
  }

  // MARK: Faults

  /// What all files together may take; less than they do leaves no space at all.
  package var bytesMax: Int {
    get { content.withLock { $0.bytesMax } }
    set { content.withLock { $0.bytesMax = newValue } }
  }

  package var bytesUsed: Int { content.withLock { $0.bytesUsed } }

  package func inject(_ fault: DiskFault, times: Int = 1) {
    content.withLock { $0.faults += repeatElement(fault, count: times) }
  }

  /// Forgets the faults that have not been met yet.
  package func clearFaults() { content.withLock { $0.faults = [] } }

  /// The machine ends when so much more has been done: a byte written counts one, and so does every
  /// other change. Until `crash` each call fails.
  package func cutPower(after budget: Int) { content.withLock { $0.budget = budget } }

  package var isCut: Bool { content.withLock { $0.isCut } }

  /// Ends whoever has files open or locks: their calls fail from then on. What others find is what the
  /// kind of crash leaves.
  package func crash(_ kind: DiskCrash, using random: inout some RandomNumberGenerator) {
    let whole = content.withLock { content -> SimulatedContent? in
      if kind == .power { content.losePower(using: &random) }
      content.endSession()
      return content.damage == nil ? content : nil
    }
    replica.withLock { replica in
      guard replica != nil else { return }
      if let whole {
        // Two devices that lose their power lose the same.
        replica = whole
        replica!.bytesMax = .max
      } else {
        if kind == .power { replica!.losePower(using: &random) }
        replica!.endSession()
      }
    }
  }

  // MARK: Damage, and what helps

  /// Whether a write was lost or misdirected, and how many have followed it in the same file: where
  /// none has, a log ends early, and nothing in it can tell.
  package var writesBehindDamage: Int? { content.withLock { $0.damage?.writesSince } }

  /// Puts the second device in the place of the first. Nobody may have it open.
  package func restoreReplica() {
    guard var whole = replica.withLock({ $0 }) else { return }
    content.withLock { content in
      whole.bytesMax = content.bytesMax
      whole.session = content.session
      content = whole
    }
  }

  /// All of it, as it is at this moment.
  package struct Image: Sendable {
    fileprivate let content: SimulatedContent
  }

  package var image: Image { Image(content: content.withLock { $0 }) }

  /// Puts a copy back, as from a backup. Nobody may have the disk open.
  package func restore(_ image: Image) {
    for disk in [true, false] {
      func back(_ content: inout SimulatedContent) {
        var copy = image.content
        (copy.bytesMax, copy.session) = (content.bytesMax, content.session)
        copy.endSession()
        content = copy
      }
      if disk {
        content.withLock { back(&$0) }
      } else {
        replica.withLock { replica in
          guard var content = replica else { return }
          back(&content)
          replica = content
        }
      }
    }
  }

  /// The bytes of a file as a reader sees them; nil when there is none.
  package func bytes(of file: String) -> [UInt8]? {
    content.withLock { content in content.names[file].map { content.nodes[$0]!.bytes } }
  }

  /// Changes a file behind everybody's back, and durably.
  package func change(_ file: String, _ body: (inout [UInt8]) -> Void) {
    content.withLock { content in
      guard let node = content.names[file] else { return }
      var bytes = content.nodes[node]!.bytes
      body(&bytes)
      content.nodes[node]!.replace(bytes)
    }
  }

  // MARK: Calls

  /// Whose calls fail from the next crash on, whoever still makes them.
  package func attached() -> any JournalDisk {
    AttachedDisk(disk: self, session: content.withLock { $0.session })
  }

  package func makeFolder(_ path: String) throws(JournalError) {
    try attached().makeFolder(path)
  }
  package func lock(_ file: String, of folder: String) throws(JournalError) -> any DiskLock {
    try attached().lock(file, of: folder)
  }
  package func names(in folder: String) throws(JournalError) -> [String] {
    try attached().names(in: folder)
  }
  package func open(_ file: String, _ mode: DiskMode) throws(JournalError) -> any DiskFile {
    try attached().open(file, mode)
  }
  package func rename(_ file: String, to name: String) throws(JournalError) {
    try attached().rename(file, to: name)
  }
  package func remove(_ file: String) throws(JournalError) { try attached().remove(file) }
  package func sync(folder: String) throws(JournalError) { try attached().sync(folder: folder) }

  fileprivate func use<Result: Sendable>(
    _ session: Int, _ path: String, changes: Bool = true,
    _ body: (inout SimulatedContent) throws(JournalError) -> Result
  ) throws(JournalError) -> Result {
    let now = time.now
    let result = try content.withLock { content throws(JournalError) in
      guard content.session == session else {
        throw .failed("a call after the crash", EIO, path)
      }
      content.now = now
      return try body(&content)
    }
    if changes { repeatOnReplica(now, body) }
    return result
  }

  private func repeatOnReplica<Result: Sendable>(
    _ now: Instant, _ body: (inout SimulatedContent) throws(JournalError) -> Result
  ) {
    replica.withLock { replica in
      guard replica != nil else { return }
      replica!.now = now
      // The first has lost with the power what this one has not: they are no pair any more.
      do throws(JournalError) { _ = try body(&replica!) } catch { replica = nil }
    }
  }
}

private struct AttachedDisk: JournalDisk {
  let disk: SimulatedDisk
  let session: Int

  func makeFolder(_ path: String) throws(JournalError) {
    try disk.use(session, path) { content throws(JournalError) in
      try content.spend(1, "mkdir", path)
      content.folders.insert(path)
    }
  }

  func lock(_ file: String, of folder: String) throws(JournalError) -> any DiskLock {
    try disk.use(session, file) { content throws(JournalError) in
      guard content.locks.insert(file).inserted else { throw .locked(directory: folder) }
    }
    return SimulatedLock(disk, file, session)
  }

  func names(in folder: String) throws(JournalError) -> [String] {
    try disk.use(session, folder, changes: false) { content throws(JournalError) in
      guard content.folders.contains(folder) else { throw .failed("opendir", ENOENT, folder) }
      return content.names.keys.filter { $0.hasPrefix(folder + "/") }.map {
        String($0.dropFirst(folder.count + 1))
      }.sorted()
    }
  }

  func open(_ file: String, _ mode: DiskMode) throws(JournalError) -> any DiskFile {
    let node = try disk.use(session, file) { content throws(JournalError) in
      if mode == .creating { try content.create(file) }
      guard let node = content.names[file] else { throw .failed("open", ENOENT, file) }
      return node
    }
    return SimulatedFile(disk, file, node, session)
  }

  func rename(_ file: String, to name: String) throws(JournalError) {
    try disk.use(session, file) { content throws(JournalError) in
      try content.spend(1, "rename", file)
      guard let node = content.names[file] else { throw .failed("rename", ENOENT, file) }
      content.change(.move(from: file, to: name, node))
    }
  }

  func remove(_ file: String) throws(JournalError) {
    try disk.use(session, file) { content throws(JournalError) in
      try content.spend(1, "unlink", file)
      guard content.names[file] != nil else { throw .failed("unlink", ENOENT, file) }
      content.change(.remove(file))
    }
  }

  func sync(folder: String) throws(JournalError) {
    try disk.use(session, folder) { content throws(JournalError) in
      try content.spend(1, "fsync", folder)
      if try content.syncFails("fsync", nil, folder) { return }
      content.settleNames()
    }
  }
}

private final class SimulatedLock: DiskLock {
  private let disk: SimulatedDisk
  private let file: String
  private let session: Int

  init(_ disk: SimulatedDisk, _ file: String, _ session: Int) {
    self.disk = disk
    self.file = file
    self.session = session
  }

  func release() {
    do throws(JournalError) {
      try disk.use(session, file) { content in _ = content.locks.remove(file) }
    } catch {
      // The crash has released it.
    }
  }

  deinit { release() }
}

private final class SimulatedFile: DiskFile {
  let path: String
  let node: Int
  let session: Int
  private let disk: SimulatedDisk

  init(_ disk: SimulatedDisk, _ path: String, _ node: Int, _ session: Int) {
    self.disk = disk
    self.path = path
    self.node = node
    self.session = session
  }

  func status() throws(JournalError) -> DiskFileStatus {
    try disk.use(session, path, changes: false) { content in
      let node = content.nodes[node]!
      return DiskFileStatus(bytes: node.size, lastWritten: node.lastWritten)
    }
  }

  func preallocate(_ size: Int) throws(JournalError) {
    try disk.use(session, path) { content throws(JournalError) in
      try content.spend(1, "posix_fallocate", path)
      try content.grow(node, to: size, "posix_fallocate", path)
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(JournalError) {
    let bytes = Array(bytes)
    try disk.use(session, path) { content throws(JournalError) in
      try content.write(bytes, node, offset, path)
    }
  }

  func read(_ count: Int, at offset: Int) throws(JournalError) -> [UInt8] {
    try disk.use(session, path, changes: false) { content in
      content.nodes[node]!.read(count, at: offset)
    }
  }

  func withBytes<Result>(
    _ body: (UnsafeRawBufferPointer) throws(JournalError) -> Result
  ) throws(JournalError) -> Result {
    let data = try disk.use(session, path, changes: false) { $0.nodes[node]!.bytes }
    return try data.span.bytes.withUnsafeBytes(body)
  }

  func sync() throws(JournalError) {
    try disk.use(session, path) { content throws(JournalError) in
      try content.spend(1, "fdatasync", path)
      do throws(JournalError) {
        if try content.syncFails("fdatasync", node, path) { return }
      } catch {
        content.nodes[node]!.forget()
        throw error
      }
      content.settle(node)
    }
  }

  func syncWhole() throws(JournalError) { try sync() }

  func truncate(to size: Int) throws(JournalError) {
    try disk.use(session, path) { content throws(JournalError) in
      try content.spend(1, "ftruncate", path)
      content.nodes[node]!.truncate(to: size)
    }
  }
}

extension JournalError {
  static func failed(_ call: String, _ code: Int32, _ file: String) -> JournalError {
    .storage(SystemError(call, code: code), file: file)
  }
}
