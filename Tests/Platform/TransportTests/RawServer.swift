import Loop
import Security
import Transport

/// A server whose every frame is a test's. Loop-confined.
final class RawServer {
  private let loop: EventLoop
  private let tls: TLSContext?
  private let settings: [(UInt16, UInt32)]
  private let script: (FramePeer, Frame, Int) -> Void
  private var listener: Listener?
  private(set) var peers: [FramePeer] = []

  /// `script` is given each frame with the number of its connection, from 0.
  init(
    _ loop: EventLoop, tls: TLSContext? = nil, settings: [(UInt16, UInt32)] = [],
    _ script: @escaping (FramePeer, Frame, Int) -> Void
  ) throws {
    (self.loop, self.tls, self.settings, self.script) = (loop, tls, settings, script)
    listener = try Listener(.tcp(host: "127.0.0.1", port: 0), loop: loop) {
      [unowned self] connection in
      accept(connection)
    }
  }

  private func accept(_ connection: Connection) {
    let peer = FramePeer(connection, skipping: Frame.preface.count)
    let number = peers.count
    peer.script = { [unowned self] peer, frame in script(peer, frame, number) }
    peer.greeting = [.settings(settings)]
    peers.append(peer)
    if let tls { connection.driver = StartingTLS(connection, peer, tls) }
  }

  func channel(_ adjust: (inout ChannelOptions) -> Void = { _ in }) -> NetworkChannel {
    var options = ChannelOptions()
    options.backoff.initial = .milliseconds(5)
    options.retry.attemptsMax = 1
    adjust(&options)
    return NetworkChannel(
      to: "echo", at: [listener!.address], options: options, loop: loop)
  }

  func stop() {
    listener?.close()
    for peer in peers { peer.close() }
  }

  static let head: [(String, String)] = [(":status", "200"), ("content-type", "application/grpc")]
  static let status: [(String, String)] = [("grpc-status", "0")]

  /// A whole answer to a unary call.
  static func answer(_ stream: Int32, _ message: [UInt8] = [1]) -> [Frame] {
    [
      .headers(stream, head, ends: false), .data(stream, Frame.message(message)),
      .headers(stream, status),
    ]
  }
}

/// Begins TLS with the first bytes, as a server that sniffs does.
private final class StartingTLS: ConnectionDriver {
  private let connection: Connection
  private let peer: FramePeer
  private let tls: TLSContext

  init(_ connection: Connection, _ peer: FramePeer, _ tls: TLSContext) {
    (self.connection, self.peer, self.tls) = (connection, peer, tls)
  }

  func connected() {}
  func drained() {}
  func closed(_ reason: CloseReason) { peer.closed(reason) }
  func received(_ bytes: UnsafeRawBufferPointer) {
    connection.driver = peer
    connection.startTLS(tls, received: bytes)
  }
}
