internal import Calls
private import Glibc

/// A method that a server serves; one object, so that a call holds it with one reference.
final class ServedMethod: Sendable {
  let descriptor: MethodDescriptor
  let handler: ServerMethod.Handler
  let path: [UInt8]
  let isUnary: Bool

  init(_ method: ServerMethod) {
    descriptor = method.descriptor
    handler = method.handler
    path = Array(method.descriptor.path.utf8)
    if case .unary = method.handler { isUnary = true } else { isUnary = false }
  }
}

/// The methods of a server by the bytes of their paths: open addressing, at most half full.
struct ServedMethods: Sendable {
  private let slots: [ServedMethod?]
  private let mask: Int

  init(_ methods: [ServerMethod]) {
    var size = 8
    while size < 2 * methods.count { size *= 2 }
    mask = size - 1
    var slots = [ServedMethod?](repeating: nil, count: size)
    for method in methods.map(ServedMethod.init) {
      var slot = method.path.withUnsafeBufferPointer { Self.hash($0) } & mask
      while let other = slots[slot] {
        precondition(other.path != method.path, "\(method.descriptor.path) is served twice")
        slot = (slot + 1) & mask
      }
      slots[slot] = method
    }
    self.slots = slots
  }

  func find(_ path: UnsafeBufferPointer<UInt8>) -> ServedMethod? {
    var slot = Self.hash(path) & mask
    while let method = slots[slot] {
      let isSame =
        method.path.count == path.count
        && method.path.withUnsafeBufferPointer {
          path.isEmpty || memcmp($0.baseAddress!, path.baseAddress!, path.count) == 0
        }
      if isSame { return method }
      slot = (slot + 1) & mask
    }
    return nil
  }

  /// Of the last 16 bytes and the count, which tell a server's methods apart. Callers choose the
  /// path they ask for but not what is in the table, so they cannot make it slow.
  private static func hash(_ path: UnsafeBufferPointer<UInt8>) -> Int {
    var hash = UInt64(truncatingIfNeeded: path.count)
    for byte in path.suffix(16) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return Int(truncatingIfNeeded: (hash ^ hash >> 32) & 0x7fff_ffff)
  }
}
