import Bytes
import Chrono
import JSON
import Loop
import Security
import SimulatorKit
import Telemetry
import TestKit
import Testing
import Transport
import Units
import VenueSimulator

/// Several exchanges on one port, over real sockets.
@Suite struct `Several exchanges on a port` {
  private func withServer(
    _ body: @escaping @Sendable (VenueSimulatorServer, Int, EventLoop) async throws -> Void
  ) async throws {
    try await withLoop { loop in
      let configuration = VenueSimulatorConfiguration(
        address: .tcp(host: "127.0.0.1", port: 0), tls: nil,
        exchanges: [
          DialectClient.settings(), try KrakenClient.settings(), OKXClient.settings(),
        ])
      let server = try VenueSimulatorServer(
        configuration, time: SystemTime(), loop: loop, log: .silent)
      guard case .tcp(_, let port) = try await server.start() else { return }
      try await body(server, port, loop)
      await server.stop()
    }
  }

  private static func next(
    _ socket: WebSocket, until isIt: (JSONValue) -> Bool
  ) async throws -> JSONValue {
    while let message = try await socket.receive() {
      let root = try JSONDocument(parsing: message.bytes).root
      if isIt(root) { return root }
    }
    throw TransportError("the stream ended")
  }

  @Test func `the path says which exchange is meant, and both are alive at once`() async throws {
    try await withServer { _, port, loop in
      let binance = try await WebSocketClient.connect(
        host: "127.0.0.1", port: port, target: "/ws/btcusdt@depth@100ms", tls: nil, loop: loop)
      let kraken = try await WebSocketClient.connect(
        host: "127.0.0.1", port: port, target: "/v2", tls: nil, loop: loop)
      try await kraken.send(
        text: #"{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"]},"req_id":7}"#
      )

      let ack = try await Self.next(kraken) { $0["method"]?.string == "subscribe" }
      #expect(ack["success"]?.bool == true && ack["req_id"]?.int == 7)
      let snapshot = try await Self.next(kraken) { $0["channel"]?.string == "book" }
      #expect(snapshot["type"]?.string == "snapshot")
      #expect(snapshot["data"]?[0]?["bids"]?.array?.count == 10)
      _ = try await Self.next(kraken) { $0["type"]?.string == "update" }
      _ = try await Self.next(kraken) { $0["channel"]?.string == "heartbeat" }
      let depth = try await Self.next(binance) { $0["e"]?.string == "depthUpdate" }
      #expect(depth["s"]?.string == "BTCUSDT")
      await binance.close()
      await kraken.close()
    }
  }

  @Test func `MD-03 a stalled exchange goes on with heartbeats, and the other one with data`()
    async throws
  {
    try await withServer { server, port, loop in
      let kraken = try await WebSocketClient.connect(
        host: "127.0.0.1", port: port, target: "/v2", tls: nil, loop: loop)
      try await kraken.send(
        text: #"{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"]}}"#)
      _ = try await Self.next(kraken) { $0["type"]?.string == "snapshot" }
      try await server.administration.inject(.stall(.seconds(60)), at: .kraken)

      var (beats, updates) = (0, 0)
      while beats < 2 {
        let message = try await Self.next(kraken) { _ in true }
        if message["channel"]?.string == "heartbeat" { beats += 1 }
        // Those before the first beat were on their way.
        if message["type"]?.string == "update", beats > 0 { updates += 1 }
      }

      #expect(updates == 0)
      await kraken.close()
    }
  }

  @Test func `an order over OKX's socket is acknowledged, and told on the private channel`()
    async throws
  {
    try await withServer { server, port, loop in
      let socket = try await WebSocketClient.connect(
        host: "127.0.0.1", port: port, target: "/ws/v5/private", tls: nil, loop: loop)
      try await socket.send(text: #"{"op":"subscribe","args":[{"channel":"orders"}]}"#)
      #expect(try await Self.next(socket) { _ in true }["code"]?.string == "60011")
      let seconds = SystemTime().now.seconds
      let sign = OKXClient.sign("\(seconds)GET/users/self/verify")
      try await socket.send(
        text: #"{"op":"login","args":[{"apiKey":"\#(OKXClient.key)","passphrase":"#
          + #""\#(OKXClient.passphrase)","timestamp":"\#(seconds)","sign":"\#(sign)"}]}"#)
      #expect(try await Self.next(socket) { _ in true }["event"]?.string == "login")
      try await socket.send(
        text: #"{"op":"subscribe","args":[{"channel":"orders","instType":"SPOT"}]}"#)
      _ = try await Self.next(socket) { $0["event"]?.string == "subscribe" }
      let order =
        #"{"id":"7","op":"order","args":[{"instId":"BTC-USDT","tdMode":"cash","side":"buy","#
        + #""ordType":"limit","px":"50000","sz":"0.5","clOrdId":"mine7"}]}"#
      try await socket.send(text: order)

      let placed = try await Self.next(socket) { $0["op"]?.string == "order" }
      let told = try await Self.next(socket) { $0["arg"]?["channel"]?.string == "orders" }

      #expect(placed["id"]?.string == "7" && placed["code"]?.string == "0")
      #expect(told["data"]?[0]?["state"]?.string == "live")
      #expect(told["data"]?[0]?["clOrdId"]?.string == "mine7")
      let known = try await server.administration.account(OKXClient.key, at: .okx)
      #expect(known.openOrders.map(\.clientOrderID) == ["mine7"])
      await socket.close()
    }
  }

  @Test func `an order over Kraken's socket is acknowledged, and told on the private channel`()
    async throws
  {
    try await withServer { server, port, loop in
      let client = HTTPClient(loop: loop, trust: .system)
      let nonce = "1"
      let path = "/0/private/GetWebSocketsToken"
      let body = Array("nonce=\(nonce)".utf8)
      let tag = Digest.hmacSHA512(
        Array(path.utf8) + Digest.sha256(Array(nonce.utf8) + body),
        key: try Base64.standard.decode(KrakenClient.secret))
      var request = HTTPClientRequest(
        method: "POST", url: "http://127.0.0.1:\(port)\(path)", body: body)
      request.headers = [
        HTTPHeader("api-key", KrakenClient.key),
        HTTPHeader("api-sign", Base64.standard.encode(tag)),
      ]
      let answer = try JSONDocument(parsing: try await client.send(request).body)
      let token = try #require(answer["result"]?["token"]?.string)
      let socket = try await WebSocketClient.connect(
        host: "127.0.0.1", port: port, target: "/v2", tls: nil, loop: loop)
      let subscribe =
        #"{"method":"subscribe","params":{"channel":"executions","token":"\#(token)"}}"#
      try await socket.send(text: subscribe)
      let first = try await Self.next(socket) { $0["channel"]?.string == "executions" }
      #expect(first["sequence"]?.int == 1 && first["type"]?.string == "snapshot")
      let order =
        #"{"method":"add_order","params":{"order_type":"limit","side":"buy","limit_price":50000.0,"#
        + #""order_qty":0.5,"symbol":"BTC/USD","cl_ord_id":"mine","token":"\#(token)"},"req_id":3}"#
      try await socket.send(text: order)

      let placed = try await Self.next(socket) { $0["method"]?.string == "add_order" }
      let told = try await Self.next(socket) { $0["channel"]?.string == "executions" }

      #expect(placed["success"]?.bool == true)
      #expect(told["sequence"]?.int == 2)
      #expect(told["data"]?[0]?["exec_type"]?.string == "new")
      #expect(
        told["data"]?[0]?["order_id"]?.string == placed["result"]?["order_id"]?.string)
      let known = try await server.administration.account(KrakenClient.key, at: .kraken)
      #expect(known.openOrders.map(\.clientOrderID) == ["mine"])
      await socket.close()
    }
  }
}
