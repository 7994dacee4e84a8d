package import Calls

extension ServiceContext {
  /// For calls that mean nothing before the service is whole: UNAVAILABLE with what is missing.
  /// `exempt`: conditions that the call can do without, or sees to by itself.
  package func requireReady(but exempt: Set<String> = []) throws(RPCError) {
    let refusing = readiness.refusing.filter { !exempt.contains($0.name) }
    guard !refusing.isEmpty else { return }
    let text = refusing.map { "\($0.name): \($0.reason)" }.joined(separator: "; ")
    throw RPCError(
      .unavailable, "\(name) is not ready: \(text)",
      details: [.retryInfo(delay: .seconds(1))])
  }
}
