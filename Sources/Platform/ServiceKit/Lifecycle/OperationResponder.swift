internal import Calls
internal import Chrono
internal import JSON
internal import Telemetry
internal import Transport

/// What every port answers over HTTP: is it alive, is it ready, what does it count; and over mutual
/// TLS it takes the orders of an operator.
struct OperationResponder: HTTPResponder {
  let service: ServiceName
  let instance: String
  let readiness: ReadinessBoard
  let metrics: MetricsRegistry
  let control: OperatorControl
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
      var response = problem(405, "UNIMPLEMENTED", "only GET is answered here")
      response.headers.append(HTTPHeader("allow", "GET, HEAD"))
      return response
    case "/admin/pause", "/admin/resume", "/admin/drain":
      return await command(request)
    case _ where inner != nil && control.keepsOut:
      return problem(503, "UNAVAILABLE", "the service is paused or drained by an operator")
    default:
      return await inner?.respond(to: request)
        ?? problem(404, "NOT_FOUND", "there is nothing at this path")
    }
  }

  /// Only with a certificate of the mesh: a token proves a person, whose orders go to other services.
  private func command(_ request: HTTPRequest) async -> HTTPResponse {
    guard let actor = request.identity.service else {
      return problem(
        401, "UNAUTHENTICATED", "a client certificate of the mesh is needed, such as the operator's"
      )
    }
    guard request.method == "POST" else {
      var response = problem(405, "UNIMPLEMENTED", "only POST is taken here")
      response.headers.append(HTTPHeader("allow", "POST"))
      return response
    }
    let (isDone, phase) =
      switch request.path {
      case "/admin/pause": (control.pause(by: actor), "PAUSED")
      case "/admin/resume": (control.resume(by: actor), "RUNNING")
      default: (await control.drain(by: actor), "DRAINED")
      }
    guard isDone else {
      return problem(
        409, "FAILED_PRECONDITION", "the service is drained or ending: only a restart undoes that")
    }
    var json = JSONWriter()
    json.beginObject()
    json.member("status", phase)
    json.member("service", service.text)
    json.member("instance", instance)
    json.member("by", actor)
    json.endObject()
    return HTTPResponse(status: 200, json: json.finished())
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
    for (list, conditions) in [("missing", missing), ("degraded", readiness.degraded)] {
      json.name(list)
      json.beginArray()
      for shortfall in conditions {
        json.beginObject()
        json.member("condition", shortfall.name)
        json.member("reason", shortfall.reason)
        json.member("since", shortfall.since.rfc3339)
        json.endObject()
      }
      json.endArray()
    }
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
