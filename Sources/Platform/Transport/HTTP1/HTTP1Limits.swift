/// What one HTTP/1.1 peer may use up, and how long it may take.
package struct HTTP1Limits: Sendable, Hashable {
  /// Bytes of the request line; beyond: 414.
  package var requestLineMax = 8 * 1024
  /// Header fields of a request; beyond: 431.
  package var headersMax = 100
  /// Bytes of all header lines, and of all trailer lines; beyond: 431.
  package var headerBytesMax = 32 * 1024
  /// Bytes of a body, decoded; beyond: 413.
  package var bodyMax = 1 << 20
  /// Between requests on a kept connection; then it is closed.
  package var idleMax = Duration.seconds(60)
  /// From a request's first byte to the end of its headers; then 408.
  package var headMax = Duration.seconds(10)
  /// From the end of the headers to the end of the body; then 408.
  package var bodyTimeMax = Duration.seconds(30)
  /// How long the peer may leave a response untouched; then the connection is cut.
  package var stallMax = Duration.seconds(30)
  /// Bytes of later requests kept while one is answered; then reading pauses.
  package var pipelinedMax = 64 * 1024
  /// Bytes of responses kept while the peer does not read; then no further request is begun.
  package var unsentMax = 1 << 20

  package init() {}
  package static let standard = HTTP1Limits()
}
