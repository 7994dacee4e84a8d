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
  private let connectionsMax: Int
  private var running: [ObjectIdentifier: CurlTransfer] = [:]
  private var hosts: [String: Host] = [:]
  /// Handles between transfers, no more than have been under way at once.
  private var resting: [CurlHandle] = []
  private var sockets: [Int32: CurlSocket] = [:]
  private var timer: TimerToken?
  private var isClosed = false

  /// Who waits here for a free connection costs nothing. Of those who wait inside, curl looks at each
  /// whenever another transfer ends.
  private struct Host {
    var running = 0
    var waiting: [CurlTransfer] = []
    /// Those before it have gone.
    var head = 0

    mutating func add(_ transfer: CurlTransfer) {
      if head > 64, head > waiting.count / 2 {
        waiting.removeFirst(head)
        head = 0
      }
      waiting.append(transfer)
    }

    mutating func next() -> CurlTransfer? {
      while head < waiting.count {
        defer { head += 1 }
        if waiting[head].waiter != nil { return waiting[head] }
      }
      waiting.removeAll(keepingCapacity: true)
      head = 0
      return nil
    }
  }

  private static let isReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

  init(loop: EventLoop, trust: Trust, connectionsMax: Int) {
    precondition(Self.isReady, "libcurl cannot be used")
    self.loop = loop
    self.trust = trust
    self.connectionsMax = connectionsMax
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
    guard !isClosed else {
      transfer.finish(transfer.fail(.connect, "the client is closed"))
      return
    }
    let host = transfer.host
    guard hosts[host, default: Host()].running < connectionsMax else {
      hosts[host]?.add(transfer)
      transfer.timer = loop.schedule(after: transfer.request.timeout) {
        transfer.timer = nil
        transfer.finish(transfer.fail(.queued, "no connection was free in time"))
      }
      transfer.deadline = loop.uptime + transfer.request.timeout
      return
    }
    run(transfer, transfer.request.timeout)
  }

  private func run(_ transfer: CurlTransfer, _ timeout: Duration) {
    guard let handle = resting.popLast() ?? CurlHandle(trust: trust) else {
      transfer.finish(transfer.fail(.connect, "no memory for libcurl"))
      return
    }
    hosts[transfer.host, default: Host()].running += 1
    transfer.configure(handle, timeout: timeout)
    running[ObjectIdentifier(transfer)] = transfer
    curl_multi_add_handle(multi, handle.curl)
  }

  func cancel(_ transfer: CurlTransfer) {
    transfer.isCancelled = true
    if running[ObjectIdentifier(transfer)] != nil {
      end(transfer, transfer.fail(.cancelled, "cancelled"))
      runWaiting(for: transfer.host)
    } else if transfer.waiter != nil {
      if let timer = transfer.timer { loop.cancel(timer) }
      transfer.timer = nil
      transfer.finish(transfer.fail(.cancelled, "cancelled"))
    }
  }

  private func end(_ transfer: CurlTransfer, _ outcome: CurlTransfer.Outcome) {
    running[ObjectIdentifier(transfer)] = nil
    if let handle = transfer.handle {
      curl_multi_remove_handle(multi, handle.curl)
      handle.rest()
      transfer.handle = nil
      resting.append(handle)
    }
    hosts[transfer.host]?.running -= 1
    transfer.finish(outcome)
  }

  private func runWaiting(for host: String) {
    while let running = hosts[host]?.running, running < connectionsMax,
      let next = hosts[host]?.next()
    {
      if let timer = next.timer { loop.cancel(timer) }
      next.timer = nil
      run(next, next.deadline - loop.uptime)
    }
  }

  fileprivate func act(_ socket: Int32, _ events: Int32) {
    var left: Int32 = 0
    curl_multi_socket_action(multi, socket, events, &left)
    var code = CURLE_OK
    while let handle = ccurl_multi_finished(multi, &code) {
      guard let pointer = ccurl_private(handle) else { continue }
      let transfer = Unmanaged<CurlTransfer>.fromOpaque(pointer).takeUnretainedValue()
      end(transfer, transfer.outcome(code))
      runWaiting(for: transfer.host)
    }
  }

  func close() {
    isClosed = true
    for transfer in Array(running.values) {
      end(transfer, transfer.fail(.cancelled, "the client is closed"))
    }
    for host in hosts.values {
      for transfer in host.waiting where transfer.waiter != nil { cancel(transfer) }
    }
    resting = []
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
