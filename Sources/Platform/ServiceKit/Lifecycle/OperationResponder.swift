internal import JSON
internal import Telemetry
internal import Transport

/// What every port answers over HTTP: is it alive, is it ready, what does it count.
struct OperationResponder: HTTPResponder {
  let service: ServiceName
  let instance: String
  let readiness: ReadinessBoard
  let metrics: MetricsRegistry
  /// What else the service answers.
  let inner: (any HTTPResponder)?

  func respond(to request: HTTPRequest) async -> HTTPResponse {
    let isRead = request.method == "GET" || request.method == "HEAD"
    switch request.path {
    case "/health/live" where isRead: return live
    case "/health/ready" where isRead: return ready
    case "/metrics" where isRead:
      return HTTPResponse(
        status: 200, contentType: MetricsRegistry.contentType, body: metrics.exposition())
    case "/health/live", "/health/ready", "/metrics":
      return problem(405, "UNIMPLEMENTED", "only GET is answered here")
    default:
      return await inner?.respond(to: request)
        ?? problem(404, "NOT_FOUND", "there is nothing at this path")
    }
  }

  private var live: HTTPResponse {
    var json = JSONWriter()
    json.beginObject()
    json.member("status", "LIVE")
    json.member("service", service.text)
    json.member("instance", instance)
    json.endObject()
    return HTTPResponse(status: 200, json: json.finished())
  }

  private var ready: HTTPResponse {
    let missing = readiness.missing
    var json = JSONWriter()
    json.beginObject()
    json.member("status", missing.isEmpty ? "READY" : "NOT_READY")
    json.member("service", service.text)
    json.name("missing")
    json.beginArray()
    for (name, reason) in missing {
      json.beginObject()
      json.member("condition", name)
      json.member("reason", reason)
      json.endObject()
    }
    json.endArray()
    json.endObject()
    return HTTPResponse(status: missing.isEmpty ? 200 : 503, json: json.finished())
  }

  private func problem(_ status: Int, _ code: String, _ message: String) -> HTTPResponse {
    var json = JSONWriter()
    json.beginObject()
    json.name("error")
    json.beginObject()
    json.member("code", status)
    json.member("status", code)
    json.member("message", message)
    json.endObject()
    json.endObject()
    return HTTPResponse(status: status, json: json.finished())
  }
}
