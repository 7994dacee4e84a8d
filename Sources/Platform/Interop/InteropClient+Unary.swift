internal import Calls
internal import Chrono
internal import Contracts

/// Cases of one request and one response.
extension InteropClient {
  func emptyUnary() async throws {
    let response = try await service.emptyCall(GrpcTesting.Empty(), options)
    try require(response == GrpcTesting.Empty(), "the response is not empty")
  }

  func cacheableUnary() async throws {
    var request = GrpcTesting.SimpleRequest()
    var payload = GrpcTesting.Payload()
    payload.body = Array(String(time.now.nanoseconds).utf8)
    request.payload = payload
    var options = options
    options.metadata.add("x-user-ip", "1.2.3.4")
    let first = try await service.cacheableUnaryCall(request, options)
    let second = try await service.cacheableUnaryCall(request, options)
    try require(
      first.payload?.body == second.payload?.body, "the second answer came from no cache")
  }

  func largeUnary(_ channel: any Channel) async throws {
    let client = GrpcTesting.TestServiceClient(channel: channel)
    let response = try await client.unaryCall(Self.largeRequest(), options)
    try requireZeros(response.payload, Self.responseBytes)
  }

  func clientCompressedUnary() async throws {
    try await requireEnd(.invalidArgument) {
      _ = try await service.unaryCall(
        Self.largeRequest { $0.expectCompressed = Self.flag(true) }, options)
    }
    for isPacked in [true, false] {
      var options = options
      options.requestEncoding = .gzip
      let call = Simple(try await channel.open(GrpcTesting.TestService.unaryCall, options))
      let request = Self.largeRequest { $0.expectCompressed = Self.flag(isPacked) }
      if isPacked { try await call.send(request) } else { try await call.sendUncompressed(request) }
      try requireZeros(try await call.finish().payload, Self.responseBytes)
    }
  }

  func serverCompressedUnary() async throws {
    for isPacked in [true, false] {
      let call = Simple(try await channel.open(GrpcTesting.TestService.unaryCall, options))
      try await call.send(Self.largeRequest { $0.responseCompressed = Self.flag(isPacked) })
      let response = try await call.finish()
      try requirePacking(isPacked, call.responseWasCompressed)
      try requireZeros(response.payload, Self.responseBytes)
    }
  }

  func requirePacking(_ wanted: Bool, _ found: Bool) throws(InteropFault) {
    try require(
      wanted == found,
      wanted ? "the response is not packed although asked to be" : "the response is packed unasked")
  }

  // MARK: Status and metadata

  func statusCodeAndMessage(_ message: String) async throws {
    var status = GrpcTesting.EchoStatus()
    (status.code, status.message) = (2, message)
    var request = GrpcTesting.SimpleRequest()
    request.responseStatus = status
    try await requireEnd(.unknown, message: message) {
      _ = try await service.unaryCall(request, options)
    }
    var streamed = GrpcTesting.StreamingOutputCallRequest()
    streamed.responseStatus = status
    try await requireEnd(.unknown, message: message) {
      let call = try await service.fullDuplexCall(options)
      try await call.send(streamed)
      try await call.finishSending()
      while try await call.next() != nil {}
    }
  }

  func specialStatusMessage(_ message: String) async throws {
    var request = GrpcTesting.SimpleRequest()
    var status = GrpcTesting.EchoStatus()
    (status.code, status.message) = (2, message)
    request.responseStatus = status
    try await requireEnd(.unknown, message: message) {
      _ = try await service.unaryCall(request, options)
    }
  }

  func unimplemented(_ method: MethodDescriptor) async throws {
    try await requireEnd(.unimplemented) {
      _ = try await channel.unary(method, [], options)
    }
  }

  func customMetadata() async throws {
    let text = "test_initial_metadata_value"
    let bytes: [UInt8] = [0xab, 0xab, 0xab]
    var options = options
    options.metadata.add("x-grpc-test-echo-initial", text)
    options.metadata.add("x-grpc-test-echo-trailing-bin", bytes: bytes)
    func check(_ initial: Metadata, _ trailing: Metadata, _ what: String) throws {
      try require(
        initial.text("x-grpc-test-echo-initial") == text,
        "\(what): the initial metadata did not come back")
      try require(
        trailing.bytes("x-grpc-test-echo-trailing-bin") == bytes,
        "\(what): the trailing metadata did not come back")
    }
    let unary = Simple(try await channel.open(GrpcTesting.TestService.unaryCall, options))
    try await unary.send(Self.largeRequest())
    try requireZeros(try await unary.finish().payload, Self.responseBytes)
    try check(unary.initialMetadata, unary.trailingMetadata, "UnaryCall")

    let duplex = try await service.fullDuplexCall(options)
    try await duplex.send(Self.wanting([Self.responseBytes], payload: Self.requestBytes))
    try requireZeros(try await duplex.finish().payload, Self.responseBytes)
    try check(duplex.initialMetadata, duplex.trailingMetadata, "FullDuplexCall")
  }
}
