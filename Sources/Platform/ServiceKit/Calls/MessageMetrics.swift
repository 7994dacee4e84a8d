package import Calls
package import Telemetry

/// Counts the messages of every method and their sizes, as its handler sees them: uncompressed, and
/// without what gRPC frames them with.
package struct MessageMetrics: Sendable {
  private let received: HistogramFamily
  private let sent: HistogramFamily

  /// 64 bytes to 4 MB, the largest message that is taken.
  private static let bounds: [Double] = (3...11).map { Double(1 << (2 * $0)) }

  package init(_ metrics: MetricsRegistry) {
    let labels = ["grpc_service", "grpc_method"]
    received = metrics.histograms(
      "rpc_server_msg_received_bytes", help: "Messages received, by size.", labels: labels,
      bounds: Self.bounds)
    sent = metrics.histograms(
      "rpc_server_msg_sent_bytes", help: "Messages sent, by size.", labels: labels,
      bounds: Self.bounds)
  }

  /// The same method, counted.
  package func counting(_ method: ServerMethod) -> ServerMethod {
    let (service, name) = (method.descriptor.service, method.descriptor.name)
    let (received, sent) = (received.with(service, name), sent.with(service, name))
    switch method.handler {
    case .unary(let handler):
      return ServerMethod(
        method.descriptor,
        .unary { request, context in
          received.observe(Double(request.count))
          let response = try await handler(request, context)
          sent.observe(Double(response.count))
          return response
        })
    case .streaming(let handler):
      return ServerMethod(
        method.descriptor,
        .streaming { requests, responses, context in
          try await handler(
            CountedSource(source: requests, sizes: received),
            CountedSink(sink: responses, sizes: sent), context)
        })
    }
  }
}

private struct CountedSource: MessageSource {
  let source: any MessageSource
  let sizes: Histogram

  func next() async throws(RPCError) -> [UInt8]? {
    let message = try await source.next()
    if let message { sizes.observe(Double(message.count)) }
    return message
  }
}

private struct CountedSink: MessageSink {
  let sink: any MessageSink
  let sizes: Histogram

  func send(_ message: [UInt8]) async throws(RPCError) {
    try await sink.send(message)
    sizes.observe(Double(message.count))
  }

  func sendUncompressed(_ message: [UInt8]) async throws(RPCError) {
    try await sink.sendUncompressed(message)
    sizes.observe(Double(message.count))
  }
}
