internal import CZlib

/// Whole values in and out of gzip.
package enum Gzip {
  package static func compress(_ bytes: [UInt8], level: Int32 = 6) -> [UInt8] {
    var stream = z_stream()
    let code = czlib_deflate_init_gzip(&stream, level)
    precondition(code == Z_OK, "zlib has no memory for a deflater, or no level \(level): \(code)")
    defer { deflateEnd(&stream) }
    var input = bytes
    let bound = Int(deflateBound(&stream, UInt(bytes.count)))
    return input.withUnsafeMutableBufferPointer { source in
      [UInt8](unsafeUninitializedCapacity: bound) { target, count in
        stream.next_in = source.baseAddress
        stream.avail_in = UInt32(source.count)
        stream.next_out = target.baseAddress
        stream.avail_out = UInt32(target.count)
        let code = deflate(&stream, Z_FINISH)
        precondition(code == Z_STREAM_END, "deflateBound was too small: \(code)")
        count = target.count - Int(stream.avail_out)
      }
    }
  }

  package static func decompress(
    _ bytes: [UInt8], outputMax: Int
  ) throws(GzipError) -> [UInt8] {
    var inflater = GzipInflater(outputMax: outputMax)
    var output: [UInt8] = []
    try inflater.inflate(bytes, into: &output)
    try inflater.finish()
    return output
  }
}
