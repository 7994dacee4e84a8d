internal import CZstd

package enum ZstdError: Error, Hashable {
  case damaged
  case truncated
  case tooLarge(max: Int)
}

/// Unpacks a Zstandard stream that arrives in pieces; several frames in a row are one stream
/// (RFC 8878).
package struct ZstdInflater: ~Copyable {
  private let context: UnsafeMutableRawPointer
  private let outputMax: Int
  private var produced = 0
  private var state = State.betweenFrames

  private enum State { case betweenFrames, insideFrame, broken }

  private static let chunkSize = 128 * 1024
  /// A frame may ask for a window of 128 MB at most, as the command-line tool allows by default.
  private static let windowLogMax: Int32 = 27

  /// `outputMax`: more unpacked bytes than this in all are refused, as a small bomb unpacks to
  /// gigabytes.
  package init(outputMax: Int) {
    self.outputMax = outputMax
    guard let context = czstd_make_inflater(Self.windowLogMax) else {
      preconditionFailure("zstd has no memory for an inflater")
    }
    self.context = context
  }

  deinit { czstd_free_inflater(context) }

  /// Appends to `output` everything that `input` unpacks to so far.
  package mutating func inflate(
    _ input: [UInt8], into output: inout [UInt8]
  ) throws(ZstdError) {
    guard state != .broken else { throw .damaged }
    var failure: ZstdError?
    input.withUnsafeBytes { bytes in
      var source = czstd_input(bytes: bytes.baseAddress, size: bytes.count, position: 0)
      do throws(ZstdError) { try drain(&source, into: &output) } catch { failure = error }
    }
    if let failure {
      state = .broken
      throw failure
    }
  }

  /// Throws when the stream stopped in the middle of a frame.
  package func finish() throws(ZstdError) {
    guard state == .betweenFrames else { throw state == .broken ? .damaged : .truncated }
  }

  private mutating func drain(
    _ source: inout czstd_input, into output: inout [UInt8]
  ) throws(ZstdError) {
    var isFull = false
    while source.position < source.size || isFull {
      var code: Int32 = 0
      let context = context
      let chunk = [UInt8](unsafeUninitializedCapacity: Self.chunkSize) { buffer, count in
        var target = czstd_output(bytes: buffer.baseAddress, size: buffer.count, position: 0)
        code = czstd_inflate(context, &target, &source)
        count = target.position
      }
      guard code >= 0 else { throw .damaged }
      state = code == 0 ? .betweenFrames : .insideFrame
      isFull = chunk.count == Self.chunkSize && code > 0
      produced += chunk.count
      guard produced <= outputMax else { throw .tooLarge(max: outputMax) }
      output += chunk
    }
  }
}

/// Whole values in and out of Zstandard.
package enum Zstd {
  /// What every frame begins with.
  package static let magic: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd]

  package static func compress(_ bytes: [UInt8], level: Int32 = 3) -> [UInt8] {
    var deflater = ZstdDeflater(level: level)
    var output: [UInt8] = []
    deflater.deflate(bytes, into: &output)
    deflater.finish(into: &output)
    return output
  }

  package static func decompress(
    _ bytes: [UInt8], outputMax: Int
  ) throws(ZstdError) -> [UInt8] {
    var inflater = ZstdInflater(outputMax: outputMax)
    var output: [UInt8] = []
    try inflater.inflate(bytes, into: &output)
    try inflater.finish()
    return output
  }
}
