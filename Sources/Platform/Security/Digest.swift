internal import COpenSSL

/// SHA-256, HMAC-SHA256 and HMAC-SHA512, over whole messages.
package enum Digest {
  /// 32 bytes.
  package static func sha256(_ message: [UInt8]) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    var count: UInt32 = 32
    let code = EVP_Digest(message, message.count, &digest, &count, copenssl_sha256(), nil)
    precondition(code == 1, "SHA-256 digests every message")
    return digest
  }

  /// 32 bytes.
  package static func hmacSHA256(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
    var tag = [UInt8](repeating: 0, count: 32)
    var count: UInt32 = 32
    // A null key means "the previous key" to OpenSSL, and an empty array may have no address.
    let key = key.isEmpty ? [0] : key
    let code = HMAC(copenssl_sha256(), key, Int32(key.count), message, message.count, &tag, &count)
    precondition(code != nil, "HMAC-SHA256 tags every message")
    return tag
  }

  /// 64 bytes.
  package static func hmacSHA512(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
    var tag = [UInt8](repeating: 0, count: 64)
    var count: UInt32 = 64
    // As above.
    let key = key.isEmpty ? [0] : key
    let code = HMAC(copenssl_sha512(), key, Int32(key.count), message, message.count, &tag, &count)
    precondition(code != nil, "HMAC-SHA512 tags every message")
    return tag
  }

  /// Compares in a time that depends on the lengths only.
  package static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
  }
}

/// Bytes that nobody can guess.
package enum SecureRandom {
  package static func bytes(_ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    precondition(RAND_bytes(&bytes, Int32(count)) == 1, "the random generator failed")
    return bytes
  }
}
