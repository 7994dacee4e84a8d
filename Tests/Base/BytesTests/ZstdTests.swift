import Testing

@testable import Bytes

@Suite struct `Zstandard` {
  private let text = (0..<20_000).flatMap { Array("line \($0 % 37) \($0)\n".utf8) }

  @Test func `a stream comes back in whatever pieces it arrives`() throws {
    let packed = Zstd.compress(text)
    #expect(packed.starts(with: Zstd.magic) && packed.count < text.count / 3)

    for size in [1, 7, 4_096, packed.count] {
      var inflater = ZstdInflater(outputMax: text.count)
      var output: [UInt8] = []
      for start in stride(from: 0, to: packed.count, by: size) {
        try inflater.inflate(Array(packed[start..<min(start + size, packed.count)]), into: &output)
      }
      try inflater.finish()
      #expect(output == text)
    }
  }

  @Test func `what was flushed can be read before the end`() throws {
    var deflater = ZstdDeflater()
    var packed: [UInt8] = []
    deflater.deflate(Array("first".utf8), into: &packed)
    deflater.flush(into: &packed)

    var inflater = ZstdInflater(outputMax: 100)
    var output: [UInt8] = []
    try inflater.inflate(packed, into: &output)

    #expect(output == Array("first".utf8))
    #expect(throws: ZstdError.truncated) { try inflater.finish() }
  }

  @Test func `frames in a row are one stream`() throws {
    let packed = Zstd.compress(Array("one".utf8)) + Zstd.compress(Array("two".utf8))

    #expect(try Zstd.decompress(packed, outputMax: 6) == Array("onetwo".utf8))
  }

  @Test func `damage, a missing end and a bomb are refused`() {
    var packed = Zstd.compress(text)
    #expect(throws: ZstdError.truncated) {
      try Zstd.decompress(Array(packed.dropLast(9)), outputMax: text.count)
    }
    #expect(throws: ZstdError.tooLarge(max: 1_000)) {
      try Zstd.decompress(packed, outputMax: 1_000)
    }
    packed[packed.count / 2] ^= 0x10
    #expect(throws: ZstdError.damaged) { try Zstd.decompress(packed, outputMax: text.count) }
  }
}
