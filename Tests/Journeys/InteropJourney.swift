import Foundation
import Glibc
import Testing

extension Journeys {
  /// The transport as a stranger tries it out: a server, a client, and stock tools.
  @Suite(.serialized) struct `The interop commands` {
    /// A server on a free port, for the length of `body`; then it is asked to end, and must.
    private func withServer(
      _ options: [String], _ body: (_ port: String, _ line: String) async throws -> Void
    ) async throws {
      let program = try #require(Program.path)
      let output = temporaryFile("out")
      defer { unlink(output) }
      let server = try Spawned(
        [program, "interop-server", "--port", "0"] + options, output: output, error: output)
      func said() -> String {
        String(decoding: FileManager.default.contents(atPath: output) ?? Data(), as: UTF8.self)
      }
      let isUp = await eventually { said().hasSuffix("\n") }
      let result: Result<Void, any Error>
      do {
        try #require(isUp, "it did not say that it listens: \(said())")
        let match = try #require(said().firstMatch(of: /127\.0\.0\.1:([0-9]+)/), "\(said())")
        result = .success(try await body(String(match.1), said()))
      } catch { result = .failure(error) }
      kill(server.pid, SIGTERM)
      #expect(server.wait() == 0, "\(said())")
      #expect(said().split(separator: "\n").count == 1, "\(said())")
      try result.get()
    }

    private func client(_ options: [String]) async throws -> Ended {
      try await run(try #require(Program.path), ["interop-client"] + options)
    }

    @Test(.needsProgram) func `RPC-01 RPC-02 RPC-03 RPC-08 in plaintext, and stock tools`()
      async throws
    {
      try await withServer([]) { port, line in
        #expect(line == "listening on 127.0.0.1:\(port), plaintext\n")
        let all = try await client(["--port", port, "--consumer-pause", "1ms"])
        let lines = all.output.split(separator: "\n")
        #expect(all.isGood && lines.count == 23, "\(all.all)")
        #expect(lines.allSatisfy { $0.contains("  ok  ") }, "\(all.all)")
        let soak = try await client([
          "--port", port, "--case", "rpc_soak", "--soak-iterations", "100", "--soak-max-failures",
          "3",
        ])
        #expect(soak.isGood, "\(soak.all)")

        let page = ["-sS", "-m", "5", "-o", "/dev/null", "-w", "%{http_code} %{http_version}"]
        for (version, said) in [("--http1.1", "200 1.1"), ("--http2-prior-knowledge", "200 2")] {
          for body in [[], ["--data-binary", "x"]] {
            let answer = try await run(
              "curl", page + [version] + body + ["http://127.0.0.1:\(port)/"])
            #expect(answer.output == said, "\(answer.all)")
          }
        }
      }
    }

    @Test(.needsProgram) func `SEC-05 RPC-01 over TLS, where the server must be whom it says`()
      async throws
    {
      let (certificate, key) = (temporaryFile("pem"), temporaryFile("key"))
      defer {
        unlink(certificate)
        unlink(key)
      }
      let made = try await run(
        "openssl",
        [
          "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
          "-subj", "/CN=interop", "-addext", "subjectAltName=DNS:interop.test", "-days", "1",
          "-keyout", key, "-out", certificate,
        ])
      #expect(made.isGood, "\(made.all)")
      try await withServer(["--tls", "--cert", certificate, "--key", key]) { port, line in
        #expect(line.contains("TLS and plaintext"))
        let tls = ["--port", port, "--tls", "--consumer-pause", "1ms"]
        let named = ["--ca", certificate, "--server-name", "interop.test"]
        let all = try await client(tls + named)
        #expect(all.isGood, "\(all.all)")
        let other = try await client(
          tls + ["--ca", certificate, "--server-name", "other.test", "--case", "empty_unary"])
        #expect(other.status == 1 && other.output.contains("UNAVAILABLE"), "\(other.all)")
        let unknown = try await client(
          tls + ["--server-name", "interop.test", "--case", "empty_unary"])
        #expect(unknown.status == 1 && unknown.output.contains("UNAVAILABLE"), "\(unknown.all)")
        let plain = try await client(["--port", port, "--case", "large_unary"])
        #expect(plain.isGood, "\(plain.all)")
      }
    }
  }
}
