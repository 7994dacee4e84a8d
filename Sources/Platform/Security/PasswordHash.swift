internal import Bytes
internal import COpenSSL

/// scrypt (RFC 7914) as a PHC string: `$scrypt$ln=15,r=8,p=1$<salt>$<hash>`, base64 without
/// padding. One hash takes some 100 ms and 32 MB: run it away from an event loop.
package enum PasswordHash {
  private static let (costLog2, blockSize, parallelism) = (15, 8, 1)
  private static let (saltBytes, hashBytes) = (16, 32)
  /// What a stored string may ask of us: 128 MB.
  private static let costLog2Max = 17

  package static func make(_ password: String) -> String {
    let salt = SecureRandom.bytes(saltBytes)
    guard
      let hash = scrypt(password, salt, costLog2, blockSize, parallelism, count: hashBytes)
    else { preconditionFailure("scrypt failed with its own parameters") }
    return "$scrypt$ln=\(costLog2),r=\(blockSize),p=\(parallelism)$\(text(salt))$\(text(hash))"
  }

  /// False for a wrong password and for a string that is no such hash.
  package static func verify(_ password: String, against stored: String) -> Bool {
    let parts = stored.split(separator: "$", omittingEmptySubsequences: false)
    guard parts.count == 5, parts[0].isEmpty, parts[1] == "scrypt",
      let (costLog2, blockSize, parallelism) = parameters(parts[2]),
      let salt = bytes(parts[3]), let expected = bytes(parts[4]), expected.count >= 16,
      let hash = scrypt(password, salt, costLog2, blockSize, parallelism, count: expected.count)
    else { return false }
    return Digest.areEqual(hash, expected)
  }

  private static func parameters(_ text: Substring) -> (Int, Int, Int)? {
    let parts = text.split(separator: ",")
    guard parts.count == 3, parts[0].hasPrefix("ln="), parts[1].hasPrefix("r="),
      parts[2].hasPrefix("p="), let costLog2 = Int(parts[0].dropFirst(3)),
      let blockSize = Int(parts[1].dropFirst(2)), let parallelism = Int(parts[2].dropFirst(2)),
      (1...costLog2Max).contains(costLog2), (1...16).contains(blockSize),
      (1...16).contains(parallelism)
    else { return nil }
    return (costLog2, blockSize, parallelism)
  }

  private static func scrypt(
    _ password: String, _ salt: [UInt8], _ costLog2: Int, _ blockSize: Int, _ parallelism: Int,
    count: Int
  ) -> [UInt8]? {
    var key = [UInt8](repeating: 0, count: count)
    var password = password
    let code = password.withUTF8Characters { bytes, length in
      copenssl_scrypt(
        bytes, Int(length), salt, salt.count, 1 << UInt64(costLog2), UInt64(blockSize),
        UInt64(parallelism), &key, count)
    }
    ERR_clear_error()
    return code == 1 ? key : nil
  }

  private static func text(_ bytes: [UInt8]) -> String {
    var text = Base64.standard.encode(bytes)
    while text.last == "=" { text.removeLast() }
    return text
  }

  private static func bytes(_ text: Substring) -> [UInt8]? {
    guard !text.contains("=") else { return nil }
    let padding = String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
    do throws(Base64Error) {
      return try Base64.standard.decode(text + padding)
    } catch {
      return nil
    }
  }
}
