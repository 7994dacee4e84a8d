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
      owner(user, HTTP2ServerConnection.self)._withUnsafeGuaranteedRef { sent($0, frame!) }
      return 0
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
      let head = frame!.pointee.hd
      if UInt32(head.type) == NGHTTP2_SETTINGS.rawValue,
        UInt32(head.flags) & NGHTTP2_FLAG_ACK.rawValue == 0
      {
        owner(user, HTTP2ClientConnection.self)._withUnsafeGuaranteedRef { $0.settingsReceived() }
        return 0
      }
      return received(owner(user, HTTP2ClientConnection.self), frame!)
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

  /// A response's body comes from its stream, which outlives what nghttp2 sends of it.
  static func serverBody(_ stream: ServerStream) -> nghttp2_data_provider {
    let source = nghttp2_data_source(ptr: Unmanaged.passUnretained(stream).toOpaque())
    return nghttp2_data_provider(source: source) { _, _, buffer, count, flags, source, _ in
      let stream = Unmanaged<ServerStream>.fromOpaque(source!.pointee.ptr)
      let space = UnsafeMutableRawBufferPointer(start: buffer, count: count)
      return taken(stream._withUnsafeGuaranteedRef { $0.pull(space) }, flags!)
    }
  }

  static var clientBody: nghttp2_data_provider {
    nghttp2_data_provider(source: nghttp2_data_source(ptr: nil)) {
      _, stream, buffer, count, flags, _, user in
      let space = UnsafeMutableRawBufferPointer(start: buffer, count: count)
      let pulled = owner(user, HTTP2ClientConnection.self)._withUnsafeGuaranteedRef {
        $0.pull(stream, space)
      }
      return taken(pulled, flags!)
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
      let goAway = frame.pointee.goaway
      owner.goAwayReceived(
        code: goAway.error_code,
        saying: UnsafeRawBufferPointer(start: goAway.opaque_data, count: goAway.opaque_data_len))
    default: break
    }
  }
  return 0
}

private func sent(_ owner: HTTP2ServerConnection, _ frame: UnsafePointer<nghttp2_frame>) {
  let head = frame.pointee.hd
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
  if UInt32(head.flags) & NGHTTP2_FLAG_END_STREAM.rawValue != 0 { owner.endSent(head.stream_id) }
}

private func taken(_ pulled: HTTP2Pull, _ flags: UnsafeMutablePointer<UInt32>) -> Int {
  switch pulled {
  case .bytes(let count): return count
  case .later: return Int(NGHTTP2_ERR_DEFERRED.rawValue)
  case .end(let count, let trailers):
    flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue
    if trailers { flags.pointee |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue }
    return count
  }
}
