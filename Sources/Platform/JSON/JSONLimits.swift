/// How much a parser takes before it refuses.
package struct JSONLimits: Sendable, Hashable {
  /// Bytes of text.
  package var bytesMax: Int
  /// Containers within containers, at most 256.
  package var depthMax: Int

  package init(bytesMax: Int, depthMax: Int) {
    precondition(bytesMax > 0 && depthMax > 0 && depthMax <= 256, "JSON depth is 1 to 256")
    self.bytesMax = bytesMax
    self.depthMax = depthMax
  }

  /// 16 MiB, 64 deep: an exchange's list of all instruments is about 6 MiB, the deepest book is 4
  /// deep.
  package static let standard = JSONLimits(bytesMax: 16 << 20, depthMax: 64)
}
