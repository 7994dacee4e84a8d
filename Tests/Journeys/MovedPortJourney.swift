import Foundation
import JSON
import Testing

extension Journeys {
  /// A port is written in one place; change it there, and everybody finds the way.
  @Suite(.serialized, .mesh(ports: { try MovedPorts.table() })) struct `Moved ports` {
    var mesh: Mesh { .current }

    @Test func `PORT-19 DISC-04 the oms answers on its new port and the gateway still finds it`()
      async throws
    {
      let usual = try PortRange.ports("\(Project.root)/ports.toml")
      let offset = mesh.port("auth") - (usual["auth"] ?? 0)
      #expect(mesh.port("oms") == 50_200 + offset)
      #expect(try await mesh.isReady("oms"))
      let old = try await run("curl", ["-s", "http://127.0.0.1:\(50_060 + offset)/health/live"])
      #expect(old.status == 7, "something answers on the old port: \(old.all)")

      let order = try await mesh.place("BUY", "BTCUSDT", "0.001", at: mesh.farBelow("BTCUSDT"))
      try await mesh.order(order, becomes: "NEW")
      let services = try await mesh.get("/v1/services")
      let oms = services["instances"]?.array?.first { $0["service"]?.string == "oms" }
      #expect(oms?["port"]?.int == mesh.port("oms"), "\(services)")
      _ = try await mesh.send("DELETE", "/v1/orders/\(order)")
      try await mesh.order(order, becomes: "CANCELLED")
      try? FileManager.default.removeItem(atPath: mesh.portsFile)
    }
  }
}

enum MovedPorts {
  /// The project's table with another port for the oms.
  static func table() throws -> String {
    let text = try String(contentsOfFile: "\(Project.root)/ports.toml", encoding: .utf8)
    let moved = text.replacingOccurrences(of: "oms = 50060", with: "oms = 50200")
    guard moved != text else { throw Failure("ports.toml has no line oms = 50060") }
    let path = "/tmp/sq-\(getpid())-ports.toml"
    try moved.write(toFile: path, atomically: false, encoding: .utf8)
    return path
  }
}
