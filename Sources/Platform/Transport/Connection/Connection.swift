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
  /// What the driver has sent: for the socket, or for the TLS session, which encrypts it when the
  /// socket takes it, so that everything sent in a tick shares its records.
  @exclusivity(unchecked) private var output = OutputBuffer()
  /// Ciphertext that the socket has not taken.
  @exclusivity(unchecked) private var sealed: [UInt8] = []
  private var sealedStart = 0
  private var saidGoodbye = false
  private var writeError: Int32?
  /// Counts uses of the TLS session, so that its buffers are let go of when there are no more.
  private var tlsUses: UInt32 = 0
  private var watchesBuffers = false
  private var flushScheduled = false
  private var drainExpected = false

  /// Bytes read at once; the buffers of a loop's thread are shared by its connections.
  static let readSize = 64 * 1024
  /// Reads per readiness, so that one busy connection does not keep others waiting.
  private static let readsPerTurn = 4
  /// How long a peer that does not read may keep a closing connection.
  private static let lingerMax = Duration.seconds(5)
  /// A TLS session that was not used for so long, up to twice that, holds no buffers.
  private static let buffersMax = Duration.seconds(1)

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
      tls = try TLSSession(context, expecting: nil)
    } catch {
      finish(.failed(error.description))
      return
    }
    state = .handshaking
    take(bytes)
  }

  /// A client begins; from then on bytes of the peer move it.
  private func advanceHandshake() { take(UnsafeRawBufferPointer(start: nil, count: 0)) }

  /// False while the handshake is not done.
  private func handshake(_ tls: TLSSession) throws(TLSError) -> Bool {
    let done = try tls.handshake()
    flushSoon()
    guard done else { return false }
    peer.isEncrypted = true
    peer.isResumed = tls.isResumed
    peer.serviceName = tls.peerService
    peer.alpn = tls.alpn
    opened()
    return true
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
    tlsUses &+= 1
    if !watchesBuffers { watchBuffers() }
    do throws(TLSError) {
      try tls.lend(bytes)
      var isOpen = tls.isEstablished
      if !isOpen { isOpen = try handshake(tls) }
      if isOpen { try decrypt(tls) }
      try tls.takeBack()
    } catch {
      // The alert that tells the peer why goes out if the socket takes it.
      flush()
      finish(.failed(error.description))
    }
  }

  private func watchBuffers() {
    watchesBuffers = true
    let seen = tlsUses
    loop.schedule(after: Self.buffersMax) { [weak self] in
      guard let self, self.state != .closed else { return }
      self.watchesBuffers = false
      if self.tlsUses == seen { self.tls?.releaseBuffers() } else { self.watchBuffers() }
    }
  }

  private func decrypt(_ tls: TLSSession) throws(TLSError) {
    let buffer = LoopBuffers.plaintext
    reading: while state == .open || state == .finishing, !isPaused, tls.hasInput {
      let progress = try tls.read(into: buffer)
      if tls.keyUpdates > keyUpdatesMax {
        passed = .keyUpdates
        throw TLSError("the peer changes its keys too often")
      }
      switch progress {
      case .waiting: break reading
      case .ended:
        finish(.peer)
        return
      case .bytes(let count):
        if state == .open {
          driver?.received(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
      }
    }
    if tls.hasOutput { flushSoon() }
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
    // What waits to be decrypted raises no event of the socket.
    guard tls != nil else { return }
    loop.atTickEnd {
      if self.state != .closed { self.take(UnsafeRawBufferPointer(start: nil, count: 0)) }
    }
  }

  // MARK: Writing

  /// Bytes that the kernel has not taken yet.
  package var unsent: Int { output.count + sealed.count - sealedStart }
  /// Bytes that the kernel has taken, of all that was sent.
  private(set) var taken: UInt64 = 0

  package func send(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { send($0) }
  }

  package func send(_ bytes: UnsafeRawBufferPointer) {
    guard state == .open, !bytes.isEmpty else { return }
    output.append(bytes)
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
    if let tls {
      do throws(TLSError) {
        try flushSealed(tls)
      } catch {
        finish(.failed(error.description))
      }
    } else {
      output.consume(give(output.bytes))
    }
    if let writeError {
      finish(.failed(String(cString: strerror(writeError))))
    } else if state != .closed {
      settleOutput()
    }
  }

  /// Encrypts as much as the socket takes, and little more.
  private func flushSealed(_ tls: TLSSession) throws(TLSError) {
    tlsUses &+= 1
    if !watchesBuffers { watchBuffers() }
    tls.takeOutput { sealed.append(contentsOf: $0) }
    while true {
      sealedStart += sealed.withUnsafeBytes {
        give(UnsafeRawBufferPointer(rebasing: $0[sealedStart...]))
      }
      guard sealedStart == sealed.count else { return }
      (sealed, sealedStart) = ([], 0)
      if !output.isEmpty {
        try sealSome(tls)
      } else if state == .finishing, !saidGoodbye {
        saidGoodbye = true
        tls.shutdown()
        tls.takeOutput { sealed.append(contentsOf: $0) }
      } else {
        return
      }
    }
  }

  private func sealSome(_ tls: TLSSession) throws(TLSError) {
    let count = min(output.count, TLSSession.sealedAtOnceMax)
    let plaintext = UnsafeRawBufferPointer(rebasing: output.bytes[..<count])
    let records = try tls.seal(plaintext, into: LoopBuffers.sealed)
    output.consume(count)
    let given = give(records)
    if given < records.count { sealed.append(contentsOf: records[given...]) }
  }

  /// How much of it the socket takes now. An error of the socket is in `writeError` then.
  private func give(_ bytes: UnsafeRawBufferPointer) -> Int {
    var given = 0
    while given < bytes.count {
      let count = Glibc.send(
        fd, bytes.baseAddress! + given, bytes.count - given, Int32(MSG_NOSIGNAL))
      if count >= 0 {
        given += count
        taken &+= UInt64(count)
        continue
      }
      let code = clinux_errno()
      if code == EINTR { continue }
      if code != EAGAIN { writeError = code }
      break
    }
    return given
  }

  private func settleOutput() {
    let wasWaiting = drainExpected
    drainExpected = unsent > 0
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
    output.clear()
    (sealed, sealedStart) = ([], 0)
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
  /// A third one, because what is encrypted may answer what the second one carries.
  static var sealed: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: clinux_thread_buffer(2), count: Connection.readSize)
  }
}
