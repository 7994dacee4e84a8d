internal import Calls
internal import Chrono
internal import Contracts

/// Cases of many requests or responses.
extension InteropClient {
  private static let uploads = [27_182, 8, 1_828, 45_904]
  private static let downloads = [31_415, 9, 2_653, 58_979]

  func clientStreaming() async throws {
    let call = try await service.streamingInputCall(options)
    for size in Self.uploads { try await call.send(Self.upload(size)) }
    try requireTotal(try await call.finish(), 74_922)
  }

  func clientCompressedStreaming() async throws {
    try await requireEnd(.invalidArgument) {
      let probe = try await service.streamingInputCall(options)
      try await probe.send(Self.upload(27_182, expectPacked: true))
      _ = try await probe.finish()
    }
    var packing = options
    packing.requestEncoding = .gzip
    let call = try await service.streamingInputCall(packing)
    try await call.send(Self.upload(27_182, expectPacked: true))
    try await call.sendUncompressed(Self.upload(45_904, expectPacked: false))
    try requireTotal(try await call.finish(), 73_086)
  }

  private static func upload(
    _ size: Int, expectPacked: Bool? = nil
  ) -> GrpcTesting.StreamingInputCallRequest {
    var request = GrpcTesting.StreamingInputCallRequest()
    request.payload = zeros(size)
    request.expectCompressed = expectPacked.map(flag)
    return request
  }

  private func requireTotal(
    _ response: GrpcTesting.StreamingInputCallResponse, _ total: Int32
  ) throws(InteropFault) {
    try require(
      response.aggregatedPayloadSize == total,
      "the server counted \(response.aggregatedPayloadSize) bytes, not \(total)")
  }

  func serverStreaming() async throws {
    let call = try await service.streamingOutputCall(Self.wanting(Self.downloads), options)
    try await requireResponses(call, Self.downloads)
  }

  func serverCompressedStreaming() async throws {
    let sizes = [31_415, 92_653]
    var request = Self.wanting(sizes)
    request.responseParameters[0].compressed = Self.flag(true)
    request.responseParameters[1].compressed = Self.flag(false)
    let call = try await service.streamingOutputCall(request, options)
    for (size, isPacked) in zip(sizes, [true, false]) {
      let response = try await call.next()
      try require(response != nil, "a response is missing")
      try requirePacking(isPacked, call.responseWasCompressed)
      try requireZeros(response?.payload, size)
    }
    try await requireEndOfResponses(call)
  }

  func pingPong() async throws {
    let call = try await service.fullDuplexCall(options)
    for (upload, download) in zip(Self.uploads, Self.downloads) {
      try await call.send(Self.wanting([download], payload: upload))
      let response = try await call.next()
      try require(response != nil, "the call ended in the middle of the game")
      try requireZeros(response?.payload, download)
    }
    try await call.finishSending()
    try await requireEndOfResponses(call)
  }

  func halfDuplex() async throws {
    let call = try await service.halfDuplexCall(options)
    for size in Self.downloads { try await call.send(Self.wanting([size])) }
    try await call.finishSending()
    try await requireResponses(call, Self.downloads)
  }

  func slowConsumer() async throws {
    let sizes = [Int](repeating: 1_030, count: 2_000)
    let call = try await service.streamingOutputCall(Self.wanting(sizes), options)
    for index in sizes.indices {
      let response = try await call.next()
      try require(response != nil, "\(index) responses came, not \(sizes.count)")
      try requireZeros(response?.payload, sizes[index])
      if index % 10 == 9, settings.consumerPause > .zero {
        try await Task.sleep(for: settings.consumerPause)
      }
    }
    try await requireEndOfResponses(call)
  }

  func emptyStream() async throws {
    let call = try await service.fullDuplexCall(options)
    try await call.finishSending()
    try await requireEndOfResponses(call)
  }

  private func requireResponses(_ call: Duplex, _ sizes: [Int]) async throws {
    for (index, size) in sizes.enumerated() {
      let response = try await call.next()
      try require(response != nil, "\(index) responses came, not \(sizes.count)")
      try requireZeros(response?.payload, size, "response \(index + 1)")
    }
    try await requireEndOfResponses(call)
  }

  private func requireEndOfResponses(_ call: Duplex) async throws {
    let surplus = try await call.next()
    try require(surplus == nil, "there is a response too many")
  }

  // MARK: Ends before the end

  func cancelAfterBegin() async throws {
    let call = try await service.streamingInputCall(options)
    call.cancel()
    try await requireEnd(.cancelled) { while try await call.next() != nil {} }
  }

  func cancelAfterFirstResponse() async throws {
    let call = try await service.fullDuplexCall(options)
    try await call.send(Self.wanting([31_415], payload: 27_182))
    try requireZeros(try await call.next()?.payload, 31_415)
    call.cancel()
    try await requireEnd(.cancelled) { while try await call.next() != nil {} }
  }

  func timeoutOnSleepingServer() async throws {
    try await requireEnd(.deadlineExceeded) {
      let call = try await service.fullDuplexCall(
        CallOptions(deadline: time.uptime + .milliseconds(1)))
      try await call.send(Self.wanting([], payload: 27_182))
      while try await call.next() != nil {}
    }
  }
}
