internal import Chrono
internal import Interop
internal import Loop
internal import Security
internal import ServiceKit
internal import Transport

enum InteropServerCommand {
  /// How long calls may go on after SIGTERM.
  private static let drainMax = Duration.seconds(5)

  static let command = Command(
    CommandForm(
      "interop-server",
      summary: "grpc.testing.TestService on loopback, for any gRPC client to try.",
      options: [
        CommandForm.Option("--port", value: "PORT", "where to listen (default 0: a free port)"),
        CommandForm.Option("--tls", "speak TLS too, on the same port; needs --cert and --key"),
        CommandForm.Option("--cert", value: "FILE", "the certificate chain, PEM"),
        CommandForm.Option("--key", value: "FILE", "its private key, PEM"),
      ],
      notes: """
          shrivenquant interop-server --port 10000
          shrivenquant interop-client --port 10000 --case all

        Serves TestService, health and reflection to whoever reaches the port, and GET and POST on / \
        over HTTP/1.1 and HTTP/2. It is no part of a mesh and asks for no certificate. SIGTERM or \
        Ctrl-C ends it in order.
        """)
  ) { arguments in
    let port = try arguments.int("--port", in: 0...65_535, default: 0)
    let tls = try tls(arguments)
    SignalWatch.block()
    return try onLoop { loop in
      let stop = StopWait()
      let signals = try SignalWatch(loop) { stop.received($0) }
      defer { signals.stop() }
      let server = InteropServer(
        at: .tcp(host: "127.0.0.1", port: port), tls: tls, time: SystemTime(), loop: loop)
      let address = try await server.start()
      Terminal.say("listening on \(address), \(tls == nil ? "plaintext" : "TLS and plaintext")")
      await stop.wait()
      await server.stop(within: drainMax)
      return 0
    }
  }

  private static func tls(_ arguments: Arguments) throws -> TLSContext? {
    let files = (arguments.value("--cert"), arguments.value("--key"))
    guard arguments.has("--tls") else {
      guard files == (nil, nil) else { throw UsageError("--cert and --key are for --tls") }
      return nil
    }
    guard case (let certificate?, let key?) = files else {
      throw UsageError("--tls needs --cert FILE and --key FILE")
    }
    let credentials = Credentials(certificate: try readText(certificate), key: try readText(key))
    return try .server(credentials, clients: .notAsked, alpn: .h2OrHTTP11)
  }
}
