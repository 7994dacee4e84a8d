/// Fields of a newer schema, kept as raw bytes (tags included) and written back after the known ones.
package struct UnknownFields: Sendable, Hashable {
  package var bytes: [UInt8]

  @inlinable package init(bytes: [UInt8] = []) { self.bytes = bytes }

  @inlinable package var isEmpty: Bool { bytes.isEmpty }
}
