/// How the messages of one direction of a call may be packed (`grpc-encoding`). Without raw values,
/// which would be compared as texts.
package enum MessageEncoding: Sendable, Hashable, CaseIterable {
  /// As they are.
  case identity
  case gzip
}
