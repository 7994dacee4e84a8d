import Bytes
import Testing

@Suite struct `Checksums and text forms` {
  @Test func `the CRC of the standard check input is CBF43926, whole or in pieces`() {
    var pieces = CRC32()
    pieces.update(Array("1234".utf8))
    pieces.update([])
    pieces.update("56789")

    #expect(CRC32.of("123456789") == 0xCBF4_3926)
    #expect(pieces.value == 0xCBF4_3926)
  }

  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy"),
  ])
  func `base64 agrees with RFC 4648`(plain: String, text: String) throws {
    #expect(Base64.standard.encode(plain.utf8) == text)
    #expect(try Base64.standard.decode(text) == Array(plain.utf8))
    let bare = text.filter { $0 != "=" }
    #expect(Base64.url.encode(plain.utf8) == bare)
    #expect(try Base64.url.decode(bare) == Array(plain.utf8))
  }

  @Test(arguments: [
    "Zg", "Zg=", "Zh==", "Z===", "Zm9v=", "Zm 9", "Zm9v\n", "Zm-_", "====", "=", "Zg==Zg==",
  ])
  func `base64 refuses every other spelling`(text: String) {
    #expect(throws: Base64Error.self) { try Base64.standard.decode(text) }
  }

  @Test(arguments: ["Zg==", "Zm+/", "Z", "Zh"])
  func `base64url refuses padding, the other alphabet and stray bits`(text: String) {
    #expect(throws: Base64Error.self) { try Base64.url.decode(text) }
  }

  @Test func `hexadecimal round-trips every byte and refuses the rest`() {
    let all = Array(UInt8.min...UInt8.max)

    #expect(Hexadecimal.decode(Hexadecimal.encode(all)) == all)
    #expect(Hexadecimal.decode("DEADbeef") == [0xde, 0xad, 0xbe, 0xef])
    #expect(Hexadecimal.decode("abc") == nil)
    #expect(Hexadecimal.decode("0g") == nil)
  }
}

@Suite struct `Byte reader and writer` {
  @Test func `what is written is read back, and the end is an error`() throws {
    var writer = ByteWriter()
    writer.write(UInt8(7))
    writer.write(UInt32(0x0102_0304))
    writer.write(Int64(-5))
    writer.writeCounted("grüße")
    var reader = ByteReader(writer.bytes)

    #expect(Array(writer.bytes[1..<5]) == [4, 3, 2, 1])
    #expect(try reader.read(UInt8.self) == 7)
    #expect(try reader.read(UInt32.self) == 0x0102_0304)
    #expect(try reader.read(Int64.self) == -5)
    #expect(try reader.readCountedText() == "grüße")
    #expect(reader.isAtEnd)
    #expect(throws: ByteReaderError.truncated(offset: writer.count, wanted: 2, remaining: 0)) {
      try reader.read(UInt16.self)
    }
  }

  @Test func `a length beyond the end and broken UTF-8 are refused`() {
    var long = ByteReader([255, 255, 255, 255, 1])
    var broken = ByteReader([1, 0, 0, 0, 0xff])

    #expect(throws: ByteReaderError.self) { try long.readCounted() }
    #expect(throws: ByteReaderError.notUTF8(offset: 0)) { try broken.readCountedText() }
  }
}

@Suite struct `Gzip streams` {
  private let plain = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) }

  @Test(arguments: [1, 7, 1000, 1 << 20])
  func `a stream in pieces of any size unpacks to what was packed`(size: Int) throws {
    let packed = Gzip.compress(plain) + Gzip.compress([1, 2, 3])
    var inflater = GzipInflater(outputMax: 1 << 20)
    var output: [UInt8] = []

    for start in stride(from: 0, to: packed.count, by: size) {
      try inflater.inflate(Array(packed[start..<min(start + size, packed.count)]), into: &output)
    }

    try inflater.finish()
    #expect(output == plain + [1, 2, 3])
  }

  @Test func `cut, damaged and oversized streams are refused`() {
    let packed = Gzip.compress(plain)
    var flipped = packed
    flipped[packed.count - 6] ^= 1

    #expect(throws: GzipError.truncated) {
      try Gzip.decompress(Array(packed.dropLast()), outputMax: 1 << 20)
    }
    #expect(throws: GzipError.damaged) { try Gzip.decompress(flipped, outputMax: 1 << 20) }
    #expect(throws: GzipError.damaged) { try Gzip.decompress([1, 2, 3], outputMax: 10) }
    #expect(throws: GzipError.tooLarge(max: 1000)) { try Gzip.decompress(packed, outputMax: 1000) }
  }
}
