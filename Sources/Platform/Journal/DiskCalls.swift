internal import Glibc

/// The two system calls whose failure ends a journal, so that tests can make them fail.
struct DiskCalls: Sendable {
  var write: @Sendable (_ fd: Int32, _ bytes: UnsafeRawBufferPointer, _ offset: Int) -> Int
  var sync: @Sendable (_ fd: Int32) -> Int32

  static let system = DiskCalls(
    write: { pwrite($0, $1.baseAddress, $1.count, $2) },
    sync: { fdatasync($0) })
}
