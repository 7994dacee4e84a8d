internal import Calls
internal import Journal
internal import Translation
internal import Venue

extension JournalRefusal {
  /// RESOURCE_EXHAUSTED also while the disk fails: UNAVAILABLE would leave it open whether anything
  /// was done.
  var rpcError: RPCError {
    RPCError(
      .resourceExhausted, "the order journal refuses: \(error.problem)",
      details: [
        .errorInfo(
          reason: RejectReason.overloaded.name, domain: "oms.shrivenquant", metadata: [:]),
        .retryInfo(delay: .seconds(1)),
      ])
  }
}
