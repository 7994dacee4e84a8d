internal import CCurl
internal import Chrono
internal import Loop
internal import Security

/// One request on its way. `@unchecked Sendable`: made anywhere, then touched on the loop only.
final class CurlTransfer: @unchecked Sendable {
  typealias Outcome = Result<HTTPClientResponse, HTTPClientError>

  let request: HTTPClientRequest
  /// Nil before it has one and after it has ended.
  var handle: CurlHandle?
  /// While it waits for a free connection, until then.
  var timer: TimerToken?
  var deadline = Uptime(nanoseconds: 0)
  var waiter: CheckedContinuation<Outcome, Never>?
  var isCancelled = false

  private var headers: [HTTPHeader] = []
  private var body: [UInt8] = []
  private var isBodyTooLarge = false
  private var isHeaderTooLarge = false
  private var headerBytes = 0
  /// How often curl had a connection and was about to send the request.
  private var attempts = 0
  private var objection: String?
  private var headerList: UnsafeMutablePointer<curl_slist>?

  /// Bytes of a response's headers.
  private static let headerBytesMax = 64 * 1024

  init(_ request: HTTPClientRequest) { self.request = request }

  deinit { curl_slist_free_all(headerList) }

  /// Scheme and authority: connections are counted for each.
  var host: String {
    var slashes = 0
    let end = request.url.utf8.firstIndex { byte in
      if byte == UInt8(ascii: "/") { slashes += 1 }
      return slashes == 3
    }
    return String(request.url[..<(end ?? request.url.endIndex)])
  }

  var mayHaveReachedPeer: Bool { attempts > 0 }

  /// It has got a connection, or at least looked for the host.
  private var hasBegun: Bool {
    guard let handle else { return false }
    return attempts > 0 || ccurl_info_double(handle.curl, CURLINFO_NAMELOOKUP_TIME) > 0
  }

  // MARK: Setting up

  /// What is wrong with the request, if anything.
  var problem: String? {
    guard !request.method.isEmpty, request.method.utf8.allSatisfy(HTTP1Grammar.isTokenByte) else {
      return "the method is malformed"
    }
    for header in request.headers {
      guard !header.name.isEmpty, header.name.utf8.allSatisfy(HTTP1Grammar.isTokenByte),
        header.value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 })
      else { return "the header \(header.name) is malformed" }
    }
    return request.url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) ? nil : "the URL is malformed"
  }

  /// `timeout` is what is left of the request's.
  func configure(_ handle: CurlHandle, timeout: Duration) {
    self.handle = handle
    let curl = handle.curl
    let me = Unmanaged.passUnretained(self).toOpaque()
    ccurl_set_callbacks(
      curl, me,
      { bytes, size, count, transfer in CurlTransfer.from(transfer).takeBody(bytes, size * count) },
      { bytes, size, count, transfer in CurlTransfer.from(transfer).takeHeader(bytes, size * count)
      },
      { transfer, _, _, _, _ in CurlTransfer.from(transfer).aboutToSend() })
    handle.errorText.pointee = 0
    ccurl_set_text(curl, CURLOPT_URL, request.url)
    let milliseconds = max(1, Int(timeout.wholeNanoseconds / 1_000_000))
    ccurl_set_long(curl, CURLOPT_TIMEOUT_MS, milliseconds)
    ccurl_set_long(curl, CURLOPT_CONNECTTIMEOUT_MS, milliseconds)
    setMethod(curl)
    setHeaders(curl)
  }

  private func setMethod(_ curl: UnsafeMutableRawPointer) {
    // Nothing of what the handle carried before.
    ccurl_set_long(curl, CURLOPT_HTTPGET, 1)
    if request.method == "HEAD" {
      ccurl_set_long(curl, CURLOPT_NOBODY, 1)
      ccurl_set_pointer(curl, CURLOPT_CUSTOMREQUEST, nil)
      return
    }
    if request.method != "GET" || !request.body.isEmpty {
      // Without this, a POST with no body would read one from standard input.
      ccurl_set_size(curl, CURLOPT_POSTFIELDSIZE_LARGE, Int64(request.body.count))
      request.body.withUnsafeBytes { bytes in
        var empty: UInt8 = 0
        withUnsafeMutablePointer(to: &empty) { nothing in
          let base = bytes.baseAddress.map { UnsafeMutableRawPointer(mutating: $0) }
          ccurl_set_pointer(curl, CURLOPT_COPYPOSTFIELDS, base ?? UnsafeMutableRawPointer(nothing))
        }
      }
    }
    ccurl_set_text(curl, CURLOPT_CUSTOMREQUEST, request.method)
  }

  private func setHeaders(_ curl: UnsafeMutableRawPointer) {
    func add(_ line: String) { headerList = curl_slist_append(headerList, line) }
    for header in request.headers {
      add(header.value.isEmpty ? "\(header.name);" : "\(header.name): \(header.value)")
    }
    // curl's own ideas: a wait for 100 Continue, and a form's content type.
    add("Expect:")
    if request.headers.first("content-type") == nil { add("Content-Type:") }
    if request.headers.first("user-agent") == nil { add("User-Agent: ShrivenQuant") }
    ccurl_set_pointer(curl, CURLOPT_HTTPHEADER, headerList)
  }

  // MARK: Called by curl

  private static func from(_ pointer: UnsafeMutableRawPointer) -> CurlTransfer {
    Unmanaged<CurlTransfer>.fromOpaque(pointer).takeUnretainedValue()
  }

  /// curl sends again, on a new connection, what a kept connection may have swallowed. Not with us,
  /// unless the request says so or not a byte had left.
  private func aboutToSend() -> Int32 {
    let hasLeft = attempts > 0 && ccurl_info_long(handle!.curl, CURLINFO_REQUEST_SIZE) > 0
    if hasLeft, !request.maySendTwice { return CURL_PREREQFUNC_ABORT }
    if !hasLeft, let objection = request.objection?() {
      self.objection = objection
      return CURL_PREREQFUNC_ABORT
    }
    attempts += 1
    return CURL_PREREQFUNC_OK
  }

  private func takeBody(_ bytes: UnsafeMutablePointer<CChar>, _ count: Int) -> Int {
    guard body.count + count <= request.bodyMax else {
      isBodyTooLarge = true
      return 0
    }
    body.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: count))
    return count
  }

  private func takeHeader(_ bytes: UnsafeMutablePointer<CChar>, _ count: Int) -> Int {
    headerBytes += count
    guard headerBytes <= Self.headerBytesMax else {
      isHeaderTooLarge = true
      return 0
    }
    let line = UnsafeRawBufferPointer(start: bytes, count: count)
    if line.starts(with: "HTTP/".utf8) {
      // An interim response came before the one that counts.
      headers = []
      return count
    }
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0 else { return count }
    let value = trimmed(line[(colon + 1)...].filter { $0 != 0x0d && $0 != 0x0a })
    headers.append(
      HTTPHeader(
        String(decoding: line[..<colon].map(lowered), as: UTF8.self),
        String(decoding: value, as: UTF8.self)))
    return count
  }

  // MARK: Ending

  func outcome(_ code: CURLcode) -> Outcome {
    if isBodyTooLarge {
      return fail(.bodyTooLarge, "the response's body is over \(request.bodyMax) bytes")
    }
    if isHeaderTooLarge {
      return fail(.broken, "the response's headers are over \(Self.headerBytesMax) bytes")
    }
    if code == CURLE_ABORTED_BY_CALLBACK, let objection { return fail(.withheld, objection) }
    guard code == CURLE_OK else { return fail(kind(code), words(code)) }
    let status = ccurl_info_long(handle!.curl, CURLINFO_RESPONSE_CODE)
    return .success(HTTPClientResponse(status: status, headers: headers, body: body))
  }

  func fail(_ kind: HTTPClientError.Kind, _ problem: String) -> Outcome {
    .failure(HTTPClientError(kind, mayHaveReachedPeer: mayHaveReachedPeer, problem))
  }

  func finish(_ outcome: Outcome) {
    waiter?.resume(returning: outcome)
    waiter = nil
  }

  private func words(_ code: CURLcode) -> String {
    if code == CURLE_ABORTED_BY_CALLBACK {
      return "the connection was lost while the request was sent"
    }
    let detail = handle.map { String(cString: $0.errorText) } ?? ""
    return detail.isEmpty ? String(cString: curl_easy_strerror(code)) : detail
  }

  private func kind(_ code: CURLcode) -> HTTPClientError.Kind {
    switch code {
    case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: .invalidRequest
    case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT: .connect
    case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM,
      CURLE_SSL_CIPHER, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR,
      CURLE_SSL_INVALIDCERTSTATUS:
      // Before the handshake is done nothing has been sent; a later alert breaks the connection.
      mayHaveReachedPeer ? .broken : .tls
    case CURLE_OPERATION_TIMEDOUT: hasBegun ? .timeout : .queued
    default: .broken
    }
  }
}
