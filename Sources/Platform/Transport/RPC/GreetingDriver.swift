internal import Loop
internal import Security

/// The driver of a fresh connection: looks at the first bytes and hands it over to the protocol
/// they belong to. 0x16 begins a TLS handshake, `PRI * HTTP/2.0` HTTP/2, and anything else is
/// HTTP/1.1.
final class GreetingDriver: ConnectionDriver {
  enum Tongue {
    case http1
    case http2
  }

  private let connection: Connection
  private weak var server: LoopServer?
  private let tls: TLSContext?
  private var early: [UInt8] = []
  private var timer: TimerToken?
  private var triedTLS = false
  private var isShakingHands = false

  private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  init(_ connection: Connection, _ server: LoopServer, tls: TLSContext?, within max: Duration) {
    self.connection = connection
    self.server = server
    self.tls = tls
    timer = connection.loop.schedule(after: max) { [weak self] in
      self?.server?.defended(.greeting)
      self?.connection.abort(.failed("no request in time"))
    }
  }

  func connected() {
    endHandshake()
    // After a handshake the protocol is known already, if the client asked for one.
    guard connection.peer.isEncrypted else { return }
    switch connection.peer.alpn {
    case "h2": choose(.http2, UnsafeRawBufferPointer(start: nil, count: 0))
    case "http/1.1": choose(.http1, UnsafeRawBufferPointer(start: nil, count: 0))
    default: break
    }
  }

  func received(_ bytes: UnsafeRawBufferPointer) {
    if early.isEmpty, !triedTLS, let first = bytes.first, first == 0x16, let tls {
      guard server?.beginHandshake() == true else {
        connection.abort()
        return
      }
      triedTLS = true
      isShakingHands = true
      connection.startTLS(tls, received: bytes)
      return
    }
    early.append(contentsOf: bytes)
    let known = min(early.count, Self.preface.count)
    if early[..<known] != Self.preface[..<known] {
      if isGarbage {
        server?.defended(.garbage)
        connection.abort()
      } else {
        early.withUnsafeBytes { choose(.http1, $0) }
      }
    } else if known == Self.preface.count {
      early.withUnsafeBytes { choose(.http2, $0) }
    }
  }

  /// A whole first line that names no version of HTTP: such a peer understands no answer.
  private var isGarbage: Bool {
    guard let end = early.firstIndex(of: UInt8(ascii: "\n")) else { return false }
    return !early[..<end].contains(Array(" HTTP/".utf8))
  }

  private func choose(_ tongue: Tongue, _ bytes: UnsafeRawBufferPointer) {
    stopTimer()
    guard let server else {
      connection.abort()
      return
    }
    server.greeted(connection, tongue, bytes)
  }

  private func endHandshake() {
    if isShakingHands { server?.endHandshake() }
    isShakingHands = false
  }

  private func stopTimer() {
    if let timer { connection.loop.cancel(timer) }
    timer = nil
  }

  func drained() {}

  func closed(_ reason: CloseReason) {
    stopTimer()
    endHandshake()
    server?.leftGreeting(connection)
  }
}
