import Bytes
import Testing

@Suite struct `XXH64` {
  /// The buffer of xxHash's own sanity check: the top bytes of a running product.
  private static func sanity(_ count: Int) -> [UInt8] {
    var generator: UInt64 = 2_654_435_761
    return (0..<count).map { _ in
      defer { generator = generator &* 11_400_714_785_074_694_797 }
      return UInt8(generator >> 56)
    }
  }

  /// From xxHash's sanity tests: length, seed, hash.
  @Test(
    arguments: [
      (0, 0, 0xEF46_DB37_51D8_E999), (0, 2_654_435_761, 0xAC75_FDA2_929B_17EF),
      (1, 0, 0xE934_A84A_DB05_2768), (1, 2_654_435_761, 0x5014_6076_43A9_B4C3),
      (4, 0, 0x9136_A0DC_A574_57EE), (14, 0, 0x8282_DCC4_994E_35C8),
      (14, 2_654_435_761, 0xC3BD_6BF6_3DEB_6DF0), (222, 0, 0xB641_AE8C_B691_C174),
      (222, 2_654_435_761, 0x20CB_8AB7_AE10_C14A),
    ] as [(Int, UInt64, UInt64)])
  func `MD-16 gives the published hashes`(count: Int, seed: UInt64, hash: UInt64) {
    #expect(XXHash64.of(Self.sanity(count), seed: seed) == hash)
  }

  @Test func `text is hashed as its UTF-8`() {
    #expect(XXHash64.of("abc") == 0x44BC_2CF5_AD77_0999)
    #expect(XXHash64.of("Σ") == XXHash64.of([0xCE, 0xA3]))
  }
}
