/// Strings as one block of memory, for C functions that take arrays of `char *`.
struct CStringList {
  private var bytes: [UInt8] = []
  private var starts: [Int?] = []

  init() {}

  init(_ texts: [String]) {
    for text in texts { append(Array(text.utf8)) }
  }

  var count: Int { starts.count }

  /// Nil stands for a null pointer.
  mutating func append(_ value: [UInt8]?) {
    guard let value else {
      starts.append(nil)
      return
    }
    starts.append(bytes.count)
    bytes.append(contentsOf: value)
    bytes.append(0)
  }

  /// `pointers` ends with a null pointer and is valid inside `body` only.
  func withPointers<Result>(
    _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Result
  ) -> Result {
    bytes.withUnsafeBytes { block in
      let base = block.baseAddress?.assumingMemoryBound(to: CChar.self)
      // An empty block has no address; then every string is empty or null, and null is right for both.
      let pointers = starts.map { start in start.flatMap { base?.advanced(by: $0) } } + [nil]
      return pointers.withUnsafeBufferPointer { body($0.baseAddress!) }
    }
  }
}
