import Testing

@testable import Wire

/// A message with one field of most kinds, written by hand as generated code would be.
private struct Sample: Message {
  static let typeName = "test.Sample"
  var unknownFields = UnknownFields()
  var number: Int64 = 0
  var text = ""
  var runs: [Int32] = []
  var children: [Sample] = []
  var child: Sample? {
    get { children.first }
    set { children = newValue.map { [$0] } ?? [] }
  }

  var encodedSize: Int {
    var size = unknownFields.bytes.count
    if number != 0 { size += 1 + WireSize.varint(zigzag(number)) }
    if !text.isEmpty { size += 1 + WireSize.text(text) }
    size += WireSize.packed(1, runs, Int32Codec.self)
    size += WireSize.messages(1, children)
    return size
  }

  func encode(into writer: inout WireWriter) {
    if number != 0 { writer.varint(8, zigzag(number)) }
    if !text.isEmpty { writer.text(18, text) }
    writer.packed(26, runs, Int32Codec.self)
    writer.messages(34, children)
    writer.unknown(unknownFields)
  }

  mutating func merge(from reader: inout WireReader) throws(WireError) {
    while true {
      let tag = try reader.tag()
      switch tag {
      case 0: return
      case 8: number = try reader.sint64()
      case 18: text = try reader.text()
      case 24: runs.append(try reader.int32())
      case 26: try reader.packed(&runs, Int32Codec.self)
      case 34: try reader.message(appendingTo: &children)
      default: try reader.unknown(tag, &unknownFields)
      }
    }
  }
}

@Suite struct `Wire format` {
  @Test func `a message comes back as it went`() throws {
    var sample = Sample()
    sample.number = -1_234_567_890_123
    sample.text = "naïve café, 16 bytes and more"
    sample.runs = [0, -1, .max, .min]
    sample.child = sample

    let bytes = sample.encoded()

    #expect(bytes.count == sample.encodedSize)
    #expect(try Sample(decoding: bytes) == sample)
  }

  @Test func `an empty message is no bytes`() throws {
    #expect(Sample().encoded().isEmpty)
    #expect(try Sample(decoding: []) == Sample())
  }

  @Test(arguments: [0, 1, 127, 128, 16_383, 16_384, UInt64(UInt32.max), 1 << 62, 1 << 63, .max])
  func `a varint's size is what the writer writes`(value: UInt64) throws {
    var sample = Sample()
    sample.unknownFields = UnknownFields(bytes: [])
    sample.number = Int64(bitPattern: value)

    let bytes = sample.encoded()

    #expect(try Sample(decoding: bytes).number == sample.number)
  }

  @Test func `unknown fields are kept as they came`() throws {
    let bytes: [UInt8] = [
      0x28, 0x07, 0x32, 0x02, 0xAA, 0xBB, 0x39, 1, 2, 3, 4, 5, 6, 7, 8, 0x45, 1, 2, 3, 4,
    ]

    let sample = try Sample(decoding: bytes)

    #expect(sample.unknownFields.bytes == bytes)
    #expect(sample.encoded() == bytes)
  }

  @Test func `unpacked elements of a packed field are accepted`() throws {
    let sample = try Sample(decoding: [0x18, 1, 0x1A, 2, 2, 3, 0x18, 4])

    #expect(sample.runs == [1, 2, 3, 4])
  }

  static let refused: [([UInt8], WireError)] = [
    ([0x08], .truncated(offset: 1)),
    ([0x08, 0x80], .truncated(offset: 2)),
    ([0x08] + [UInt8](repeating: 0x80, count: 10) + [1], .overlongVarint(offset: 1)),
    ([0x00], .badFieldNumber(offset: 0)),
    ([0x80, 0x00], .badFieldNumber(offset: 0)),
    ([0x80, 0x80, 0x80, 0x80, 0x80, 0x01], .overlongVarint(offset: 0)),
    ([0xF8, 0xFF, 0xFF, 0xFF, 0x1F], .badFieldNumber(offset: 0)),
    ([0x12, 5, 0x61], .truncated(offset: 2)),
    ([0x12, 2, 0xC3, 0x28], .notUTF8(offset: 2)),
    ([0x12, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1], .truncated(offset: 11)),
    ([0x1A, 1, 0x80, 0x01], .raggedPacked(offset: 2)),
    ([0x33], .badWireType(3, offset: 0)),
    ([0x34], .badWireType(4, offset: 0)),
    ([0x36], .badWireType(6, offset: 0)),
    ([0x22, 2, 0x08, 0x80, 0x01], .truncated(offset: 4)),
  ]

  @Test(arguments: refused)
  func `malformed bytes are refused with the reason and the place`(
    bytes: [UInt8], reason: WireError
  ) {
    #expect(throws: reason) { try Sample(decoding: bytes) }
  }

  @Test func `a hundred levels are read and one more is refused`() throws {
    func nested(_ levels: Int) -> [UInt8] {
      var sample = Sample()
      sample.number = 1
      for _ in 0..<levels {
        var parent = Sample()
        parent.child = sample
        sample = parent
      }
      return sample.encoded()
    }

    #expect(try Sample(decoding: nested(100)).encoded() == nested(100))
    #expect(throws: WireError.self) { try Sample(decoding: nested(101)) }
  }

  @Test func `random bytes never escape their buffer`() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<20_000 {
      let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      guard let sample = try? Sample(decoding: bytes) else { continue }
      #expect(try! Sample(decoding: sample.encoded()) == sample, "\(bytes)")
    }
  }
}
