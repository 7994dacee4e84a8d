package import Calls

extension ServiceContext {
  /// For calls that mean nothing before the service is ready: UNAVAILABLE with what is missing.
  package func requireReady() throws(RPCError) {
    guard !readiness.isReady else { return }
    let missing = readiness.missing.map { "\($0.name): \($0.reason)" }.joined(separator: "; ")
    throw RPCError(
      .unavailable, "\(name) is not ready: \(missing)",
      details: [.retryInfo(delay: .seconds(1))])
  }
}
