import Calls
import Telemetry
import Testing
import Transport

@testable import ServiceKit

@Suite struct `What a port answers over HTTP` {
  private struct Page: HTTPResponder {
    func respond(to request: HTTPRequest) async -> HTTPResponse { HTTPResponse(status: 200) }
  }

  private let responder: OperationResponder

  init() {
    let board = ReadinessBoard()
    let serving = board.require("serving")
    serving.hold()
    responder = OperationResponder(
      service: "gateway", instance: "gateway-1", readiness: board, metrics: MetricsRegistry(),
      control: OperatorControl(AdmissionGate(), serving, .silent) {}, inner: Page())
  }

  private func status(_ method: String, _ target: String, as service: String? = nil) async -> Int {
    await responder.respond(
      to: HTTPRequest(method: method, target: target, identity: Identity(service: service))
    ).status
  }

  @Test func `OBS-01 commands without a certificate are 401 where people may connect`() async {
    #expect(await status("POST", "/admin/pause") == 401)
    #expect(await status("POST", "/admin/drain") == 401)
    #expect(await status("GET", "/v1/orders") == 200)
  }

  @Test func `OBS-01 pages of a paused service are 503, its health is not`() async {
    #expect(await status("POST", "/admin/pause", as: "operator") == 200)
    #expect(await status("GET", "/v1/orders") == 503)
    #expect(await status("GET", "/health/live") == 200)
    #expect(await status("GET", "/health/ready") == 503)
    #expect(await status("GET", "/metrics") == 200)

    #expect(await status("POST", "/admin/resume", as: "operator") == 200)
    #expect(await status("GET", "/v1/orders") == 200)
    #expect(await status("GET", "/health/ready") == 200)
  }
}
