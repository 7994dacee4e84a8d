internal import Calls
internal import Chrono
internal import JSON
internal import Loop
internal import ServiceKit
internal import Telemetry
internal import Transcoding
package import Transport

/// HTTP and JSON in, one RPC, JSON out.
package struct RESTResponder: HTTPResponder {
  private let context: ServiceContext
  private let config: Config
  private let upstreams: Upstreams
  private let transcoder: Transcoder
  private let killSwitch: KillSwitchRelay
  private let requests: CounterFamily
  private let seconds: HistogramFamily

  init(_ context: ServiceContext, _ config: Config) throws {
    self.context = context
    self.config = config
    upstreams = Upstreams(context)
    killSwitch = KillSwitchRelay(context)
    transcoder = try Transcoder(methods: upstreams.methods)
    requests = context.metrics.counters(
      "gateway_requests_total", help: "HTTP requests by route and status.",
      labels: ["method", "route", "status"])
    seconds = context.metrics.histograms(
      "gateway_request_seconds", help: "Time from request to answer, by route.",
      labels: ["method", "route"])
  }

  package func respond(to request: HTTPRequest) async -> HTTPResponse {
    let began = context.loop.uptime
    var route = "none"
    var response: HTTPResponse
    do throws(RPCError) {
      response = try await answer(request, &route)
    } catch {
      response = Self.failure(error)
    }
    // An unknown method must not make a new time series with every request.
    let method = Self.methods.contains(request.method) ? request.method : "other"
    requests.with(method, route, "\(response.status)").increment()
    seconds.with(method, route).observe(context.loop.uptime - began)
    return response
  }

  private static let methods: Set<String> = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS",
  ]

  private func answer(
    _ request: HTTPRequest, _ route: inout String
  ) async throws(RPCError) -> HTTPResponse {
    let method = request.method == "HEAD" ? "GET" : request.method
    guard let match = try transcoder.match(method: method, path: String(request.path)) else {
      let allowed = transcoder.allowedMethods(path: String(request.path))
      return allowed.isEmpty ? Self.notFound(request) : Self.notAllowed(request, allowed)
    }
    route = match.route.template
    guard request.body.count <= config.bodyBytesMax else {
      return Self.problem(
        413, "INVALID_ARGUMENT",
        "the body has \(request.body.count) bytes, more than \(config.bodyBytesMax) (body_bytes_max)"
      )
    }
    try await authenticate(request, match.method)
    if let refusal = Self.unfitBody(request) { return refusal }
    let message = try transcoder.requestBytes(
      match, query: request.query.map(String.init) ?? "", body: request.body)
    guard let channel = upstreams.channel(for: match.method) else {
      throw RPCError(.unimplemented, "\(match.method.service) is not served here")
    }
    guard match.method.shape == .unary else {
      throw RPCError(.unimplemented, "\(match.method.name) streams; call it over gRPC")
    }
    let reply =
      KillSwitchRelay.takes(match.method)
      ? try await killSwitch.engage(message, options(request))
      : try await channel.unary(match.method, message, options(request))
    var response = HTTPResponse(
      status: match.route.successStatus, json: try transcoder.responseJSON(match, reply))
    if match.route.successStatus == 201, let id = Self.createdID(response.body) {
      response.headers.append(HTTPHeader("location", "\(match.route.template)/\(id)"))
    }
    response.headers.append(HTTPHeader("cache-control", "no-store"))
    return response
  }

  /// Checked here as well as by the service: what must not pass should not travel.
  private func authenticate(
    _ request: HTTPRequest, _ method: MethodDescriptor
  ) async throws(RPCError) {
    var identity = Identity()
    if let header = request.header("authorization") {
      identity.user = try await context.tokens.verify(AccessControl.bearer(header))
    }
    try AccessControl.check(method, identity)
  }

  private func options(_ request: HTTPRequest) -> CallOptions {
    var options = CallOptions(
      deadline: context.loop.uptime + config.callTimeout,
      traceParent: request.header("traceparent"))
    if let header = request.header("authorization") {
      options.metadata.add("authorization", header)
    }
    // Vendors' part of a trace belongs to the traceparent beside it.
    if options.traceParent != nil, let state = request.header("tracestate") {
      options.metadata.add("tracestate", state)
    }
    return options
  }

  private static func unfitBody(_ request: HTTPRequest) -> HTTPResponse? {
    guard !request.body.isEmpty else { return nil }
    let type = (request.header("content-type") ?? "application/json")
      .prefix { $0 != ";" }.lowercased()
    // curl's -d says form unless told otherwise; what it sends is JSON all the same.
    let taken = ["application/json", "text/json", "application/x-www-form-urlencoded"]
    guard taken.contains(type.filter { $0 != " " }) || type.hasSuffix("+json") else {
      return problem(415, "INVALID_ARGUMENT", "the body must be application/json, not \(type)")
    }
    return nil
  }

  /// The id of what was created: the first member of the answer that ends in `Id`.
  private static func createdID(_ body: [UInt8]) -> String? {
    do {
      let document = try JSONDocument(parsing: body)
      guard let object = document.root.object else { return nil }
      for member in object where member.name.hasSuffix("Id") {
        return member.value.string
      }
    } catch {
      return nil
    }
    return nil
  }

  // MARK: Errors

  private static func failure(_ error: RPCError) -> HTTPResponse {
    let status = ErrorBody.httpStatus(of: error.code)
    var response = HTTPResponse(status: status, json: ErrorBody.json(error))
    if status == 401 {
      response.headers.append(HTTPHeader("www-authenticate", "Bearer realm=\"shrivenquant\""))
    }
    for case .retryInfo(let delay) in error.details {
      let seconds = max(1, (delay.wholeNanoseconds + 999_999_999) / 1_000_000_000)
      response.headers.append(HTTPHeader("retry-after", "\(seconds)"))
    }
    if status == 429, !response.headers.contains(where: { $0.name == "retry-after" }) {
      response.headers.append(HTTPHeader("retry-after", "1"))
    }
    return response
  }

  private static func notFound(_ request: HTTPRequest) -> HTTPResponse {
    problem(404, "NOT_FOUND", "there is nothing at \(request.path.prefix(200))")
  }

  private static func notAllowed(_ request: HTTPRequest, _ allowed: [String]) -> HTTPResponse {
    var response = problem(
      405, "UNIMPLEMENTED",
      "\(request.path.prefix(200)) takes \(allowed.joined(separator: ", ")), not \(request.method)")
    response.headers.append(HTTPHeader("allow", allowed.joined(separator: ", ")))
    return response
  }

  private static func problem(_ status: Int, _ code: String, _ message: String) -> HTTPResponse {
    var writer = JSONWriter()
    writer.beginObject()
    writer.name("error")
    writer.beginObject()
    writer.member("code", status)
    writer.member("message", message)
    writer.member("status", code)
    writer.name("details")
    writer.beginArray()
    writer.endArray()
    writer.endObject()
    writer.endObject()
    return HTTPResponse(status: status, json: writer.finished())
  }
}
