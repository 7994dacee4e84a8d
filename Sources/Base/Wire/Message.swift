/// A protobuf message as a Swift value with its own codec. Generated types conform.
package protocol Message: Sendable, Equatable {
  /// `shrivenquant.oms.v1.Order`
  static var typeName: String { get }
  /// Fields that this version of the schema does not know, kept as they came.
  var unknownFields: UnknownFields { get set }

  init()
  /// The exact number of bytes that `encode` writes.
  var encodedSize: Int { get }
  func encode(into writer: inout WireWriter)
  /// Reads fields until the reader's end.
  mutating func merge(from reader: inout WireReader) throws(WireError)
}
