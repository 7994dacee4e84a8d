internal import CCurl
internal import Chrono
internal import Loop
internal import Security

/// libcurl's multi handle in the loop: curl says which sockets and which deadline it waits for.
/// `@unchecked Sendable`: everything but `init` happens on the loop.
final class CurlTransfers: @unchecked Sendable {
  let loop: EventLoop
  private let trust: Trust
  private let multi: UnsafeMutableRawPointer
  private var running: [ObjectIdentifier: CurlTransfer] = [:]
  private var sockets: [Int32: CurlSocket] = [:]
  private var timer: TimerToken?
  private var isClosed = false

  private static let isReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

  init(loop: EventLoop, trust: Trust, connectionsMax: Int) {
    precondition(Self.isReady, "libcurl cannot be used")
    self.loop = loop
    self.trust = trust
    guard let multi = curl_multi_init() else { preconditionFailure("no memory for libcurl") }
    self.multi = multi
    ccurl_multi_set_long(self.multi, CURLMOPT_MAX_HOST_CONNECTIONS, connectionsMax)
    ccurl_multi_set_callbacks(
      self.multi, Unmanaged.passUnretained(self).toOpaque(),
      { _, socket, what, owner, _ in
        CurlTransfers.from(owner).watch(socket, what)
        return 0
      },
      { _, milliseconds, owner in
        CurlTransfers.from(owner).setTimer(milliseconds)
        return 0
      })
  }

  private static func from(_ pointer: UnsafeMutableRawPointer) -> CurlTransfers {
    Unmanaged<CurlTransfers>.fromOpaque(pointer).takeUnretainedValue()
  }

  // MARK: Transfers

  func begin(
    _ transfer: CurlTransfer, _ waiter: CheckedContinuation<CurlTransfer.Outcome, Never>
  ) {
    transfer.waiter = waiter
    if transfer.isCancelled {
      transfer.finish(transfer.fail(.cancelled, "cancelled before it began"))
      return
    }
    if let problem = transfer.problem {
      transfer.finish(transfer.fail(.invalidRequest, problem))
      return
    }
    guard !isClosed, let handle = curl_easy_init() else {
      transfer.finish(transfer.fail(.connect, "the client is closed"))
      return
    }
    transfer.configure(handle, trust: trust)
    running[ObjectIdentifier(transfer)] = transfer
    curl_multi_add_handle(multi, handle)
  }

  func cancel(_ transfer: CurlTransfer) {
    transfer.isCancelled = true
    guard running[ObjectIdentifier(transfer)] != nil else { return }
    end(transfer, transfer.fail(.cancelled, "cancelled"))
  }

  private func end(_ transfer: CurlTransfer, _ outcome: CurlTransfer.Outcome) {
    running[ObjectIdentifier(transfer)] = nil
    curl_multi_remove_handle(multi, transfer.handle)
    curl_easy_cleanup(transfer.handle)
    transfer.handle = nil
    transfer.finish(outcome)
  }

  fileprivate func act(_ socket: Int32, _ events: Int32) {
    var left: Int32 = 0
    curl_multi_socket_action(multi, socket, events, &left)
    var code = CURLE_OK
    while let handle = ccurl_multi_finished(multi, &code) {
      guard let pointer = ccurl_private(handle) else { continue }
      let transfer = Unmanaged<CurlTransfer>.fromOpaque(pointer).takeUnretainedValue()
      end(transfer, transfer.outcome(code))
    }
  }

  func close() {
    isClosed = true
    for transfer in Array(running.values) {
      end(transfer, transfer.fail(.cancelled, "the client is closed"))
    }
    curl_multi_cleanup(multi)
    if let timer { loop.cancel(timer) }
    for socket in sockets.values { socket.stop() }
    sockets = [:]
  }

  // MARK: Called by curl

  private func watch(_ socket: Int32, _ what: Int32) {
    if what == CURL_POLL_REMOVE {
      sockets.removeValue(forKey: socket)?.stop()
      return
    }
    var interest: Readiness = []
    if what == CURL_POLL_IN || what == CURL_POLL_INOUT { interest.insert(.readable) }
    if what == CURL_POLL_OUT || what == CURL_POLL_INOUT { interest.insert(.writable) }
    if let known = sockets[socket] {
      known.change(to: interest)
    } else {
      sockets[socket] = CurlSocket(socket, interest, self)
    }
  }

  private func setTimer(_ milliseconds: Int) {
    if let timer { loop.cancel(timer) }
    timer = nil
    guard milliseconds >= 0, !isClosed else { return }
    // Never from inside this call: curl does not allow it.
    timer = loop.schedule(after: .milliseconds(milliseconds)) { [weak self] in
      self?.timer = nil
      self?.act(CURL_SOCKET_TIMEOUT, 0)
    }
  }
}

/// One of curl's sockets in the loop.
private final class CurlSocket: Pollable {
  private let socket: Int32
  private let loop: EventLoop
  private unowned let transfers: CurlTransfers
  private var registration: Registration?

  init(_ socket: Int32, _ interest: Readiness, _ transfers: CurlTransfers) {
    self.socket = socket
    self.loop = transfers.loop
    self.transfers = transfers
    do {
      self.registration = try loop.register(socket, interest, self)
    } catch {
      // A socket that cannot be watched ends in its transfer's timeout.
      self.registration = nil
    }
  }

  func change(to interest: Readiness) {
    if let registration { loop.change(registration, to: interest) }
  }

  func stop() {
    if let registration { loop.unregister(registration) }
    registration = nil
  }

  func ready(_ readiness: Readiness) {
    var events: Int32 = 0
    if readiness.contains(.readable) { events |= CURL_CSELECT_IN }
    if readiness.contains(.writable) { events |= CURL_CSELECT_OUT }
    if readiness.contains(.error) || readiness.contains(.hangup) { events |= CURL_CSELECT_ERR }
    transfers.act(socket, events)
  }
}
