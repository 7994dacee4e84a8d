/// A protobuf enum: keeps numbers that this version of the schema does not name.
public protocol OpenEnum: Sendable, Hashable {
  /// Zero is the default of proto3.
  init(rawValue: Int32)
  var rawValue: Int32 { get }
}
