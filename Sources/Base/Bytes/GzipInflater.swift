internal import CZlib

/// Unpacks a gzip stream that arrives in pieces; several members in a row are one stream (RFC 1952).
package struct GzipInflater: ~Copyable {
  // On the heap: zlib keeps a pointer back to the struct and refuses one that has moved.
  private let stream: UnsafeMutablePointer<z_stream>
  private let outputMax: Int
  private var produced = 0
  private var state = State.betweenMembers

  private enum State { case betweenMembers, insideMember, broken }

  private static let chunkSize = 64 * 1024

  /// `outputMax`: more unpacked bytes than this in all are refused, as a small bomb unpacks to gigabytes.
  package init(outputMax: Int) {
    self.outputMax = outputMax
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    let code = czlib_inflate_init_gzip(stream)
    precondition(code == Z_OK, "zlib has no memory for an inflater: \(code)")
  }

  deinit {
    inflateEnd(stream)
    stream.deinitialize(count: 1)
    stream.deallocate()
  }

  /// Appends to `output` everything that `input` unpacks to.
  package mutating func inflate(
    _ input: [UInt8], into output: inout [UInt8]
  ) throws(GzipError) {
    guard state != .broken else { throw .damaged }
    var input = input
    var failure: GzipError?
    input.withUnsafeMutableBufferPointer { buffer in
      stream.pointee.next_in = buffer.baseAddress
      stream.pointee.avail_in = UInt32(buffer.count)
      do throws(GzipError) { try drain(into: &output) } catch { failure = error }
      stream.pointee.next_in = nil
      stream.pointee.avail_in = 0
    }
    if let failure {
      state = .broken
      throw failure
    }
  }

  /// Throws when the stream stopped in the middle of a member.
  package func finish() throws(GzipError) {
    guard state == .betweenMembers else { throw state == .broken ? .damaged : .truncated }
  }

  private mutating func drain(into output: inout [UInt8]) throws(GzipError) {
    var isFull = false
    while stream.pointee.avail_in > 0 || isFull {
      if state == .betweenMembers {
        guard inflateReset(stream) == Z_OK else { throw .damaged }
        state = .insideMember
      }
      let code = step(into: &output, isFull: &isFull)
      guard produced <= outputMax else { throw .tooLarge(max: outputMax) }
      switch code {
      case Z_OK, Z_BUF_ERROR: break
      case Z_STREAM_END:
        state = .betweenMembers
        isFull = false
      default: throw .damaged
      }
    }
  }

  private mutating func step(into output: inout [UInt8], isFull: inout Bool) -> Int32 {
    let stream = stream
    var code = Z_OK
    let chunk = [UInt8](unsafeUninitializedCapacity: Self.chunkSize) { buffer, count in
      stream.pointee.next_out = buffer.baseAddress
      stream.pointee.avail_out = UInt32(buffer.count)
      code = CZlib.inflate(stream, Z_NO_FLUSH)
      count = buffer.count - Int(stream.pointee.avail_out)
    }
    isFull = chunk.count == Self.chunkSize
    produced += chunk.count
    output.append(contentsOf: chunk)
    return code
  }
}

package enum GzipError: Error, Hashable {
  case damaged
  case truncated
  case tooLarge(max: Int)
}
