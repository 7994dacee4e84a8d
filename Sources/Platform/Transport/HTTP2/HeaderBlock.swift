internal import CNGHTTP2

/// Header fields on their way to nghttp2. Fixed texts are passed without a copy; others are
/// collected in one buffer.
struct HeaderBlock {
  private enum Piece {
    case fixed(StaticString)
    case collected(start: Int, count: Int)
  }

  private var pieces: [(name: Piece, value: Piece)] = []
  private var bytes: [UInt8] = []

  init() { pieces.reserveCapacity(8) }

  mutating func add(_ name: StaticString, _ value: StaticString) {
    pieces.append((.fixed(name), .fixed(value)))
  }

  mutating func add(_ name: StaticString, _ value: String) {
    pieces.append((.fixed(name), collect(value)))
  }

  mutating func add(_ name: String, _ value: String) {
    pieces.append((collect(name), collect(value)))
  }

  private mutating func collect(_ text: String) -> Piece {
    let start = bytes.count
    bytes.append(contentsOf: text.utf8)
    return .collected(start: start, count: bytes.count - start)
  }

  func withFields<R>(_ body: (UnsafePointer<nghttp2_nv>, Int) -> R) -> R {
    bytes.withUnsafeBufferPointer { bytes in
      withUnsafeTemporaryAllocation(of: nghttp2_nv.self, capacity: pieces.count) { fields in
        for (index, piece) in pieces.enumerated() {
          let (name, nameCount, nameFixed) = Self.resolve(piece.name, bytes)
          let (value, valueCount, valueFixed) = Self.resolve(piece.value, bytes)
          var flags: UInt32 = 0
          if nameFixed { flags |= NGHTTP2_NV_FLAG_NO_COPY_NAME.rawValue }
          if valueFixed { flags |= NGHTTP2_NV_FLAG_NO_COPY_VALUE.rawValue }
          fields.initializeElement(
            at: index,
            to: nghttp2_nv(
              name: name, value: value, namelen: nameCount, valuelen: valueCount,
              flags: UInt8(flags)))
        }
        return body(UnsafePointer(fields.baseAddress!), pieces.count)
      }
    }
  }

  private static func resolve(
    _ piece: Piece, _ bytes: UnsafeBufferPointer<UInt8>
  ) -> (UnsafeMutablePointer<UInt8>?, Int, Bool) {
    switch piece {
    case .fixed(let text):
      (UnsafeMutablePointer(mutating: text.utf8Start), text.utf8CodeUnitCount, true)
    case .collected(let start, let count):
      // nghttp2 reads the bytes during the call only; an empty value may have no address.
      (bytes.baseAddress.map { UnsafeMutablePointer(mutating: $0 + start) }, count, false)
    }
  }
}
