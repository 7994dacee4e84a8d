package import Calls

extension ServiceContext {
  /// For calls that mean nothing before the service is ready: UNAVAILABLE with what is missing.
  /// `exempt`: conditions that the call can do without, or sees to by itself.
  package func requireReady(but exempt: Set<String> = []) throws(RPCError) {
    let missing = readiness.missing.filter { !exempt.contains($0.name) }
    guard !missing.isEmpty else { return }
    let text = missing.map { "\($0.name): \($0.reason)" }.joined(separator: "; ")
    throw RPCError(
      .unavailable, "\(name) is not ready: \(text)",
      details: [.retryInfo(delay: .seconds(1))])
  }
}
