internal import COpenSSL

/// An Ed25519 key pair (RFC 8032). `@unchecked Sendable`: the key is immutable, and OpenSSL reads
/// it under its own locks.
package final class SigningKey: @unchecked Sendable {
  private let key: OpaquePointer

  private init(_ key: OpaquePointer) { self.key = key }
  deinit { EVP_PKEY_free(key) }

  package static func generate() throws(TLSError) -> SigningKey {
    guard let key = copenssl_ed25519_new() else { throw TLSError.last("no Ed25519 key") }
    return SigningKey(key)
  }

  /// 32 bytes, the seed of RFC 8032.
  package convenience init(raw: [UInt8]) throws(TLSError) {
    guard let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, raw, raw.count) else {
      throw TLSError.last("not an Ed25519 key")
    }
    self.init(key)
  }

  /// PKCS #8 PEM.
  package convenience init(pem: String) throws(TLSError) {
    var pem = pem
    let key = pem.withUTF8Characters { bytes, count -> OpaquePointer? in
      guard let bio = BIO_new_mem_buf(bytes, count) else { return nil }
      defer { BIO_free(bio) }
      return PEM_read_bio_PrivateKey(bio, nil, nil, nil)
    }
    guard let key else { throw TLSError.last("not a private key") }
    guard EVP_PKEY_get_id(key) == EVP_PKEY_ED25519 else {
      EVP_PKEY_free(key)
      throw TLSError("not an Ed25519 key")
    }
    self.init(key)
  }

  package var pem: String {
    guard let bio = BIO_new(BIO_s_mem()) else { preconditionFailure("out of memory") }
    defer { BIO_free(bio) }
    PEM_write_bio_PrivateKey(bio, key, nil, nil, 0, nil, nil)
    return text(of: bio)
  }

  package var publicKey: VerifyingKey {
    var raw = [UInt8](repeating: 0, count: 32)
    var count = raw.count
    let code = EVP_PKEY_get_raw_public_key(key, &raw, &count)
    precondition(code == 1 && count == 32, "an Ed25519 key has a public half")
    return VerifyingKey(checked: raw)
  }

  /// 64 bytes.
  package func sign(_ message: [UInt8]) -> [UInt8] {
    guard let context = EVP_MD_CTX_new() else { preconditionFailure("out of memory") }
    defer { EVP_MD_CTX_free(context) }
    var signature = [UInt8](repeating: 0, count: 64)
    var count = signature.count
    let signed =
      EVP_DigestSignInit(context, nil, nil, nil, key) == 1
      && EVP_DigestSign(context, &signature, &count, message, message.count) == 1
    precondition(signed && count == 64, "Ed25519 signs every message")
    return signature
  }
}

/// An Ed25519 public key.
package struct VerifyingKey: Sendable, Hashable {
  /// 32 bytes.
  package let raw: [UInt8]

  fileprivate init(checked raw: [UInt8]) { self.raw = raw }

  package init(raw: [UInt8]) throws(TLSError) {
    guard raw.count == 32 else {
      throw TLSError("an Ed25519 public key has 32 bytes, not \(raw.count)")
    }
    self.raw = raw
  }

  package func verify(_ signature: [UInt8], of message: [UInt8]) -> Bool {
    guard signature.count == 64,
      let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, raw, raw.count)
    else { return false }
    defer {
      EVP_PKEY_free(key)
      ERR_clear_error()
    }
    guard let context = EVP_MD_CTX_new() else { preconditionFailure("out of memory") }
    defer { EVP_MD_CTX_free(context) }
    return EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1
      && EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
  }
}
