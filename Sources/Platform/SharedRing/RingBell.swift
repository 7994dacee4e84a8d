internal import CLinux
internal import Glibc

/// How a reader that sleeps is woken: a named pipe beside the ring, which its event loop waits for as
/// for any other descriptor, so that a wake-up is one system call here and one there.
///
/// There are 64, each with a bit in the ring and a lock; a reader that dies leaves a pipe that is rung
/// at most once more, and that the next reader takes.
struct RingBell {
  let number: Int
  let descriptor: Int32

  var bit: UInt64 { 1 << UInt64(number) }

  /// The first that nobody has; `file` is the ring's.
  init(_ path: String, _ file: Int32) throws(RingError) {
    for number in 0..<RingLayout.bellsMax
    where clinux_lock_byte(file, RingLayout.LockedByte.bell(number)) == 0 {
      do throws(RingError) {
        descriptor = try Self.open(RingBells.path(path, number), make: true)
      } catch {
        clinux_unlock_byte(file, RingLayout.LockedByte.bell(number))
        throw error
      }
      self.number = number
      silence()
      return
    }
    throw RingError(path, "\(RingLayout.bellsMax) readers have a bell")
  }

  func leave(_ file: Int32) {
    clinux_unlock_byte(file, RingLayout.LockedByte.bell(number))
    close(descriptor)
  }

  func silence() {
    var bytes = InlineArray<64, UInt8>(repeating: 0)
    while withUnsafeMutableBytes(of: &bytes, { read(descriptor, $0.baseAddress, 64) }) == 64 {}
  }

  /// For reading and writing, whoever opens it: nobody's end is the other's SIGPIPE.
  static func open(_ path: String, make: Bool) throws(RingError) -> Int32 {
    if make, mkfifo(path, 0o600) != 0, errno != EEXIST { throw .system(path, "mkfifo") }
    let descriptor = clinux_open(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW, 0)
    guard descriptor >= 0 else { throw .system(path, "open") }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFIFO,
      status.st_uid == geteuid()
    else {
      close(descriptor)
      throw RingError(path, "is no pipe of ours")
    }
    return descriptor
  }
}

/// The writer's side of all bells.
struct RingBells: ~Copyable {
  /// By number, opened when first rung; -1 for those that were not.
  private var descriptors = InlineArray<64, Int32>(repeating: -1)

  deinit {
    for number in 0..<RingLayout.bellsMax where descriptors[number] >= 0 {
      close(descriptors[number])
    }
  }

  static func path(_ ring: String, _ number: Int) -> String { "\(ring).bell-\(number)" }

  static func remove(_ ring: String) {
    for number in 0..<RingLayout.bellsMax { unlink(path(ring, number)) }
  }

  /// Rings those with a bit. A pipe that is full is heard anyway; one that is not there has nobody.
  @inline(never)
  mutating func ring(_ bits: UInt64, _ path: String) -> Int {
    var rest = bits
    while rest != 0 {
      let number = rest.trailingZeroBitCount
      rest &= rest - 1
      if descriptors[number] < 0 {
        do throws(RingError) {
          descriptors[number] = try RingBell.open(Self.path(path, number), make: false)
        } catch {
          continue
        }
      }
      var mark: UInt8 = 1
      _ = write(descriptors[number], &mark, 1)
    }
    return bits.nonzeroBitCount
  }
}
