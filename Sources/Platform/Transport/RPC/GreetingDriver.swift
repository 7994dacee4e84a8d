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
  private let tls: TLSContext?
  private let chosen: (Tongue, UnsafeRawBufferPointer) -> Void
  private let gone: () -> Void
  private var early: [UInt8] = []
  private var timer: TimerToken?
  private var triedTLS = false

  private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  /// `chosen` sets the connection's next driver and gives it the bytes; `gone` when there was none.
  init(
    _ connection: Connection, tls: TLSContext?, within greetingMax: Duration,
    chosen: @escaping (Tongue, UnsafeRawBufferPointer) -> Void, gone: @escaping () -> Void
  ) {
    self.connection = connection
    self.tls = tls
    self.chosen = chosen
    self.gone = gone
    timer = connection.loop.schedule(after: greetingMax) { [weak self] in
      self?.connection.abort(.failed("no request in time"))
    }
  }

  func connected() {
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
      triedTLS = true
      connection.startTLS(tls, received: bytes)
      return
    }
    early.append(contentsOf: bytes)
    let known = min(early.count, Self.preface.count)
    if early[..<known] != Self.preface[..<known] {
      early.withUnsafeBytes { choose(.http1, $0) }
    } else if known == Self.preface.count {
      early.withUnsafeBytes { choose(.http2, $0) }
    }
  }

  private func choose(_ tongue: Tongue, _ bytes: UnsafeRawBufferPointer) {
    stopTimer()
    chosen(tongue, bytes)
  }

  private func stopTimer() {
    if let timer { connection.loop.cancel(timer) }
    timer = nil
  }

  func drained() {}

  func closed(_ reason: CloseReason) {
    stopTimer()
    gone()
  }
}
