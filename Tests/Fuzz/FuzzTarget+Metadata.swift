import Calls

@testable import Transport

extension FuzzTarget {
  /// Lines of `name: value` are one request's fields. Read in whatever way, they crash nothing; what
  /// is read as metadata and sent again is read as the same; a status text comes back as it was; a
  /// timeout is never shortened by being sent on.
  static let metadata = FuzzTarget(
    name: "metadata",
    seeds: [
      """
      :method: POST
      :path: /test.Echo/Unary
      content-type: application/grpc+proto
      te: trailers
      grpc-timeout: 99999999H
      grpc-encoding: gzip
      traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
      x-text: some text
      x-bytes-bin: AAEC/w
      x-many-bin: AA==,AQ,,/w==
      """,
      "grpc-timeout: 1n\ngrpc-timeout: 100u\nx-a:  padded \t\nx-b-bin: %%%\n:authority: a:1",
      "grpc-message: 100%25 %E4%F6 %\nhost: x\nuser-agent: y\ncontent-type: application/grpcx",
    ].map { Array($0.utf8) },
    words: [
      "\n", ": ", "-bin: ", "grpc-", ":path: ", ":method: ", "%", "%0", "%C3%B6", "=", ",", "\u{0}",
      "\u{E9}", "application/grpc", "00-", "S", "m", "99999999", "grpc-timeout: ", "traceparent: ",
    ]
  ) { bytes in
    let head = RequestHead()
    head.reset()
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      let colon = line.dropFirst().firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
      Array(line[..<colon]).withUnsafeBufferPointer { name in
        Array(line[colon...].dropFirst()).withUnsafeBufferPointer { value in
          head.add(name, value, max: 8_192)
        }
      }
    }
    let timeout = head.callTimeout
    let kind = "\(head.isGRPC)\(head.isPost)\(timeout == nil)\(head.unknownEncoding == nil)"
    let traced = TraceIdentity.trace(of: head.traceParentBytes) != nil
    let metadata = head.metadata
    let signature =
      "\(kind)\(traced) \(min(metadata.entries.count, 4)) \(min(head.headers.count, 4))"
    return Verdict(
      signature: signature,
      fault: metadataFault(metadata) ?? statusFault(bytes) ?? timeout.flatMap(timeoutFault))
  }

  private static func metadataFault(_ metadata: Metadata) -> String? {
    var again = Metadata()
    var expected = Metadata()
    for entry in metadata.entries where !MetadataCodec.isReserved(entry.key) {
      switch entry.value {
      case .text(let text):
        guard let sent = MetadataCodec.sendable(text), !entry.key.hasSuffix("-bin") else {
          continue
        }
        MetadataCodec.add(entry.key, sent, to: &again)
        expected.add(entry.key, sent)
      case .bytes(let bytes):
        MetadataCodec.add(entry.key, MetadataCodec.unpadded(bytes), to: &again)
        expected.add(entry.key, bytes: bytes)
      }
    }
    return "\(again)" == "\(expected)" ? nil : "\(expected) became \(again)"
  }

  private static func statusFault(_ bytes: [UInt8]) -> String? {
    let text = String(decoding: bytes.prefix(2_000), as: UTF8.self)
    let sent = StatusText.encode(text)
    if !sent.utf8.allSatisfy({ $0 >= 0x20 && $0 <= 0x7e }) { return "sent \(sent)" }
    _ = StatusText.decode(text)
    return StatusText.decode(sent) == text ? nil : "\(text) became \(StatusText.decode(sent))"
  }

  private static func timeoutFault(_ timeout: Duration) -> String? {
    let nanoseconds = timeout / .nanoseconds(1)
    // 292 years: what a call can be given.
    guard nanoseconds > 0, nanoseconds < 9e18 else { return nil }
    let sent = CallTimeout.text(Int64(nanoseconds))
    guard let read = CallTimeout.parse(Array(sent.utf8)) else { return "\(sent) is not read" }
    return read >= timeout || sent.hasSuffix("H") ? nil : "\(timeout) became \(read)"
  }
}
