import Calls
import Chrono
import Contracts
import GatewayService
import JSON
import Loop
import Security
import ServiceKit
import Synchronization
import Telemetry
import TestKit
import Testing
import Transport
import Wire

/// A gateway over upstreams that a test writes, and a signer of tokens that it believes.
struct GatewayDesk: Sendable {
  let world: ServiceWorld
  let running: RunningService<Gateway>
  let signing: SigningKey

  static func open(_ loop: EventLoop) async throws -> GatewayDesk {
    let world = try ServiceWorld(loop)
    let running = try await world.start(Gateway.self)
    let signing = try SigningKey.generate()
    let keys = JSONWebKeySet(["k1": signing.publicKey])
    running.context.tokens.fetch { keys }
    return GatewayDesk(world: world, running: running, signing: signing)
  }

  func token(_ scopes: Set<String>) -> String {
    let now = world.time.now
    let claims = TokenClaims(
      issuer: "shrivenquant",
      user: UserIdentity(
        id: "u1", name: "ada", roles: ["trader"], scopes: scopes, expires: now + .seconds(60)),
      issued: now)
    return JSONWebToken.sign(key: signing, keyID: "k1") { claims.write(into: &$0) }
  }

  func ask(
    _ method: String, _ target: String, _ body: String = "", scopes: Set<String>? = nil,
    type: String? = "application/json"
  ) async throws -> Answer {
    var headers: [HTTPHeader] = []
    if let scopes { headers.append(HTTPHeader("authorization", "Bearer \(token(scopes))")) }
    if let type, !body.isEmpty { headers.append(HTTPHeader("content-type", type)) }
    let responder = try #require(running.service.responder)
    let response = await responder.respond(
      to: HTTPRequest(method: method, target: target, headers: headers, body: Array(body.utf8)))
    return Answer(response)
  }

  struct Answer {
    let status: Int
    let body: String
    private let headers: [HTTPHeader]

    init(_ response: HTTPResponse) {
      status = response.status
      headers = response.headers
      body = String(decoding: response.body, as: UTF8.self)
    }

    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
  }
}

private func withGateway(
  _ body: @escaping @Sendable (GatewayDesk) async throws -> Void
) async throws {
  try await withLoop { loop in
    let desk = try await GatewayDesk.open(loop)
    do { try await body(desk) } catch {
      await desk.running.end()
      throw error
    }
    await desk.running.end()
  }
}

@Suite struct `The gateway` {
  static let path = "/v1/orders/0000000000001"

  static let statuses: [(StatusCode, Int)] = [
    (.invalidArgument, 400), (.failedPrecondition, 400), (.outOfRange, 400),
    (.unauthenticated, 401), (.permissionDenied, 403), (.notFound, 404), (.alreadyExists, 409),
    (.aborted, 409), (.resourceExhausted, 429), (.cancelled, 499), (.unknown, 500),
    (.internalError, 500), (.dataLoss, 500), (.unimplemented, 501), (.unavailable, 503),
    (.deadlineExceeded, 504),
  ]

  @Test func `GWY-02 each status of gRPC has its status of HTTP, and a body that says why`()
    async throws
  {
    try await withGateway { desk in
      let code = Mutex(StatusCode.ok)
      desk.world.serve(
        "oms",
        [
          ServerMethod(
            OmsV1.OrderService.getOrder,
            .unary { _, _ in throw RPCError(code.withLock { $0 }, "because") })
        ])
      for (status, http) in Self.statuses {
        code.withLock { $0 = status }

        let answer = try await desk.ask("GET", Self.path, scopes: ["orders.read"])

        #expect(answer.status == http, "\(status)")
        let document = try JSONDocument(parsing: Array(answer.body.utf8))
        let error = try #require(document.root.object?["error"]?.object)
        #expect(error["code"]?.int == http)
        #expect(error["status"]?.string == status.name)
        #expect(error["message"]?.string == "because")
        #expect((answer.header("retry-after") != nil) == (http == 429))
        #expect((answer.header("www-authenticate") != nil) == (http == 401))
      }
    }
  }

  @Test func `GWY-02 an upstream's wait is passed on, in whole seconds`() async throws {
    try await withGateway { desk in
      desk.world.serve(
        "oms",
        [
          ServerMethod(
            OmsV1.OrderService.getOrder,
            .unary { _, _ in
              throw RPCError(
                .resourceExhausted, "slow down",
                details: [.retryInfo(delay: .milliseconds(2500))])
            })
        ])
      let answer = try await desk.ask("GET", Self.path, scopes: ["orders.read"])
      #expect(answer.status == 429)
      #expect(answer.header("retry-after") == "3")
    }
  }

  @Test func `GWY-05 no token is 401, a poor one 403, and nothing reaches the service`()
    async throws
  {
    try await withGateway { desk in
      let calls = Mutex(0)
      desk.world.serve(
        "oms",
        [
          ServerMethod(
            OmsV1.OrderService.getOrder,
            .unary { _, _ in
              calls.withLock { $0 += 1 }
              return OmsV1.Order().encoded()
            })
        ])
      let none = try await desk.ask("GET", Self.path)
      #expect(none.status == 401)
      #expect(none.header("www-authenticate")?.hasPrefix("Bearer") == true)
      let poor = try await desk.ask("GET", Self.path, scopes: ["market.read"])
      #expect(poor.status == 403)
      #expect(poor.body.contains("orders.read"))
      #expect(calls.withLock { $0 } == 0)

      #expect(try await desk.ask("GET", Self.path, scopes: ["orders.read"]).status == 200)
      #expect(calls.withLock { $0 } == 1)
    }
  }

  @Test func `the token and the deadline travel with the call`() async throws {
    try await withGateway { desk in
      let seen = Mutex<(authorization: String?, hasDeadline: Bool)>((nil, false))
      desk.world.serve(
        "oms",
        [
          ServerMethod(
            OmsV1.OrderService.getOrder,
            .unary { _, context in
              seen.withLock { seen in
                seen = (context.metadata.text("authorization"), context.deadline != nil)
              }
              return OmsV1.Order().encoded()
            })
        ])
      _ = try await desk.ask("GET", Self.path, scopes: ["orders.read"])
      #expect(seen.withLock { $0.authorization }?.hasPrefix("Bearer ey") == true)
      #expect(seen.withLock { $0.hasDeadline })
    }
  }

  @Test func `GWY-03 an order that is made is 201 with its place`() async throws {
    try await withGateway { desk in
      let asked = Mutex(TradingV1.SubmitOrderRequest())
      desk.world.serve(
        "trading-gateway",
        [
          ServerMethod(
            TradingV1.TradingService.submitOrder,
            .unary { bytes, _ in
              let request = try TradingV1.SubmitOrderRequest(decoding: bytes)
              asked.withLock { $0 = request }
              var order = OmsV1.Order()
              order.orderId = "0000000000001"
              order.clientOrderId = request.clientOrderId
              return order.encoded()
            })
        ])
      let body = """
        {"clientOrderId": "c-1", "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT",
         "price": "50000.00", "quantity": "0.5"}
        """
      let answer = try await desk.ask("POST", "/v1/orders", body, scopes: ["orders.write"])

      #expect(answer.status == 201)
      #expect(answer.header("location") == "/v1/orders/0000000000001")
      #expect(answer.body.contains(#""clientOrderId":"c-1""#))
      let request = asked.withLock { $0 }
      #expect(request.side == .buy && request.type == .limit)
      #expect(text(request.price) == "50000" && text(request.quantity) == "0.5")
    }
  }

  @Test(arguments: [
    (#"{"quantity": "NaN"}"#, "quantity"), (#"{"quantity": NaN}"#, ""),
    (#"{"quantity": "1e400"}"#, "quantity"), (#"{"price": "Infinity"}"#, "price"),
    (#"{"quantity": "0.0000000000000000000000001"}"#, "quantity"),
    (#"{"side": "SIDEWAYS"}"#, "side"), (#"{"unheardOf": 1}"#, "unheardOf"), (#"{"quan"#, ""),
    (#"[]"#, ""), (#"{"quantity": {"units": 1}}"#, "quantity"),
  ])
  func `GWY-07 input that is not sound is 400, naming the field`(
    body: String, field: String
  ) async throws {
    try await withGateway { desk in
      let answer = try await desk.ask("POST", "/v1/orders", body, scopes: ["orders.write"])
      #expect(answer.status == 400)
      #expect(answer.body.contains("INVALID_ARGUMENT"))
      #expect(answer.body.contains(field), "\(answer.body)")
    }
  }

  @Test func `a path that is not there is 404, a method that does not fit 405 with those that do`()
    async throws
  {
    try await withGateway { desk in
      let lost = try await desk.ask("GET", "/v1/nothing")
      #expect(lost.status == 404 && lost.body.contains("NOT_FOUND"))
      let wrong = try await desk.ask("DELETE", "/v1/orders")
      #expect(wrong.status == 405)
      let allowed = Set((wrong.header("allow") ?? "").split(separator: ", ").map(String.init))
      #expect(allowed.isSuperset(of: ["GET", "POST"]))
    }
  }

  @Test func `a body of another type is 415, one too large 413`() async throws {
    try await withGateway { desk in
      let xml = try await desk.ask(
        "POST", "/v1/orders", "<order/>", scopes: ["orders.write"], type: "application/xml")
      #expect(xml.status == 415)
      let large = String(repeating: " ", count: 1_048_577)
      let huge = try await desk.ask("POST", "/v1/orders", large, scopes: ["orders.write"])
      #expect(huge.status == 413)
    }
  }

  @Test func `an upstream that is absent is 503`() async throws {
    try await withGateway { desk in
      let answer = try await desk.ask("GET", Self.path, scopes: ["orders.read"])
      #expect(answer.status == 503)
      #expect(answer.body.contains("UNAVAILABLE"))
    }
  }

  @Test func `requests are counted by route, never by what a caller made up`() async throws {
    try await withGateway { desk in
      _ = try await desk.ask("GET", Self.path)
      _ = try await desk.ask("GET", "/v1/made/up/\(Self.path.count)")
      _ = try await desk.ask("BREW", "/v1/orders")
      let metrics = desk.running.context.metrics.exposition()
      #expect(
        metrics.contains(
          #"gateway_requests_total{method="GET",route="/v1/orders/{order_id}",status="401"} 1"#))
      #expect(
        metrics.contains(#"gateway_requests_total{method="GET",route="none",status="404"} 1"#))
      #expect(metrics.contains(#"method="other",route="none",status="405"} 1"#))
      #expect(!metrics.contains("made/up") && !metrics.contains("BREW"))
    }
  }
}
