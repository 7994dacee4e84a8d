internal import CLinux
internal import Glibc

/// What a descriptor is ready for, or what one waits for (`error` and `hangup` are always reported).
package struct Readiness: OptionSet, Sendable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  package static let readable = Readiness(rawValue: 1)
  package static let writable = Readiness(rawValue: 2)
  package static let error = Readiness(rawValue: 4)
  package static let hangup = Readiness(rawValue: 8)

  init(mask: UInt32) {
    var readiness: Readiness = []
    if mask & CLINUX_READABLE != 0 { readiness.insert(.readable) }
    if mask & CLINUX_WRITABLE != 0 { readiness.insert(.writable) }
    if mask & CLINUX_ERROR != 0 { readiness.insert(.error) }
    if mask & CLINUX_HANGUP != 0 { readiness.insert(.hangup) }
    self = readiness
  }

  var mask: UInt32 {
    var mask: UInt32 = 0
    if contains(.readable) { mask |= CLINUX_READABLE }
    if contains(.writable) { mask |= CLINUX_WRITABLE }
    return mask
  }
}

/// Told on the loop's thread that its descriptor is ready.
package protocol Pollable: AnyObject {
  func ready(_ readiness: Readiness)
}

/// Memory that others write to, which a loop looks at without a system call while it is awake. A loop
/// that sleeps is woken by a descriptor, which the writer is asked for: see `sleeps`.
package protocol WatchedMemory: AnyObject {
  /// Takes what has come; true when there was something.
  func look() -> Bool
  /// The loop is about to sleep, and wants to be woken. False: something has come meanwhile.
  func sleeps() -> Bool
  /// It is awake again.
  func wakes()
}

/// A descriptor's place in the loop. Stale ones are harmless.
package struct Registration: Sendable, Hashable {
  let index: Int
  let generation: UInt32
  var tag: UInt64 { UInt64(generation) << 32 | UInt64(index) }
}

/// A system call that failed, with its errno.
package struct SystemError: Error, Hashable, CustomStringConvertible {
  package let call: String
  package let code: Int32

  package init(_ call: String, code: Int32 = clinux_errno()) {
    self.call = call
    self.code = code
  }

  package var description: String { "\(call): \(String(cString: strerror(code))) (errno \(code))" }
}
