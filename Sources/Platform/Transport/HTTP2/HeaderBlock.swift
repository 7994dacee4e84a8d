internal import CNGHTTP2

/// Header fields on their way to nghttp2. Fixed texts are passed without a copy; others are
/// collected in one buffer.
struct HeaderBlock {
  private enum Piece {
    case fixed(StaticString)
    case collected(start: Int, count: Int)
  }

  private struct Field {
    var name: Piece
    var value: Piece
    /// A value that differs from call to call only pushes others out of the peer's HPACK table.
    var isIndexed = true
  }

  private var fields: [Field] = []
  private var bytes: [UInt8] = []

  init() { fields.reserveCapacity(12) }

  /// Labelled, because a literal would rather be a `String`.
  mutating func add(fixed name: StaticString, _ value: StaticString) {
    fields.append(Field(name: .fixed(name), value: .fixed(value)))
  }

  mutating func add(named name: StaticString, _ value: String, isIndexed: Bool = true) {
    fields.append(Field(name: .fixed(name), value: collect(value), isIndexed: isIndexed))
  }

  mutating func add(_ name: String, _ value: String) {
    fields.append(Field(name: collect(name), value: collect(value)))
  }

  private mutating func collect(_ text: String) -> Piece {
    let start = bytes.count
    let isCopied: Void? = text.utf8.withContiguousStorageIfAvailable {
      bytes.append(contentsOf: $0)
    }
    if isCopied == nil { bytes.append(contentsOf: text.utf8) }
    return .collected(start: start, count: bytes.count - start)
  }

  func withFields<R>(_ body: (UnsafePointer<nghttp2_nv>, Int) -> R) -> R {
    bytes.withUnsafeBufferPointer { bytes in
      withUnsafeTemporaryAllocation(of: nghttp2_nv.self, capacity: fields.count) { sent in
        for index in 0..<fields.count {
          let (name, nameCount, nameFixed) = Self.resolve(fields[index].name, bytes)
          let (value, valueCount, valueFixed) = Self.resolve(fields[index].value, bytes)
          var flags: UInt32 = 0
          if nameFixed { flags |= NGHTTP2_NV_FLAG_NO_COPY_NAME.rawValue }
          if valueFixed { flags |= NGHTTP2_NV_FLAG_NO_COPY_VALUE.rawValue }
          if !fields[index].isIndexed { flags |= NGHTTP2_NV_FLAG_NO_INDEX.rawValue }
          sent.initializeElement(
            at: index,
            to: nghttp2_nv(
              name: name, value: value, namelen: nameCount, valuelen: valueCount,
              flags: UInt8(flags)))
        }
        return body(UnsafePointer(sent.baseAddress!), fields.count)
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
