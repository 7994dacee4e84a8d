internal import CCurl
internal import Security

/// What curl needs for one transfer, kept for the next one: making it anew, with its options, its
/// buffers and its own copy of the authorities, costs as much as the transfer. Loop-confined.
final class CurlHandle {
  let curl: UnsafeMutableRawPointer
  /// curl's words on the last failure.
  let errorText: UnsafeMutablePointer<CChar>

  /// A connection that was idle for longer is not used again: servers close theirs after a minute or
  /// so, and a POST that meets such a close may or may not have been carried out.
  private static let idleSecondsMax = 15

  init?(trust: Trust) {
    guard let curl = curl_easy_init() else { return nil }
    self.curl = curl
    errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
    errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    ccurl_set_pointer(curl, CURLOPT_ERRORBUFFER, errorText)
    ccurl_set_text(curl, CURLOPT_PROTOCOLS_STR, "http,https")
    ccurl_set_long(curl, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
    ccurl_set_long(curl, CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
    ccurl_set_long(curl, CURLOPT_NOSIGNAL, 1)
    ccurl_set_long(curl, CURLOPT_TCP_KEEPALIVE, 1)
    ccurl_set_long(curl, CURLOPT_MAXAGE_CONN, Self.idleSecondsMax)
    ccurl_set_text(curl, CURLOPT_ACCEPT_ENCODING, "gzip")
    // The environment's proxies must not see, or break, what goes to a venue.
    ccurl_set_text(curl, CURLOPT_PROXY, "")
    if case .authorities(let pem) = trust {
      var pem = pem
      pem.withUTF8 { _ = ccurl_set_authorities(curl, $0.baseAddress!, $0.count) }
    }
  }

  deinit {
    curl_easy_cleanup(curl)
    errorText.deallocate()
  }

  /// Forgets what belongs to the transfer that has ended.
  func rest() {
    ccurl_set_pointer(curl, CURLOPT_HTTPHEADER, nil)
    ccurl_set_pointer(curl, CURLOPT_PRIVATE, nil)
  }
}
