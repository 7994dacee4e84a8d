package import Calls
package import Chrono
package import Contracts
private import Synchronization

/// `grpc.testing.TestService` as grpc's interop test descriptions want it.
package struct InteropService: GrpcTesting.TestServiceHandler {
  private typealias Parameters = GrpcTesting.ResponseParameters
  package typealias Response = GrpcTesting.StreamingOutputCallResponse

  private let serverID: String
  private let hostname: String
  private let time: any TimeSource
  private let answers = AnswerCache()

  /// The payload of one response; who wants more is told RESOURCE_EXHAUSTED.
  private static let payloadBytesMax = 32 * 1024 * 1024
  /// Requests that HalfDuplexCall holds until the last has come; more are RESOURCE_EXHAUSTED.
  package static let heldRequestsMax = 1_000
  private static let echoInitial = "x-grpc-test-echo-initial"
  private static let echoTrailing = "x-grpc-test-echo-trailing-bin"

  package init(serverID: String, hostname: String, time: any TimeSource) {
    self.serverID = serverID
    self.hostname = hostname
    self.time = time
  }

  /// What is served: the contract without the method that no server implements.
  package var servedMethods: [ServerMethod] {
    methods.filter { $0.descriptor != GrpcTesting.TestService.unimplementedCall }
  }

  // MARK: One request, one response

  package func emptyCall(
    _ request: GrpcTesting.Empty, _ context: ServerContext
  ) async throws -> GrpcTesting.Empty {
    echoMetadata(context)
    return request
  }

  package func unaryCall(
    _ request: GrpcTesting.SimpleRequest, _ context: ServerContext
  ) async throws -> GrpcTesting.SimpleResponse {
    echoMetadata(context)
    try requirePacking(request.expectCompressed, context)
    try echoStatus(request.responseStatus)
    var response = GrpcTesting.SimpleResponse()
    response.payload = try payload(request.responseType, request.responseSize)
    if request.fillUsername { response.username = context.identity.service ?? "" }
    if request.fillServerId { response.serverId = serverID }
    response.hostname = hostname
    if request.responseCompressed?.value == true { context.responseEncoding = .gzip }
    return response
  }

  /// The time as a payload, and leave to keep it for a minute; asked the same again within that time,
  /// the same: this server is its own caching proxy.
  package func cacheableUnaryCall(
    _ request: GrpcTesting.SimpleRequest, _ context: ServerContext
  ) async throws -> GrpcTesting.SimpleResponse {
    echoMetadata(context)
    context.initialMetadata.add("cache-control", "max-age=60, public")
    var response = GrpcTesting.SimpleResponse()
    var payload = GrpcTesting.Payload()
    payload.body = answers.answer(to: request.payload?.body ?? [], at: time.now)
    response.payload = payload
    return response
  }

  package func unimplementedCall(
    _ request: GrpcTesting.Empty, _ context: ServerContext
  ) async throws -> GrpcTesting.Empty {
    throw RPCError(.unimplemented, "no server implements this")
  }

  // MARK: Streams

  package func streamingOutputCall(
    _ request: GrpcTesting.StreamingOutputCallRequest, _ responses: Outgoing<Response>,
    _ context: ServerContext
  ) async throws {
    begin(context)
    try await answer(request, responses)
  }

  package func streamingInputCall(
    _ requests: Incoming<GrpcTesting.StreamingInputCallRequest>, _ context: ServerContext
  ) async throws -> GrpcTesting.StreamingInputCallResponse {
    echoMetadata(context)
    var total = 0
    while let request = try await requests.next() {
      try requirePacking(request.expectCompressed, context)
      total += request.payload?.body.count ?? 0
    }
    var response = GrpcTesting.StreamingInputCallResponse()
    response.aggregatedPayloadSize = Int32(clamping: total)
    return response
  }

  package func fullDuplexCall(
    _ requests: Incoming<GrpcTesting.StreamingOutputCallRequest>, _ responses: Outgoing<Response>,
    _ context: ServerContext
  ) async throws {
    begin(context)
    while let request = try await requests.next() { try await answer(request, responses) }
  }

  package func halfDuplexCall(
    _ requests: Incoming<GrpcTesting.StreamingOutputCallRequest>, _ responses: Outgoing<Response>,
    _ context: ServerContext
  ) async throws {
    begin(context)
    var held: [GrpcTesting.StreamingOutputCallRequest] = []
    while var request = try await requests.next() {
      guard held.count < Self.heldRequestsMax else {
        throw RPCError(
          .resourceExhausted, "more than \(Self.heldRequestsMax) requests before the first answer")
      }
      // What came with it is not needed to answer.
      request.payload = nil
      held.append(request)
    }
    for request in held { try await answer(request, responses) }
  }

  // MARK: Parts

  /// The encoding of a stream is said before its first response, which response is packed later.
  private func begin(_ context: ServerContext) {
    echoMetadata(context)
    context.responseEncoding = .gzip
  }

  private func echoMetadata(_ context: ServerContext) {
    if let text = context.metadata.text(Self.echoInitial) {
      context.initialMetadata.add(Self.echoInitial, text)
    }
    if let bytes = context.metadata.bytes(Self.echoTrailing) {
      context.trailingMetadata.add(Self.echoTrailing, bytes: bytes)
    }
  }

  private func answer(
    _ request: GrpcTesting.StreamingOutputCallRequest, _ responses: Outgoing<Response>
  ) async throws {
    try echoStatus(request.responseStatus)
    for parameters in request.responseParameters {
      guard parameters.intervalUs >= 0 else {
        throw RPCError.invalid("interval_us", "is negative")
      }
      var response = Response()
      response.payload = try payload(request.responseType, parameters.size)
      if parameters.intervalUs > 0 {
        try await Task.sleep(for: .microseconds(Int(parameters.intervalUs)))
      }
      if parameters.compressed?.value == true {
        try await responses.send(response)
      } else {
        try await responses.sendUncompressed(response)
      }
    }
  }

  private func echoStatus(_ status: GrpcTesting.EchoStatus?) throws(RPCError) {
    guard let status, status.code != 0 else { return }
    let code = UInt8(exactly: status.code).flatMap(StatusCode.init) ?? .unknown
    throw RPCError(code, status.message)
  }

  private func requirePacking(
    _ wanted: GrpcTesting.BoolValue?, _ context: ServerContext
  ) throws(RPCError) {
    guard let wanted, wanted.value != context.requestWasCompressed else { return }
    throw RPCError.invalid(
      "expect_compressed",
      wanted.value
        ? "is true and the request came as it is" : "is false and the request came packed")
  }

  private func payload(
    _ type: GrpcTesting.PayloadType, _ size: Int32
  ) throws(RPCError) -> GrpcTesting.Payload {
    guard type == .compressable else {
      throw RPCError.invalid("response_type", "is no type of payload that this server makes")
    }
    guard size >= 0 else { throw RPCError.invalid("size", "is negative") }
    guard size <= Self.payloadBytesMax else {
      throw RPCError(
        .resourceExhausted, "a payload has at most \(Self.payloadBytesMax) bytes, not \(size)")
    }
    var payload = GrpcTesting.Payload()
    payload.type = type
    payload.body = [UInt8](repeating: 0, count: Int(size))
    return payload
  }
}

/// What CacheableUnaryCall answered lately, by the request's payload.
private final class AnswerCache: Sendable {
  private struct Entry {
    let question: [UInt8]
    let answer: [UInt8]
    let time: Instant
  }

  private let entries = Mutex<[Entry]>([])

  private static let ageMax = Duration.seconds(60)
  /// The oldest goes first.
  private static let entriesMax = 16

  func answer(to question: [UInt8], at now: Instant) -> [UInt8] {
    entries.withLock { entries in
      entries.removeAll { now - $0.time > Self.ageMax }
      if let known = entries.first(where: { $0.question == question }) { return known.answer }
      let answer = Array(String(now.nanoseconds).utf8)
      if entries.count == Self.entriesMax { entries.removeFirst() }
      entries.append(Entry(question: question, answer: answer, time: now))
      return answer
    }
  }
}
