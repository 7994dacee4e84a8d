internal import CBlockPool
internal import CNGHTTP2

/// What happens on an HTTP/2 session, told in the order of the frames.
///
/// Called from within nghttp2: submit and reset as you like, but neither `receive` nor
/// `nextOutput`.
protocol HTTP2SessionOwner: AnyObject {
  /// `opens`: these fields open a request of the peer; others are an answer or trailers.
  func headersBegan(_ stream: Int32, opens: Bool)
  /// False when these are too many; then the connection is over.
  func header(
    _ stream: Int32, _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>
  ) -> Bool
  func headersEnded(_ stream: Int32, endsStream: Bool)
  func data(_ stream: Int32, _ bytes: UnsafeBufferPointer<UInt8>)
  /// The peer has sent its last DATA.
  func dataEnded(_ stream: Int32)
  /// The HEADERS that open the stream have been given out.
  func requestSent(_ stream: Int32)
  func streamClosed(_ stream: Int32, code: UInt32)
  /// `words` are valid during the call only.
  func goAwayReceived(code: UInt32, saying words: UnsafeRawBufferPointer)
}

enum HTTP2Pull {
  case bytes(Int)
  /// Nothing now; `resume` is called when there is.
  case later
  /// The last bytes; trailers follow if they were submitted before this returned.
  case end(Int, trailers: Bool)
}

/// The error codes of RFC 9113, section 7, that we send or tell apart.
enum HTTP2Code {
  static let noError: UInt32 = 0x0
  static let protocolError: UInt32 = 0x1
  static let internalError: UInt32 = 0x2
  static let flowControlError: UInt32 = 0x3
  static let streamClosed: UInt32 = 0x5
  static let refusedStream: UInt32 = 0x7
  static let cancel: UInt32 = 0x8
  static let enhanceYourCalm: UInt32 = 0xb
  static let inadequateSecurity: UInt32 = 0xc
}

struct HTTP2Settings: Sendable {
  var streamsMax: UInt32 = 1_000
  /// Bytes that a peer may send on one stream, or in total, before we have consumed them.
  var streamWindow: UInt32 = 256 * 1024
  var connectionWindow: UInt32 = 4 * 1024 * 1024
  var headerListBytesMax: UInt32 = 32 * 1024
  var floods = FloodLimits()
}

/// An nghttp2 session: frames in, frames out, no I/O. Confined to its connection's loop.
///
/// A value without copies in the object that owns it, so that a request does not count references
/// to a session that lives as long as its owner anyway.
struct HTTP2Session: ~Copyable {
  private let session: OpaquePointer
  let isServer: Bool

  /// Before anything is received, `serve` or `use` names the owner.
  init(isServer: Bool, settings: HTTP2Settings) {
    self.isServer = isServer
    var options: OpaquePointer?
    nghttp2_option_new(&options)
    nghttp2_option_set_no_auto_window_update(options, 1)
    nghttp2_option_set_no_closed_streams(options, 1)
    // The frame guard counts resets, and more than these; nghttp2's own count would come first.
    nghttp2_option_set_stream_reset_rate_limit(options, .max, .max)
    nghttp2_option_set_max_send_header_block_length(options, 256 * 1024)
    // gRPC lets a receiver strip what surrounds a value, instead of refusing the whole request.
    nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(options, 1)
    var memory = Self.memory
    var made: OpaquePointer?
    let code =
      isServer
      ? nghttp2_session_server_new3(&made, HTTP2Callbacks.server.pointer, nil, options, &memory)
      : nghttp2_session_client_new3(&made, HTTP2Callbacks.client.pointer, nil, options, &memory)
    nghttp2_option_del(options)
    guard code == 0, let made else { preconditionFailure("no HTTP/2 session: \(code)") }
    session = made
    submit(settings)
  }

  /// Of the allocations of a call half are nghttp2's, of few sizes.
  private static var memory: nghttp2_mem {
    nghttp2_mem(
      mem_user_data: nil, malloc: cblockpool_malloc, free: cblockpool_free,
      calloc: cblockpool_calloc, realloc: cblockpool_realloc)
  }

  /// `owner` keeps this session and is told what happens on it.
  func attach(_ owner: HTTP2ServerConnection) {
    precondition(isServer)
    nghttp2_session_set_user_data(session, Unmanaged.passUnretained(owner).toOpaque())
  }

  func attach(_ owner: HTTP2ClientConnection) {
    precondition(!isServer)
    nghttp2_session_set_user_data(session, Unmanaged.passUnretained(owner).toOpaque())
  }

  deinit { nghttp2_session_del(session) }

  private func submit(_ settings: HTTP2Settings) {
    var entries = [
      nghttp2_settings_entry(
        settings_id: Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue),
        value: settings.streamWindow),
      nghttp2_settings_entry(
        settings_id: Int32(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE.rawValue),
        value: settings.headerListBytesMax),
    ]
    if isServer {
      entries.append(
        nghttp2_settings_entry(
          settings_id: Int32(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS.rawValue),
          value: 2 * min(settings.streamsMax, UInt32.max / 2)))
    } else {
      entries.append(
        nghttp2_settings_entry(
          settings_id: Int32(NGHTTP2_SETTINGS_ENABLE_PUSH.rawValue), value: 0))
    }
    nghttp2_submit_settings(session, 0, entries, entries.count)
    nghttp2_session_set_local_window_size(session, 0, 0, Int32(settings.connectionWindow))
  }

  // MARK: Bytes

  /// False when the peer broke the protocol beyond repair; a GOAWAY may be among the output.
  func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
    nghttp2_session_mem_recv(
      session, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count) >= 0
  }

  /// The SETTINGS that a server begins with. They name the limit of streams that it keeps; nghttp2
  /// has a higher one, beyond which it ends the connection, where a refusal does for a stream.
  func greeting(streamsMax: UInt32) -> [UInt8] {
    var frame = nextOutput().map { Array($0) } ?? []
    var place = FrameHead.size
    while place + 6 <= frame.count {
      if frame[place] == 0, frame[place + 1] == 3 {
        for index in 0..<4 {
          frame[place + 2 + index] = UInt8(truncatingIfNeeded: streamsMax >> (24 - 8 * index))
        }
      }
      place += 6
    }
    return frame
  }

  /// The next piece of output, valid until the next call; nil when there is none now.
  func nextOutput() -> UnsafeRawBufferPointer? {
    var bytes: UnsafePointer<UInt8>?
    let count = nghttp2_session_mem_send(session, &bytes)
    guard count > 0 else { return nil }
    return UnsafeRawBufferPointer(start: bytes, count: count)
  }

  /// Nothing more will be read or written: the session is over.
  var isOver: Bool {
    nghttp2_session_want_read(session) == 0 && nghttp2_session_want_write(session) == 0
  }

  // MARK: Streams

  /// Opens a stream; its body is pulled from the owner unless `endsStream`. Nil when ids have run
  /// out.
  func request(_ headers: HeaderBlock, endsStream: Bool) -> Int32? {
    let stream = headers.withFields { fields, count -> Int32 in
      if endsStream { return nghttp2_submit_request(session, nil, fields, count, nil, nil) }
      var provider = HTTP2Callbacks.clientBody
      return nghttp2_submit_request(session, nil, fields, count, &provider, nil)
    }
    return stream > 0 ? stream : nil
  }

  /// A whole response, or with `body` its head.
  func respond(_ stream: Int32, _ headers: HeaderBlock, body: ServerStream?) {
    _ = headers.withFields { fields, count in
      guard let body else { return nghttp2_submit_response(session, stream, fields, count, nil) }
      var provider = HTTP2Callbacks.serverBody(body)
      return nghttp2_submit_response(session, stream, fields, count, &provider)
    }
  }

  /// A response with a body whose head's fields are known beforehand.
  func respond(_ stream: Int32, _ headers: FixedHeaders, body: ServerStream) {
    var provider = HTTP2Callbacks.serverBody(body)
    nghttp2_submit_response(session, stream, headers.fields, headers.count, &provider)
  }

  func trailers(_ stream: Int32, _ headers: FixedHeaders) {
    nghttp2_submit_trailer(session, stream, headers.fields, headers.count)
  }

  func trailers(_ stream: Int32, _ headers: HeaderBlock) {
    _ = headers.withFields { nghttp2_submit_trailer(session, stream, $0, $1) }
  }

  func reset(_ stream: Int32, code: UInt32) {
    nghttp2_submit_rst_stream(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream, code)
  }

  /// The owner has body bytes again after it answered `later`.
  func resume(_ stream: Int32) { nghttp2_session_resume_data(session, stream) }

  /// The connection window opens as bytes arrive: one slow stream must not hold up the others.
  func arrived(_ count: Int) { nghttp2_session_consume_connection(session, count) }

  /// What belongs to a stream that is open: nghttp2 finds it in its own table.
  func place(_ object: UnsafeMutableRawPointer, at stream: Int32) {
    nghttp2_session_set_stream_user_data(session, stream, object)
  }

  /// What was placed at a stream; nil when the stream is closed or nothing was.
  func object(at stream: Int32) -> UnsafeMutableRawPointer? {
    nghttp2_session_get_stream_user_data(session, stream)
  }

  /// The stream's window opens by what was consumed.
  func consumed(_ stream: Int32, _ count: Int) {
    guard count > 0 else { return }
    nghttp2_session_consume_stream(session, stream, count)
  }

  func ping() { nghttp2_submit_ping(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), nil) }

  /// Streams that the peer lets us have open at once.
  var remoteStreamsMax: Int {
    Int(
      nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS))
  }

  /// The stream is known and neither idle nor closed.
  func isOpen(_ stream: Int32) -> Bool {
    guard let found = nghttp2_session_find_stream(session, stream) else { return false }
    return nghttp2_stream_get_state(found) != NGHTTP2_STREAM_STATE_IDLE
  }

  /// The peer lets us send nothing more on this stream now.
  func isWindowClosed(_ stream: Int32) -> Bool {
    nghttp2_session_get_stream_remote_window_size(session, stream) <= 0
      || nghttp2_session_get_remote_window_size(session) <= 0
  }

  // MARK: Ending

  /// Ignores what comes from now on; what is open is lost.
  func terminate(code: UInt32) { nghttp2_session_terminate_session(session, code) }

  /// Tells a peer that passed a limit to go, and why.
  func sendAway(_ limit: TransportLimit) {
    // The text that gRPC's clients know (gRFC A8).
    let why = limit == .pings ? "too_many_pings" : limit.rawValue
    let last = lastStream
    var text = why
    text.withUTF8 { text in
      _ = nghttp2_submit_goaway(
        session, UInt8(NGHTTP2_FLAG_NONE.rawValue), last, HTTP2Code.enhanceYourCalm,
        text.baseAddress, text.count)
    }
  }

  /// First half of a graceful end: no new streams, please (RFC 9113, section 6.8).
  func announceShutdown() { nghttp2_submit_shutdown_notice(session) }

  /// The last stream that is served.
  var lastStream: Int32 { nghttp2_session_get_last_proc_stream_id(session) }

  /// Second half: streams up to the last one seen are served, later ones never were.
  func goAway(code: UInt32 = HTTP2Code.noError) {
    nghttp2_submit_goaway(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), lastStream, code, nil, 0)
  }
}
