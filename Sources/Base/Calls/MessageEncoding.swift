/// How the messages of one direction of a call may be packed (`grpc-encoding`).
package enum MessageEncoding: String, Sendable, Hashable, CaseIterable {
  /// As they are.
  case identity
  case gzip
}
