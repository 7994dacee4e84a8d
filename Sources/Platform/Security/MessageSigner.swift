internal import COpenSSL
private import Synchronization

/// HMAC-SHA256 or HMAC-SHA512 with one key for many messages: the key's two blocks are hashed once
/// (RFC 2104, section 4), and each message costs only itself.
package final class MessageSigner: Sendable {
  package enum Hash: Sendable, Hashable {
    case sha256
    case sha512

    /// Bytes of a tag.
    package var count: Int { self == .sha256 ? 32 : 64 }
  }

  private let state: Mutex<State>
  private let hash: Hash

  package init(key: [UInt8], _ hash: Hash = .sha256) {
    state = Mutex(State(key, hash))
    self.hash = hash
  }

  /// 32 bytes, or 64.
  package func tag(_ message: [UInt8]) -> [UInt8] {
    var tag = [UInt8](repeating: 0, count: hash.count)
    state.withLock { $0.write(message, &tag) }
    return tag
  }

  /// Appends the tag of what is there, as lower-case hexadecimal digits behind `name`:
  /// `&signature=...`.
  package func sign(_ message: inout [UInt8], _ name: StaticString) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: hash.count) { tag in
      state.withLock { $0.write(message, tag.baseAddress!) }
      message.append(
        contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
      for byte in tag {
        message.append(Self.digit(byte >> 4))
        message.append(Self.digit(byte & 15))
      }
    }
  }

  private static func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") - 10 + value
  }

  /// `@unchecked Sendable`: one owner, the lock.
  private struct State: ~Copyable, @unchecked Sendable {
    private let mac: OpaquePointer

    init(_ key: [UInt8], _ hash: Hash) {
      // A null key means "the previous key" to OpenSSL, and an empty array may have no address; a
      // key of one zero byte is the empty one, as both are padded with zeros.
      let key = key.isEmpty ? [0] : key
      guard
        let mac = copenssl_mac_new(
          hash == .sha256 ? copenssl_sha256() : copenssl_sha512(), key, Int32(key.count))
      else {
        fatalError("no memory for a signing key")
      }
      self.mac = mac
    }

    deinit { copenssl_mac_free(mac) }

    func write(_ message: [UInt8], _ tag: UnsafeMutablePointer<UInt8>) {
      let done = message.withUnsafeBufferPointer { buffer in
        // An empty message may have no address either.
        buffer.baseAddress.map { copenssl_mac_tag(mac, $0, buffer.count, tag) }
          ?? copenssl_mac_tag(mac, tag, 0, tag)
      }
      precondition(done == 1, "HMAC tags every message")
    }
  }
}
