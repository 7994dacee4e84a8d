internal import CNGHTTP2

/// What nghttp2 calls, the same for all sessions of one side. Each side has its own table, so that
/// its owner's methods are called directly and not through a protocol.
///
/// `@unchecked Sendable`: immutable after init, and nghttp2 copies it into each session.
struct HTTP2Callbacks: @unchecked Sendable {
  let pointer: OpaquePointer?

  private init(_ fill: (OpaquePointer?) -> Void) {
    var made: OpaquePointer?
    nghttp2_session_callbacks_new(&made)
    fill(made)
    pointer = made
  }

  static let server = HTTP2Callbacks { table in
    nghttp2_session_callbacks_set_on_begin_headers_callback(table) { _, frame, user in
      headersBegan(owner(user, HTTP2ServerConnection.self), frame!)
    }
    nghttp2_session_callbacks_set_on_header_callback(table) {
      _, frame, name, nameCount, value, valueCount, _, user in
      owner(user, HTTP2ServerConnection.self)._withUnsafeGuaranteedRef {
        $0.header(
          frame!.pointee.hd.stream_id, UnsafeBufferPointer(start: name, count: nameCount),
          UnsafeBufferPointer(start: value, count: valueCount))
          ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE.rawValue
      }
    }
    nghttp2_session_callbacks_set_on_frame_recv_callback(table) { _, frame, user in
      received(owner(user, HTTP2ServerConnection.self), frame!)
    }
    nghttp2_session_callbacks_set_on_frame_send_callback(table) { _, frame, user in
      answered(owner(user, HTTP2ServerConnection.self), frame!)
    }
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(table) {
      _, _, stream, bytes, count, user in
      owner(user, HTTP2ServerConnection.self)._withUnsafeGuaranteedRef {
        $0.data(stream, UnsafeBufferPointer(start: bytes, count: count))
      }
      return 0
    }
    nghttp2_session_callbacks_set_on_stream_close_callback(table) { _, stream, code, user in
      owner(user, HTTP2ServerConnection.self)._withUnsafeGuaranteedRef {
        $0.streamClosed(stream, code: code)
      }
      return 0
    }
  }

  static let client = HTTP2Callbacks { table in
    nghttp2_session_callbacks_set_on_begin_headers_callback(table) { _, frame, user in
      headersBegan(owner(user, HTTP2ClientConnection.self), frame!)
    }
    nghttp2_session_callbacks_set_on_header_callback(table) {
      _, frame, name, nameCount, value, valueCount, _, user in
      owner(user, HTTP2ClientConnection.self)._withUnsafeGuaranteedRef {
        $0.header(
          frame!.pointee.hd.stream_id, UnsafeBufferPointer(start: name, count: nameCount),
          UnsafeBufferPointer(start: value, count: valueCount))
          ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE.rawValue
      }
    }
    nghttp2_session_callbacks_set_on_frame_recv_callback(table) { _, frame, user in
      received(owner(user, HTTP2ClientConnection.self), frame!)
    }
    nghttp2_session_callbacks_set_on_frame_send_callback(table) { _, frame, user in
      let head = frame!.pointee.hd
      guard UInt32(head.type) == NGHTTP2_HEADERS.rawValue else { return 0 }
      owner(user, HTTP2ClientConnection.self)._withUnsafeGuaranteedRef {
        $0.requestSent(head.stream_id)
      }
      return 0
    }
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(table) {
      _, _, stream, bytes, count, user in
      owner(user, HTTP2ClientConnection.self)._withUnsafeGuaranteedRef {
        $0.data(stream, UnsafeBufferPointer(start: bytes, count: count))
      }
      return 0
    }
    nghttp2_session_callbacks_set_on_stream_close_callback(table) { _, stream, code, user in
      owner(user, HTTP2ClientConnection.self)._withUnsafeGuaranteedRef {
        $0.streamClosed(stream, code: code)
      }
      return 0
    }
  }

  /// The bodies of all streams come from the session's owner.
  static var serverBody: nghttp2_data_provider {
    nghttp2_data_provider(source: nghttp2_data_source(ptr: nil)) {
      _, stream, buffer, count, flags, _, user in
      fill(owner(user, HTTP2ServerConnection.self), stream, buffer!, count, flags!)
    }
  }

  static var clientBody: nghttp2_data_provider {
    nghttp2_data_provider(source: nghttp2_data_source(ptr: nil)) {
      _, stream, buffer, count, flags, _, user in
      fill(owner(user, HTTP2ClientConnection.self), stream, buffer!, count, flags!)
    }
  }
}

/// The owner outlives its session and holds it, so a callback needs no reference of its own.
private func owner<Owner: AnyObject>(
  _ user: UnsafeMutableRawPointer?, _ type: Owner.Type
) -> Unmanaged<Owner> {
  Unmanaged<Owner>.fromOpaque(user!)
}

private func headersBegan<Owner: HTTP2SessionOwner>(
  _ owner: Unmanaged<Owner>, _ frame: UnsafePointer<nghttp2_frame>
) -> Int32 {
  let opens = frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST
  owner._withUnsafeGuaranteedRef { $0.headersBegan(frame.pointee.hd.stream_id, opens: opens) }
  return 0
}

private func received<Owner: HTTP2SessionOwner>(
  _ owner: Unmanaged<Owner>, _ frame: UnsafePointer<nghttp2_frame>
) -> Int32 {
  let head = frame.pointee.hd
  let ends = UInt32(head.flags) & NGHTTP2_FLAG_END_STREAM.rawValue != 0
  owner._withUnsafeGuaranteedRef { owner in
    switch UInt32(head.type) {
    case NGHTTP2_HEADERS.rawValue: owner.headersEnded(head.stream_id, endsStream: ends)
    case NGHTTP2_DATA.rawValue: if ends { owner.dataEnded(head.stream_id) }
    case NGHTTP2_GOAWAY.rawValue:
      owner.goAwayReceived(
        lastStream: frame.pointee.goaway.last_stream_id, code: frame.pointee.goaway.error_code)
    default: break
    }
  }
  return 0
}

/// A server that has answered before the client's body ended asks it to stop sending.
private func answered(
  _ owner: Unmanaged<HTTP2ServerConnection>, _ frame: UnsafePointer<nghttp2_frame>
) -> Int32 {
  let head = frame.pointee.hd
  owner._withUnsafeGuaranteedRef { owner in
    switch UInt32(head.type) {
    case NGHTTP2_HEADERS.rawValue: owner.guards.ledger.sentHeaders()
    case NGHTTP2_DATA.rawValue: owner.guards.ledger.sentData()
    case NGHTTP2_RST_STREAM.rawValue:
      owner.resetSent(head.stream_id, code: frame.pointee.rst_stream.error_code)
      return
    case NGHTTP2_GOAWAY.rawValue:
      owner.goAwaySent(code: frame.pointee.goaway.error_code)
      return
    default: return
    }
    if UInt32(head.flags) & NGHTTP2_FLAG_END_STREAM.rawValue != 0,
      !owner.session.isRemoteClosed(head.stream_id)
    {
      owner.session.reset(head.stream_id, code: HTTP2Code.noError)
    }
  }
  return 0
}

private func fill<Owner: HTTP2SessionOwner>(
  _ owner: Unmanaged<Owner>, _ stream: Int32, _ buffer: UnsafeMutablePointer<UInt8>, _ count: Int,
  _ flags: UnsafeMutablePointer<UInt32>
) -> Int {
  let space = UnsafeMutableRawBufferPointer(start: buffer, count: count)
  switch owner._withUnsafeGuaranteedRef({ $0.pull(stream, space) }) {
  case .bytes(let count): return count
  case .later: return Int(NGHTTP2_ERR_DEFERRED.rawValue)
  case .end(let count, let trailers):
    flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue
    if trailers { flags.pointee |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue }
    return count
  }
}
