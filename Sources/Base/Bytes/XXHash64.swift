/// The 64-bit xxHash of Yann Collet (XXH64, xxHash specification 0.1.1): quick, well spread, the
/// same on every machine and in every release. Not for secrets: anybody can make collisions.
package enum XXHash64 {
  private static let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
  private static let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
  private static let prime3: UInt64 = 0x1656_67B1_9E37_79F9
  private static let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
  private static let prime5: UInt64 = 0x27D4_EB2F_1656_67C5

  package static func of(_ bytes: [UInt8], seed: UInt64 = 0) -> UInt64 {
    of(bytes.span.bytes, seed: seed)
  }

  /// Of the text's UTF-8.
  package static func of(_ text: String, seed: UInt64 = 0) -> UInt64 {
    var text = text
    return text.withUTF8 { of(UnsafeRawBufferPointer($0).bytes, seed: seed) }
  }

  package static func of(_ bytes: RawSpan, seed: UInt64 = 0) -> UInt64 {
    bytes.withUnsafeBytes { buffer in
      var offset = 0
      var hash = stripes(buffer, seed, &offset) &+ UInt64(buffer.count)
      while offset + 8 <= buffer.count {
        hash = rotated(hash ^ round(0, word(buffer, offset)), 27) &* prime1 &+ prime4
        offset += 8
      }
      if offset + 4 <= buffer.count {
        let half = UInt64(
          UInt32(littleEndian: buffer.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
        hash = rotated(hash ^ (half &* prime1), 23) &* prime2 &+ prime3
        offset += 4
      }
      while offset < buffer.count {
        hash = rotated(hash ^ (UInt64(buffer[offset]) &* prime5), 11) &* prime1
        offset += 1
      }
      return avalanche(hash)
    }
  }

  /// The whole 32-byte stripes from the start; `offset` is moved past them.
  private static func stripes(
    _ buffer: UnsafeRawBufferPointer, _ seed: UInt64, _ offset: inout Int
  ) -> UInt64 {
    guard buffer.count >= 32 else { return seed &+ prime5 }
    var first = seed &+ prime1 &+ prime2
    var second = seed &+ prime2
    var third = seed
    var fourth = seed &- prime1
    while offset + 32 <= buffer.count {
      first = round(first, word(buffer, offset))
      second = round(second, word(buffer, offset + 8))
      third = round(third, word(buffer, offset + 16))
      fourth = round(fourth, word(buffer, offset + 24))
      offset += 32
    }
    var hash = rotated(first, 1) &+ rotated(second, 7) &+ rotated(third, 12)
    hash = hash &+ rotated(fourth, 18)
    for lane in [first, second, third, fourth] {
      hash = (hash ^ round(0, lane)) &* prime1 &+ prime4
    }
    return hash
  }

  @inline(__always)
  private static func word(_ buffer: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
    UInt64(littleEndian: buffer.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }

  @inline(__always)
  private static func round(_ lane: UInt64, _ word: UInt64) -> UInt64 {
    rotated(lane &+ word &* prime2, 31) &* prime1
  }

  @inline(__always)
  private static func rotated(_ value: UInt64, _ bits: UInt64) -> UInt64 {
    (value &<< bits) | (value &>> (64 - bits))
  }

  private static func avalanche(_ value: UInt64) -> UInt64 {
    var hash = value
    hash = (hash ^ (hash &>> 33)) &* prime2
    hash = (hash ^ (hash &>> 29)) &* prime3
    return hash ^ (hash &>> 32)
  }
}
