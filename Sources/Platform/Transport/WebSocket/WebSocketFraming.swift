internal import CWebSocket
internal import Glibc

/// Which end of the connection this is: clients mask what they send, servers refuse what is not
/// masked.
package enum WebSocketRole: Sendable, Hashable {
  case client
  case server
}

/// RFC 6455 framing over wslay, without a socket: bytes in and messages out, messages in and bytes
/// out. Pings are answered, close frames echoed, UTF-8 checked, fragments joined. Confined to one
/// loop.
final class WebSocketFraming {
  /// Complete messages that nobody has taken yet, in order.
  private(set) var inbox: ArraySlice<WebSocketMessage> = []
  /// The peer's close frame, once it came; 1005 when it carried no code.
  private(set) var peerClose: WebSocketClose?
  /// Set when wslay gives up on a frame that no peer may send; it says no code then, so we do.
  private var isBroken = false

  private var context: wslay_event_context_ptr?
  private let role: WebSocketRole
  private let inboxMax: Int
  private var input: [UInt8] = []
  private var inputStart = 0
  private var output: [UInt8] = []

  init(_ role: WebSocketRole, messageMax: Int, inboxMax: Int) {
    self.role = role
    self.inboxMax = inboxMax
    var callbacks = wslay_event_callbacks()
    callbacks.recv_callback = { context, buffer, count, _, framing in
      WebSocketFraming.from(framing).read(into: buffer!, count, context)
    }
    callbacks.send_callback = { _, bytes, count, _, framing in
      WebSocketFraming.from(framing).output.append(
        contentsOf: UnsafeBufferPointer(start: bytes, count: count))
      return count
    }
    callbacks.genmask_callback = { _, buffer, count, _ in
      // Unpredictable to whoever chose the payload (RFC 6455, 5.3).
      getrandom(buffer, count, 0) == count ? 0 : -1
    }
    callbacks.on_msg_recv_callback = { _, message, framing in
      WebSocketFraming.from(framing).take(message!.pointee)
    }
    let me = Unmanaged.passUnretained(self).toOpaque()
    let code =
      role == .server
      ? wslay_event_context_server_init(&context, &callbacks, me)
      : wslay_event_context_client_init(&context, &callbacks, me)
    precondition(code == 0, "no memory for a WebSocket")
    wslay_event_config_set_max_recv_msg_length(context, UInt64(messageMax))
  }

  deinit { wslay_event_context_free(context) }

  private static func from(_ pointer: UnsafeMutableRawPointer?) -> WebSocketFraming {
    Unmanaged<WebSocketFraming>.fromOpaque(pointer!).takeUnretainedValue()
  }

  // MARK: In

  func feed(_ bytes: UnsafeRawBufferPointer) {
    if inputStart == input.count {
      input.removeAll(keepingCapacity: input.count <= 64 * 1024)
      inputStart = 0
    }
    input.append(contentsOf: bytes)
  }

  /// Bytes that wait because the inbox is full.
  var isHeldBack: Bool { inputStart < input.count && inbox.count >= inboxMax }

  /// Turns bytes into messages, as far as they go and the inbox takes them.
  func process() {
    guard !isBroken else { return }
    guard wslay_event_recv(context) != 0 else { return }
    isBroken = true
    let mask: [UInt8] = role == .client ? [0, 0, 0, 0] : []
    output += [0x88, mask.isEmpty ? 0x02 : 0x82] + mask + [0x03, 0xea]
  }

  func popMessage() -> WebSocketMessage? {
    guard let message = inbox.popFirst() else { return nil }
    if inbox.isEmpty { inbox = [] }
    return message
  }

  private func read(
    into buffer: UnsafeMutablePointer<UInt8>, _ count: Int, _ context: wslay_event_context_ptr?
  ) -> Int {
    let available = min(count, input.count - inputStart)
    guard available > 0, inbox.count < inboxMax else {
      wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK.rawValue)
      return -1
    }
    input.withUnsafeBufferPointer {
      buffer.update(from: $0.baseAddress! + inputStart, count: available)
    }
    inputStart += available
    return available
  }

  private func take(_ message: wslay_event_on_msg_recv_arg) {
    let bytes = Array(UnsafeBufferPointer(start: message.msg, count: message.msg_length))
    switch UInt32(message.opcode) {
    case WSLAY_TEXT_FRAME.rawValue: inbox.append(WebSocketMessage(.text, bytes))
    case WSLAY_BINARY_FRAME.rawValue: inbox.append(WebSocketMessage(.binary, bytes))
    case WSLAY_CONNECTION_CLOSE.rawValue:
      peerClose =
        bytes.count < 2
        ? WebSocketClose(1005)
        : WebSocketClose(message.status_code, String(decoding: bytes[2...], as: UTF8.self))
    default: break
    }
  }

  // MARK: Out

  /// False when a close frame was queued before: nothing may follow it.
  func queue(_ kind: WebSocketMessage.Kind, _ bytes: [UInt8]) -> Bool {
    guard !isBroken else { return false }
    let opcode = kind == .text ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME
    return queue(UInt8(opcode.rawValue), bytes)
  }

  func queuePing() { _ = queue(UInt8(WSLAY_PING.rawValue), []) }

  func queueClose(_ close: WebSocketClose) {
    var reason = close.reason
    _ = reason.withUTF8 { wslay_event_queue_close(context, close.code, $0.baseAddress, $0.count) }
  }

  private func queue(_ opcode: UInt8, _ bytes: [UInt8]) -> Bool {
    bytes.withUnsafeBufferPointer { buffer in
      var message = wslay_event_msg()
      message.opcode = opcode
      message.msg = buffer.baseAddress
      message.msg_length = buffer.count
      return wslay_event_queue_msg(context, &message) == 0
    }
  }

  /// The frames of everything queued, including pongs and close frames of wslay's own.
  func takeOutput() -> [UInt8] {
    if !isBroken, wslay_event_want_write(context) != 0 {
      // It fails only when memory ends or a callback of ours fails, which none does.
      let code = wslay_event_send(context)
      precondition(code == 0, "wslay cannot send: \(code)")
    }
    defer { output = [] }
    return output
  }

  // MARK: End

  var closeWasSent: Bool { wslay_event_get_close_sent(context) != 0 }

  /// Set when wslay refused what the peer sent: 1002 (protocol), 1007 (not UTF-8), 1009 (too big).
  var failure: WebSocketClose? {
    if isBroken { return WebSocketClose(1002, "refused by this side") }
    guard peerClose == nil, closeWasSent, wslay_event_get_read_enabled(context) == 0 else {
      return nil
    }
    return WebSocketClose(wslay_event_get_status_code_sent(context), "refused by this side")
  }
}
