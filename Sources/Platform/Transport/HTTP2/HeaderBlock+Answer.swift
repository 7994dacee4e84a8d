internal import Calls

/// The head and the end of an answer to a call.
extension HeaderBlock {
  static func answer(with metadata: Metadata, _ encoding: MessageEncoding) -> HeaderBlock {
    var block = HeaderBlock()
    block.add(fixed: ":status", "200")
    block.add(fixed: "content-type", "application/grpc")
    if encoding == .gzip { block.add(fixed: "grpc-encoding", "gzip") }
    block.add(fixed: "grpc-accept-encoding", "identity,gzip")
    MetadataCodec.add(metadata, to: &block)
    return block
  }

  /// Larger details are left out: gRPC's libraries take 8 KiB of headers as a rule, and a caller whose
  /// library refuses them has no answer at all. With a message of every byte escaped that is 7 KiB.
  private static var detailsBytesMax: Int { 3_072 }

  /// The status of a call that failed, or else went well, and what its handler says after it.
  mutating func addStatus(_ failure: RPCError?, _ metadata: Metadata?) {
    if let failure = failure?.clipped {
      add(named: "grpc-status", String(failure.code.rawValue))
      if !failure.message.isEmpty {
        add(named: "grpc-message", StatusText.encode(failure.message))
      }
      if !failure.details.isEmpty {
        let details = StatusDetails.encode(failure)
        if details.count <= Self.detailsBytesMax {
          add(named: "grpc-status-details-bin", MetadataCodec.unpadded(details))
        }
      }
    } else {
      add(fixed: "grpc-status", "0")
    }
    if let metadata { MetadataCodec.add(metadata, to: &self) }
  }
}

extension RPCError {
  /// Some messages repeat what a caller has written, of any length.
  private static let messageBytesMax = 1_024

  /// With a message that fits into headers.
  fileprivate var clipped: RPCError {
    guard message.utf8.count > Self.messageBytesMax else { return self }
    var clipped = self
    var end = message.utf8.index(message.startIndex, offsetBy: Self.messageBytesMax)
    while end.samePosition(in: message.unicodeScalars) == nil {
      end = message.utf8.index(before: end)
    }
    clipped.message = message[..<end] + "..."
    return clipped
  }
}
