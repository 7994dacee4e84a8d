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

  /// The status of a call that failed, or else went well, and what its handler says after it.
  mutating func addStatus(_ failure: RPCError?, _ metadata: Metadata?) {
    if let failure {
      add(named: "grpc-status", String(failure.code.rawValue))
      if !failure.message.isEmpty {
        add(named: "grpc-message", StatusText.encode(failure.message))
      }
      if !failure.details.isEmpty {
        add(named: "grpc-status-details-bin", MetadataCodec.unpadded(StatusDetails.encode(failure)))
      }
    } else {
      add(fixed: "grpc-status", "0")
    }
    if let metadata { MetadataCodec.add(metadata, to: &self) }
  }
}
