import Bytes
import Calls

@testable import Transport

extension FuzzTarget {
  /// Whole or in pieces, a body has the same messages and the same end, and no message is larger than
  /// its limit, however small what inflates to it. The first byte says whether gzip is agreed on.
  static let grpcFrames = FuzzTarget(
    name: "grpc-frames",
    seeds: [
      [0] + framed([1, 2, 3]) + framed([]) + framed(Array("hello".utf8)),
      [1] + framed(Gzip.compress(Array("packed packed packed".utf8)), flag: 1) + framed([7]),
      [1] + framed(Gzip.compress([UInt8](repeating: 0, count: 200_000)), flag: 1),
      [0] + framed([1], flag: 1),
      [0, 0, 0xff, 0xff, 0xff, 0xff],
    ], words: ["\0\0\0\0\0", "\0\0\0\0\u{01}", "\u{01}\0\0\0", "\u{1f}", "\0\0\u{01}\0\0"]
  ) { bytes in
    let acceptsGzip = bytes.first.map { $0 & 1 == 1 } ?? false
    let body = Array(bytes.dropFirst())
    let whole = messages(body, step: max(1, body.count), acceptsGzip)
    for step in [1, 3, 7] {
      let parts = messages(body, step: step, acceptsGzip)
      if parts.messages != whole.messages || parts.end != whole.end {
        return Verdict(signature: "", fault: "at once \(whole), by \(step) \(parts)")
      }
    }
    let tooLarge = whole.largest > messageMax
    return Verdict(
      signature: "\(min(whole.messages.count, 6)) \(whole.end.filter(\.isLetter))",
      fault: tooLarge ? "a message of \(whole.largest) bytes" : nil)
  }

  private static let messageMax = 4_096

  static func framed(_ message: [UInt8], flag: UInt8 = 0) -> [UInt8] {
    let count = UInt32(message.count)
    return [flag] + (0..<4).map { UInt8(truncatingIfNeeded: count >> (24 - 8 * $0)) } + message
  }

  private static func messages(
    _ body: [UInt8], step: Int, _ acceptsGzip: Bool
  ) -> (messages: [String], largest: Int, end: String) {
    var deframer = MessageDeframer(messageMax: messageMax, acceptsGzip: acceptsGzip)
    var messages: [String] = []
    var largest = 0
    do throws(RPCError) {
      for start in stride(from: 0, to: body.count, by: step) {
        let piece = Array(body[start..<min(start + step, body.count)])
        var error: RPCError?
        piece.withUnsafeBufferPointer { piece in
          do throws(RPCError) {
            try deframer.take(piece) { message in
              messages.append("\(message)")
              largest = max(largest, message.bytes.count)
            }
          } catch let thrown {
            error = thrown
          }
        }
        if let error { throw error }
      }
    } catch {
      return (messages, largest, "\(error.code) \(error.message)")
    }
    return (messages, largest, deframer.isInside ? "inside" : "whole")
  }
}
