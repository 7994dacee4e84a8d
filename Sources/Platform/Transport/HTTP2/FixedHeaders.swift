internal import CNGHTTP2

/// Header fields that never change, laid out for nghttp2 once and never freed; it copies no text.
/// `@unchecked Sendable`: immutable after init.
struct FixedHeaders: @unchecked Sendable {
  let fields: UnsafePointer<nghttp2_nv>
  let count: Int

  init(_ texts: [(name: StaticString, value: StaticString)]) {
    let made = UnsafeMutablePointer<nghttp2_nv>.allocate(capacity: texts.count)
    let flags = NGHTTP2_NV_FLAG_NO_COPY_NAME.rawValue | NGHTTP2_NV_FLAG_NO_COPY_VALUE.rawValue
    for (index, text) in texts.enumerated() {
      (made + index).initialize(
        to: nghttp2_nv(
          name: UnsafeMutablePointer(mutating: text.name.utf8Start),
          value: UnsafeMutablePointer(mutating: text.value.utf8Start),
          namelen: text.name.utf8CodeUnitCount, valuelen: text.value.utf8CodeUnitCount,
          flags: UInt8(flags)))
    }
    fields = UnsafePointer(made)
    count = texts.count
  }

  /// The head of an answer to a call, without metadata of the handler.
  static let answer = FixedHeaders([
    (":status", "200"), ("content-type", "application/grpc"),
  ])
  /// The end of a call that went well, without metadata of the handler.
  static let success = FixedHeaders([("grpc-status", "0")])
}
