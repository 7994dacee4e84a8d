package import Calls
package import Chrono
internal import Contracts
internal import Wire

/// Runs the interop cases against a server.
package struct InteropClient: Sendable {
  /// A channel, and how to let go of it.
  package typealias Opened = (channel: any Channel, close: @Sendable () -> Void)

  let channel: any Channel
  let open: @Sendable () -> Opened
  let settings: InteropSettings
  let time: any TimeSource

  /// `open` makes further channels, for channel_soak.
  package init(
    channel: any Channel, settings: InteropSettings, time: any TimeSource,
    open: @escaping @Sendable () -> Opened
  ) {
    self.channel = channel
    self.settings = settings
    self.time = time
    self.open = open
  }

  /// Throws what is not as described.
  package func run(_ test: InteropCase) async throws(InteropFault) {
    do {
      try await perform(test)
    } catch let fault as InteropFault {
      throw fault
    } catch let error as RPCError {
      throw InteropFault("the call ended with \(error.code.name): \(error.message)")
    } catch {
      throw InteropFault("\(error)")
    }
  }

  private func perform(_ test: InteropCase) async throws {
    switch test {
    case .emptyUnary: try await emptyUnary()
    case .cacheableUnary: try await cacheableUnary()
    case .largeUnary: try await largeUnary(channel)
    case .clientCompressedUnary: try await clientCompressedUnary()
    case .serverCompressedUnary: try await serverCompressedUnary()
    case .clientStreaming: try await clientStreaming()
    case .clientCompressedStreaming: try await clientCompressedStreaming()
    case .serverStreaming: try await serverStreaming()
    case .serverCompressedStreaming: try await serverCompressedStreaming()
    case .pingPong: try await pingPong()
    case .halfDuplex: try await halfDuplex()
    case .slowConsumer: try await slowConsumer()
    case .emptyStream: try await emptyStream()
    case .customMetadata: try await customMetadata()
    case .statusCodeAndMessage: try await statusCodeAndMessage("test status message")
    case .specialStatusMessage:
      try await specialStatusMessage(
        "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n")
    case .unimplementedMethod: try await unimplemented(GrpcTesting.TestService.unimplementedCall)
    case .unimplementedService:
      try await unimplemented(GrpcTesting.UnimplementedService.unimplementedCall)
    case .cancelAfterBegin: try await cancelAfterBegin()
    case .cancelAfterFirstResponse: try await cancelAfterFirstResponse()
    case .timeoutOnSleepingServer: try await timeoutOnSleepingServer()
    case .rpcSoak: try await rpcSoak()
    case .channelSoak: try await channelSoak()
    }
  }

  // MARK: Parts

  typealias Duplex = ClientCall<
    GrpcTesting.StreamingOutputCallRequest, GrpcTesting.StreamingOutputCallResponse
  >
  typealias Upload = ClientCall<
    GrpcTesting.StreamingInputCallRequest, GrpcTesting.StreamingInputCallResponse
  >
  typealias Simple = ClientCall<GrpcTesting.SimpleRequest, GrpcTesting.SimpleResponse>

  var service: GrpcTesting.TestServiceClient { GrpcTesting.TestServiceClient(channel: channel) }

  /// With the deadline that every call has.
  var options: CallOptions { CallOptions(deadline: time.uptime + settings.callTimeMax) }

  func require(_ holds: Bool, _ otherwise: @autoclosure () -> String) throws(InteropFault) {
    guard holds else { throw InteropFault(otherwise()) }
  }

  func requireZeros(
    _ payload: GrpcTesting.Payload?, _ count: Int, _ what: String = "the response"
  ) throws(InteropFault) {
    let body = payload?.body ?? []
    try require(body.count == count, "\(what) has \(body.count) bytes of payload, not \(count)")
    try require(
      body == [UInt8](repeating: 0, count: count), "the payload of \(what) is not all zeros")
  }

  /// The call must end with this status.
  func requireEnd(
    _ code: StatusCode, message: String? = nil, _ body: () async throws -> Void
  ) async throws {
    do {
      try await body()
    } catch let error as RPCError {
      try require(
        error.code == code,
        "the call ended with \(error.code.name): \(error.message), "
          + "not with \(code.name)")
      if let message {
        try require(
          error.message == message,
          "the message is \"\(error.message)\", not \"\(message)\"")
      }
      return
    }
    throw InteropFault("the call ended well, not with \(code.name)")
  }

  static func zeros(_ count: Int) -> GrpcTesting.Payload {
    var payload = GrpcTesting.Payload()
    payload.body = [UInt8](repeating: 0, count: count)
    return payload
  }

  static func flag(_ value: Bool) -> GrpcTesting.BoolValue {
    var flag = GrpcTesting.BoolValue()
    flag.value = value
    return flag
  }

  /// 271,828 bytes there, 314,159 back.
  static func largeRequest(
    _ adjust: (inout GrpcTesting.SimpleRequest) -> Void = { _ in }
  ) -> GrpcTesting.SimpleRequest {
    var request = GrpcTesting.SimpleRequest()
    request.payload = zeros(requestBytes)
    request.responseSize = Int32(responseBytes)
    adjust(&request)
    return request
  }

  static let requestBytes = 271_828
  static let responseBytes = 314_159

  /// A request for responses of these sizes.
  static func wanting(_ sizes: [Int], payload: Int? = nil) -> GrpcTesting.StreamingOutputCallRequest
  {
    var request = GrpcTesting.StreamingOutputCallRequest()
    request.responseParameters = sizes.map { size in
      var parameters = GrpcTesting.ResponseParameters()
      parameters.size = Int32(size)
      return parameters
    }
    request.payload = payload.map(zeros)
    return request
  }
}
