/// Fields of a newer schema, kept as raw bytes (tags included) and written back after the known ones.
public struct UnknownFields: Sendable, Hashable {
  public var bytes: [UInt8]

  @inlinable public init(bytes: [UInt8] = []) { self.bytes = bytes }

  @inlinable public var isEmpty: Bool { bytes.isEmpty }
}
