internal import CZstd

/// Packs a stream that arrives in pieces into one Zstandard frame with a checksum of its content.
package struct ZstdDeflater: ~Copyable {
  private let context: UnsafeMutableRawPointer

  private static let chunkSize = 128 * 1024

  /// `level`: 1 (fast) to 19 (small).
  package init(level: Int32 = 3) {
    precondition((1...19).contains(level), "a Zstandard level of \(level)")
    guard let context = czstd_make_deflater(level) else {
      preconditionFailure("zstd has no memory for a deflater")
    }
    self.context = context
  }

  deinit { czstd_free_deflater(context) }

  /// Takes `input`; what is ready is appended to `output`, often nothing.
  package mutating func deflate(_ input: [UInt8], into output: inout [UInt8]) {
    run(input, CZSTD_CONTINUE, into: &output)
  }

  /// Everything taken so far can be unpacked from what has been appended.
  package mutating func flush(into output: inout [UInt8]) { run([], CZSTD_FLUSH, into: &output) }

  /// Ends the frame; what is taken afterwards begins another one.
  package mutating func finish(into output: inout [UInt8]) { run([], CZSTD_END, into: &output) }

  private mutating func run(_ input: [UInt8], _ mode: Int, into output: inout [UInt8]) {
    input.withUnsafeBytes { bytes in
      var source = czstd_input(bytes: bytes.baseAddress, size: bytes.count, position: 0)
      var code: Int32 = 0
      repeat {
        let context = context
        output += [UInt8](unsafeUninitializedCapacity: Self.chunkSize) { buffer, count in
          var target = czstd_output(bytes: buffer.baseAddress, size: buffer.count, position: 0)
          code = czstd_deflate(context, &target, &source, Int32(mode))
          count = target.position
        }
        precondition(code >= 0, "zstd failed, which it does for lack of memory only")
      } while source.position < source.size || (mode != CZSTD_CONTINUE && code > 0)
    }
  }
}
