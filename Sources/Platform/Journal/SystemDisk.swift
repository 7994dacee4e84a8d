internal import CLinux
internal import Chrono
internal import Glibc
internal import Loop

/// The machine's disk, by its system calls.
package struct SystemDisk: JournalDisk {
  package init() {}

  package func makeFolder(_ path: String) throws(JournalError) {
    var made = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
      made += "/" + part
      guard mkdir(made, 0o700) == 0 || errno == EEXIST else {
        throw .storage(SystemError("mkdir"), file: made)
      }
    }
  }

  package func lock(_ file: String, of folder: String) throws(JournalError) -> any DiskLock {
    let descriptor = try Descriptor(file, O_RDWR | O_CREAT)
    guard flock(descriptor.fd, LOCK_EX | LOCK_NB) == 0 else {
      if errno == EWOULDBLOCK { throw .locked(directory: folder) }
      throw .storage(SystemError("flock"), file: file)
    }
    return SystemLock(descriptor)
  }

  package func names(in path: String) throws(JournalError) -> [String] {
    guard let folder = opendir(path) else { throw .storage(SystemError("opendir"), file: path) }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      names.append(
        withUnsafeBytes(of: entry.pointee.d_name) { raw in
          String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
        })
    }
    return names
  }

  package func open(_ file: String, _ mode: DiskMode) throws(JournalError) -> any DiskFile {
    let flags =
      switch mode {
      case .reading: O_RDONLY
      case .writing: O_RDWR
      case .creating: O_RDWR | O_CREAT | O_EXCL
      }
    return SystemFile(file, try Descriptor(file, flags))
  }

  package func rename(_ file: String, to name: String) throws(JournalError) {
    guard Glibc.rename(file, name) == 0 else { throw .storage(SystemError("rename"), file: file) }
  }

  package func remove(_ file: String) throws(JournalError) {
    guard unlink(file) == 0 else { throw .storage(SystemError("unlink"), file: file) }
  }

  package func sync(folder path: String) throws(JournalError) {
    let folder = try Descriptor(path, O_RDONLY | O_DIRECTORY)
    guard fsync(folder.fd) == 0 else { throw .storage(SystemError("fsync"), file: path) }
  }
}

/// A file descriptor that closes with its last owner.
private final class Descriptor: Sendable {
  let fd: Int32

  init(_ file: String, _ flags: Int32) throws(JournalError) {
    fd = clinux_open(file, flags, 0o600)
    guard fd >= 0 else { throw .storage(SystemError("open"), file: file) }
  }

  deinit { if fd >= 0 { close(fd) } }
}

private final class SystemLock: DiskLock {
  private let descriptor: Descriptor

  init(_ descriptor: Descriptor) { self.descriptor = descriptor }

  /// Not by closing: a reader may still hold this object, and the next opener must not wait for it.
  func release() { flock(descriptor.fd, LOCK_UN) }
}

private final class SystemFile: DiskFile {
  let path: String
  private let descriptor: Descriptor

  init(_ path: String, _ descriptor: Descriptor) {
    self.path = path
    self.descriptor = descriptor
  }

  func status() throws(JournalError) -> DiskFileStatus {
    var status = stat()
    guard fstat(descriptor.fd, &status) == 0 else { throw failed("fstat") }
    let written = Instant(
      nanoseconds: Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec))
    return DiskFileStatus(bytes: Int(status.st_size), lastWritten: written)
  }

  func preallocate(_ size: Int) throws(JournalError) {
    let code = posix_fallocate(descriptor.fd, 0, size)
    guard code == 0 else { throw .storage(SystemError("posix_fallocate", code: code), file: path) }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(JournalError) {
    var done = 0
    while done < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
      let count = pwrite(descriptor.fd, rest.baseAddress, rest.count, offset + done)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw failed("pwrite") }
      done += count
    }
  }

  func read(_ count: Int, at offset: Int) throws(JournalError) -> [UInt8] {
    var read = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      read = pread(descriptor.fd, buffer.baseAddress, count, offset)
      initialized = max(0, read)
    }
    guard read >= 0 else { throw failed("pread") }
    return bytes
  }

  /// The journal's lock keeps others from shortening the file meanwhile.
  func withBytes<Result>(
    _ body: (UnsafeRawBufferPointer) throws(JournalError) -> Result
  ) throws(JournalError) -> Result {
    let size = try status().bytes
    guard size > 0 else { return try body(UnsafeRawBufferPointer(start: nil, count: 0)) }
    guard let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor.fd, 0),
      start != MAP_FAILED
    else { throw failed("mmap") }
    defer { munmap(start, size) }
    madvise(start, size, MADV_SEQUENTIAL)
    return try body(UnsafeRawBufferPointer(start: start, count: size))
  }

  func sync() throws(JournalError) {
    guard fdatasync(descriptor.fd) == 0 else { throw failed("fdatasync") }
  }

  func syncWhole() throws(JournalError) {
    guard fsync(descriptor.fd) == 0 else { throw failed("fsync") }
  }

  func truncate(to size: Int) throws(JournalError) {
    guard ftruncate(descriptor.fd, size) == 0 else { throw failed("ftruncate") }
  }

  private func failed(_ call: String) -> JournalError { .storage(SystemError(call), file: path) }
}
