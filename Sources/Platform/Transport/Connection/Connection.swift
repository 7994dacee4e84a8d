internal import CLinux
internal import Glibc
package import Loop
package import Security

/// One stream socket on one loop, with TLS in it when asked for. Output is collected and written
/// once at the end of a tick. Confined to its loop's thread.
package final class Connection: Pollable {
  package let loop: EventLoop
  package var driver: (any ConnectionDriver)?
  package private(set) var peer: Peer
  /// Reading stops while this is set; the peer is held back by its TCP window.
  package private(set) var isPaused = false

  private enum State {
    case connecting
    case handshaking
    case open
    /// Closes when all output is written.
    case finishing
    case closed
  }

  /// Changes of its keys that a TLS peer may make; after more the connection is over.
  var keyUpdatesMax = 100
  /// The limit that ended the connection, where it was one of its own.
  private(set) var passed: TransportLimit?

  private let fd: Int32
  private var state: State
  private var tls: TLSSession?
  private var registration: Registration?
  private var interest: Readiness = []
  @exclusivity(unchecked) private var output: [UInt8] = []
  private var outputStart = 0
  private var flushScheduled = false
  private var drainExpected = false

  /// Bytes read at once; the buffers of a loop's thread are shared by its connections.
  static let readSize = 64 * 1024
  /// Reads per readiness, so that one busy connection does not keep others waiting.
  private static let readsPerTurn = 4
  /// How long a peer that does not read may keep a closing connection.
  private static let lingerMax = Duration.seconds(5)

  /// Takes over a connected or connecting nonblocking socket.
  init(
    fd: Int32, loop: EventLoop, address: String, tls: TLSSession?, isConnecting: Bool
  ) {
    self.fd = fd
    self.loop = loop
    self.tls = tls
    self.peer = Peer(address: address)
    self.state = isConnecting ? .connecting : .handshaking
  }

  deinit { if state != .closed { Glibc.close(fd) } }

  /// Begins: with `driver` set, it is told `connected` when the connection may be used.
  func start() {
    loop.assertInLoop()
    interest = state == .connecting ? .writable : .readable
    do {
      registration = try loop.register(fd, interest, self)
    } catch {
      finish(.failed(error.description))
      return
    }
    if state != .connecting { established() }
  }

  private func established() {
    state = .handshaking
    guard tls != nil else {
      opened()
      return
    }
    advanceHandshake()
  }

  /// A connection whose first bytes turned out to be TLS becomes encrypted; `bytes` came before.
  package func startTLS(_ context: TLSContext, received bytes: UnsafeRawBufferPointer) {
    precondition(tls == nil && state == .open, "TLS begins once, before anything else")
    do {
      let session = try TLSSession(context, expecting: nil)
      tls = session
      state = .handshaking
      try session.feed(bytes)
    } catch {
      finish(.failed(error.description))
      return
    }
    advanceHandshake()
  }

  private func advanceHandshake() {
    guard let tls else { return }
    do {
      let done = try tls.handshake()
      flushSoon()
      guard done else { return }
    } catch {
      // The alert that tells the peer why goes out if the socket takes it.
      flush()
      finish(.failed(error.description))
      return
    }
    peer.isEncrypted = true
    peer.serviceName = tls.peerService
    peer.alpn = tls.alpn
    opened()
    decrypt()
  }

  private func opened() {
    state = .open
    driver?.connected()
  }

  // MARK: Reading

  package func ready(_ readiness: Readiness) {
    if state == .connecting {
      connectFinished()
      return
    }
    if readiness.contains(.writable) { flush() }
    if readiness.contains(.readable) && !isPaused {
      read()
    } else if readiness.contains(.hangup) || readiness.contains(.error) {
      finish(socketError() ?? .peer)
    }
  }

  private func connectFinished() {
    if let error = socketError() {
      finish(error)
      return
    }
    setInterest(.readable)
    established()
  }

  private func socketError() -> CloseReason? {
    var code: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size)
    return code == 0 ? nil : .failed(String(cString: strerror(code)))
  }

  private func read() {
    let buffer = LoopBuffers.input
    for _ in 0..<Self.readsPerTurn {
      let count = recv(fd, buffer.baseAddress, buffer.count, 0)
      if count > 0 {
        take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        if state == .closed || isPaused || count < buffer.count { return }
      } else if count == 0 {
        finish(.peer)
        return
      } else {
        let code = clinux_errno()
        if code == EINTR { continue }
        if code != EAGAIN { finish(.failed(String(cString: strerror(code)))) }
        return
      }
    }
  }

  private func take(_ bytes: UnsafeRawBufferPointer) {
    guard let tls else {
      if state == .open { driver?.received(bytes) }
      return
    }
    do {
      try tls.feed(bytes)
    } catch {
      finish(.failed(error.description))
      return
    }
    if tls.isEstablished { decrypt() } else { advanceHandshake() }
  }

  private func decrypt() {
    guard let tls else { return }
    let buffer = LoopBuffers.plaintext
    do {
      while (state == .open || state == .finishing) && !isPaused {
        let progress = try tls.read(into: buffer)
        if tls.keyUpdates > keyUpdatesMax {
          passed = .keyUpdates
          finish(.failed("the peer changes its keys too often"))
          return
        }
        switch progress {
        case .waiting:
          if tls.hasOutput { flushSoon() }
          return
        case .ended:
          finish(.peer)
          return
        case .bytes(let count):
          if state == .open {
            driver?.received(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
          }
        }
      }
    } catch {
      flush()
      finish(.failed(error.description))
    }
  }

  package func pauseReading() {
    guard !isPaused else { return }
    isPaused = true
    updateInterest()
  }

  package func resumeReading() {
    guard isPaused else { return }
    isPaused = false
    updateInterest()
    // What was decrypted or waits in OpenSSL raises no event of the socket.
    if tls != nil { loop.atTickEnd { self.decrypt() } }
  }

  // MARK: Writing

  /// Bytes that the kernel has not taken yet.
  package var unsent: Int { output.count - outputStart }
  /// Bytes that the kernel has taken, of all that was sent.
  private(set) var taken: UInt64 = 0

  package func send(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { send($0) }
  }

  package func send(_ bytes: UnsafeRawBufferPointer) {
    guard state == .open, !bytes.isEmpty else { return }
    if let tls {
      do {
        try tls.write(bytes)
      } catch {
        finish(.failed(error.description))
        return
      }
    } else {
      output.append(contentsOf: bytes)
    }
    flushSoon()
  }

  private func flushSoon() {
    guard !flushScheduled, state != .closed else { return }
    flushScheduled = true
    loop.atTickEnd { self.flush() }
  }

  /// Writes what the socket takes now, for callers that know that nothing more comes in this tick.
  package func flush() {
    flushScheduled = false
    guard state != .closed, state != .connecting else { return }
    tls?.takeOutput { output.append(contentsOf: $0) }
    while outputStart < output.count {
      let count = output.withUnsafeBytes {
        Glibc.send(
          fd, $0.baseAddress! + outputStart, $0.count - outputStart, Int32(MSG_NOSIGNAL))
      }
      if count >= 0 {
        outputStart += count
        taken &+= UInt64(count)
        continue
      }
      let code = clinux_errno()
      if code == EINTR { continue }
      if code == EAGAIN { break }
      finish(.failed(String(cString: strerror(code))))
      return
    }
    settleOutput()
  }

  private func settleOutput() {
    if outputStart == output.count {
      // A burst does not keep its memory.
      output.removeAll(keepingCapacity: output.count <= Self.readSize)
      outputStart = 0
    } else if outputStart > Self.readSize && outputStart > output.count / 2 {
      output.removeFirst(outputStart)
      outputStart = 0
    }
    let wasWaiting = drainExpected
    drainExpected = outputStart < output.count
    if drainExpected != wasWaiting { updateInterest() }
    guard !drainExpected else { return }
    if state == .finishing {
      finish(.local)
    } else if wasWaiting, state == .open {
      driver?.drained()
    }
  }

  private func updateInterest() {
    var wanted: Readiness = isPaused ? [] : .readable
    if drainExpected { wanted.insert(.writable) }
    setInterest(wanted)
  }

  private func setInterest(_ wanted: Readiness) {
    guard wanted != interest, let registration else { return }
    interest = wanted
    loop.change(registration, to: wanted)
  }

  // MARK: Closing

  package var isClosed: Bool { state == .closed }

  /// Sends what is buffered, says goodbye in TLS, and closes. Nothing more is read.
  package func closeAfterFlush() {
    guard state == .open || state == .handshaking else { return }
    tls?.shutdown()
    state = .finishing
    flushSoon()
    loop.schedule(after: Self.lingerMax) { [weak self] in self?.finish(.local) }
  }

  /// Closes at once; what was not sent is lost.
  package func abort(_ reason: CloseReason = .local) { finish(reason) }

  private func finish(_ reason: CloseReason) {
    guard state != .closed else { return }
    state = .closed
    if let registration { loop.unregister(registration) }
    registration = nil
    Glibc.close(fd)
    output = []
    outputStart = 0
    let driver = self.driver
    self.driver = nil
    driver?.closed(reason)
  }
}

/// The read buffers of this thread, made on first use and kept as long as the thread's loop runs.
enum LoopBuffers {
  static var input: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: clinux_thread_buffer(0), count: Connection.readSize)
  }
  /// A second one, because decryption reads from what the first one carried.
  static var plaintext: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: clinux_thread_buffer(1), count: Connection.readSize)
  }
}
