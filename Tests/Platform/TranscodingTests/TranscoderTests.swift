import Calls
import Contracts
import Testing
import Transcoding
import Wire

private let transcoder = try! Transcoder(methods: ContractCatalog.methods)

private func request<M: Message>(
  _: M.Type, _ method: String, _ path: String, query: String = "", body: String = ""
) throws -> M {
  let match = try #require(try transcoder.match(method: method, path: path))
  #expect(match.method.request == M.typeName)
  return try M(
    decoding: transcoder.requestBytes(match, query: query, body: Array(body.utf8)))
}

private func refusal(
  _ method: String, _ path: String, query: String = "", body: String = ""
) throws -> String {
  let match = try #require(try transcoder.match(method: method, path: path))
  do {
    _ = try transcoder.requestBytes(match, query: query, body: Array(body.utf8))
    return "accepted"
  } catch {
    return error.message
  }
}

@Suite struct `REST requests` {
  @Test func `GWY-01 the path fills the request`() throws {
    let get = try request(OmsV1.GetOrderRequest.self, "GET", "/v1/orders/o%201")
    let cancel = try request(
      OmsV1.CancelOrderRequest.self, "DELETE", "/v1/orders/o1", query: "reason=too%20late")

    #expect(get.orderId == "o 1")
    #expect(cancel.orderId == "o1" && cancel.reason == "too late")
  }

  @Test func `the query fills the rest, in both spellings`() throws {
    let left = try request(
      OmsV1.ListOrdersRequest.self, "GET", "/v1/orders",
      query: "openOnly=true&pageSize=5&symbol=BTCUSDT")
    let right = try request(
      OmsV1.ListOrdersRequest.self, "GET", "/v1/orders/",
      query: "open_only=true&page_size=5&symbol=BTCUSDT")

    #expect(left == right)
    #expect(left.openOnly && left.pageSize == 5 && left.symbol == "BTCUSDT")
  }

  @Test func `GWY-07 a body that names another than the path is refused`() throws {
    for body in [#"{"orderId":"o2"}"#, #"{"order_id":"o2","quantity":"1"}"#] {
      let said = try refusal("PATCH", "/v1/orders/o1", body: body)
      #expect(said == "orderId is o1 in the path, and another in the body")
    }
    for body in [#"{"orderId":"o1","quantity":"1"}"#, #"{"orderId":"","quantity":"1"}"#] {
      let same = try request(
        TradingV1.ReplaceOrderRequest.self, "PATCH", "/v1/orders/o1", body: body)
      #expect(same.orderId == "o1")
    }
  }

  @Test func `a body fills the request and may be absent`() throws {
    let full = try request(
      OmsV1.CancelAllOrdersRequest.self, "POST", "/v1/orders:cancelAll",
      body: #"{"symbol":"ETHUSDT"}"#)
    let empty = try request(OmsV1.CancelAllOrdersRequest.self, "POST", "/v1/orders:cancelAll")

    #expect(full.symbol == "ETHUSDT")
    #expect(empty == OmsV1.CancelAllOrdersRequest())
  }

  @Test func `what a query may not set is refused`() throws {
    #expect(try refusal("GET", "/v1/orders", query: "color=red").hasPrefix("color is not a field"))
    #expect(
      try refusal("GET", "/v1/orders", query: "pageSize=x")
        == "pageSize is not an unsigned 32-bit integer")
    #expect(
      try refusal("GET", "/v1/orders", query: "pageSize=1&page_size=2")
        == "page_size is given twice")
    #expect(
      try refusal("GET", "/v1/orders", query: "symbol=%zz")
        == "query has a malformed percent escape")
    #expect(
      try refusal("GET", "/v1/orders/o1", query: "orderId=o2").contains(
        "is not taken from the query"))
    #expect(
      try refusal("POST", "/v1/orders:cancelAll", query: "symbol=X").contains("the body gives it"))
    #expect(try refusal("GET", "/v1/orders", body: "{}").contains("is not taken by GET /v1/orders"))
  }

  @Test func `an unknown path has no route, a known one says its methods`() throws {
    #expect(try transcoder.match(method: "GET", path: "/v1/nothing") == nil)
    #expect(try transcoder.match(method: "HEAD", path: "/v1/orders/o1") == nil)
    #expect(transcoder.allowedMethods(path: "/v1/orders/o1").contains("DELETE"))
    #expect(transcoder.allowedMethods(path: "/v1/nothing").isEmpty)
  }

  @Test func `the status of success comes from the contract`() throws {
    let create = try #require(try transcoder.match(method: "POST", path: "/v1/users"))

    #expect(create.route.successStatus == 201)
  }

  @Test func `an answer is JSON with its defaults`() throws {
    let match = try #require(try transcoder.match(method: "POST", path: "/v1/orders:cancelAll"))

    let json = try transcoder.responseJSON(match, [])

    #expect(String(decoding: json, as: UTF8.self) == #"{"requested":0}"#)
  }

  @Test func `every route of the contracts finds its own method`() throws {
    for method in ContractCatalog.methods {
      for route in method.routes {
        let path = String(
          route.template.split(separator: "/", omittingEmptySubsequences: false).map { segment in
            guard let end = segment.firstIndex(of: "}"), segment.first == "{" else {
              return String(segment)
            }
            return "x" + segment[segment.index(after: end)...]
          }.joined(separator: "/"))
        let found = try transcoder.match(method: route.method, path: path)
        #expect(found?.method.path == method.path, "\(route.method) \(path)")
      }
    }
  }

  @Test func `a route that its request cannot fill is refused at start`() {
    func method(_ template: String, body: String = "") -> MethodDescriptor {
      MethodDescriptor(
        service: "s", name: "M", shape: .unary, scope: .anonymous, isIdempotent: true,
        request: "shrivenquant.oms.v1.GetOrderRequest", response: "shrivenquant.oms.v1.Order",
        routes: [HTTPRoute(method: "GET", template: template, body: body)])
    }

    #expect(throws: RouteError.self) { try Transcoder(methods: [method("/v1/{colour}")]) }
    #expect(throws: RouteError.self) { try Transcoder(methods: [method("/v1/a", body: "colour")]) }
    #expect(throws: RouteError.self) {
      try Transcoder(methods: [method("/v1/a"), method("/v1/a")])
    }
  }

  @Test func `an error is shown as Google's APIs show it`() {
    var error = RPCError.invalid("price", "is not a plain decimal")
    error.details.append(
      .errorInfo(reason: "PRICE_BANDS", domain: "risk", metadata: ["limit": "5"]))
    error.details.append(.retryInfo(delay: .milliseconds(1500)))
    error.details.append(.other(typeURL: "type.googleapis.com/x.Y", value: [1]))

    let json = String(decoding: ErrorBody.json(error), as: UTF8.self)

    let details = [
      #"{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"price","description":"is not a plain decimal"}]}"#,
      #"{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"PRICE_BANDS","domain":"risk","metadata":{"limit":"5"}}"#,
      #"{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.500s"}"#,
      #"{"@type":"type.googleapis.com/x.Y","value":"AQ=="}"#,
    ]
    #expect(
      json
        == #"{"error":{"code":400,"message":"price is not a plain decimal","status":"INVALID_ARGUMENT","#
        + #""details":["# + details.joined(separator: ",") + "]}}")
    #expect(StatusCode.allCases.allSatisfy { (200...599).contains(ErrorBody.httpStatus(of: $0)) })
  }
}
