import Foundation
import Glibc
import JSON
import Testing

extension Journeys {
  /// Two instances of a service, of which one at a time is away; in a mesh of its own, for who follows
  /// an instance that goes away needs a moment to find the other.
  @Suite(.serialized, .mesh()) struct `A rolling restart` {
    var mesh: Mesh { .current }

    /// The second instance: started by hand, with a table in which its port is another.
    private struct Second {
      let pid: pid_t
      let port: Int

      /// Waits until discovery's answer is a matter of its health.
      func isReady() async throws -> Bool {
        try await REST.get("http://127.0.0.1:\(port)/health/ready").status == 200
      }
    }

    @Test(arguments: [SIGTERM, SIGKILL])
    func `GWY-09 two instances stop and come back in turn, and no read fails`(signal: Int32)
      async throws
    {
      let table = try secondTable()
      let running = temporaryFile("running")
      try "".write(toFile: running, atomically: false, encoding: .utf8)
      defer { for path in [table, running] { unlink(path) } }
      var second = try await start(table)
      defer { kill(second.pid, SIGKILL) }
      async let reads = run(
        "python3",
        [
          Project.script("steady_reads.py"), mesh.url("gateway", "/v1/books/BTCUSDT?depth=1"),
          mesh.token("viewer"), running,
        ], within: 90)
      try await expectBothAsked(second)

      try await stop(second, signal)
      second = try await start(table)
      try await expectBothAsked(second)
      try await restartFirst(signal)
      try await expectBothAsked(second)

      unlink(running)
      let ended = try await reads
      expectAllOK(ended)
      try await stop(second, SIGTERM)
    }

    private func secondTable() throws -> String {
      let text = try String(contentsOfFile: mesh.portsFile, encoding: .utf8)
      let moved = text.replacingOccurrences(of: "orderbook = 50065", with: "orderbook = 50165")
      guard moved != text else { throw Failure("ports.toml has no line orderbook = 50065") }
      let path = temporaryFile("toml")
      try moved.write(toFile: path, atomically: false, encoding: .utf8)
      return path
    }

    private func start(_ table: String) async throws -> Second {
      let offset = mesh.port("orderbook") - 50_065
      let process = try Spawned([
        mesh.program, "run", "orderbook", "--state", mesh.state, "--port-offset", "\(offset)",
        "--ports", table,
      ])
      let second = Second(pid: process.pid, port: 50_165 + offset)
      let isReady = try await eventually(within: .seconds(30)) { try await second.isReady() }
      guard isReady else { throw Failure("the second orderbook is not ready") }
      return second
    }

    private func stop(_ second: Second, _ signal: Int32) async throws {
      kill(second.pid, signal)
      let hasEnded = await eventually(within: .seconds(30)) {
        var status: Int32 = 0
        return waitpid(second.pid, &status, WNOHANG) != 0
      }
      #expect(hasEnded)
    }

    /// `up` starts it again.
    private func restartFirst(_ signal: Int32) async throws {
      guard let pid = mesh.processes["orderbook"] else { throw Failure("there is no orderbook") }
      kill(pid, signal)
      let isBack = try await eventually(within: .seconds(30)) {
        guard let now = mesh.processes["orderbook"], now != pid else { return false }
        return try await mesh.isReady("orderbook")
      }
      #expect(isBack)
    }

    /// Both answer reads, from now on.
    private func expectBothAsked(_ second: Second) async throws {
      for port in [mesh.port("orderbook"), second.port] {
        let before = try await reads(of: port)
        let grew = try await eventually { try await reads(of: port) > before }
        #expect(grew, "nobody asks the orderbook at \(port)")
      }
    }

    private func reads(of port: Int) async throws -> Int {
      let text = try await REST.get("http://127.0.0.1:\(port)/metrics").text
      let line = text.split(separator: "\n").first {
        $0.hasPrefix("rpc_server_started_total") && $0.contains("\"GetBook\"")
      }
      return line.flatMap { Int($0.split(separator: " ").last ?? "") } ?? 0
    }
  }
}
