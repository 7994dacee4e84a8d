import Chrono
import JSON
import Synchronization
import Transport

/// The two streams; which of them a socket is, its first subscription says.
extension ScriptedKraken {
  func serve(_ socket: WebSocket) async {
    do throws(WebSocketError) {
      while let message = try await socket.receive() { answer(message.bytes, socket) }
    } catch {
      // The client has gone.
    }
    state.withLock { state in
      state.streams.removeAll { $0 === socket }
      state.publicStreams.removeAll { $0 === socket }
    }
  }

  private func answer(_ bytes: [UInt8], _ socket: WebSocket) {
    let text = String(decoding: bytes, as: UTF8.self)
    guard let request = try? JSONDocument(parsing: text).root,
      let channel = request["params"]?["channel"]?.string
    else { return }
    state.withLock { $0.subscriptions.append(text) }
    send(socket, KrakenText.acknowledgement(text, at: now))
    switch channel {
    case "executions": subscribe(socket, token: request["params"]?["token"]?.string ?? "")
    case "balances":
      send(
        socket,
        #"{"channel":"balances","type":"snapshot","data":[{"asset":"BTC","balance":1.2}],"#
          + #""sequence":1}"#)
    case "book":
      state.withLock { $0.publicStreams.append(socket) }
      if request["method"]?.string == "subscribe" { send(socket, snapshot) }
    default: break
    }
  }

  private func subscribe(_ socket: WebSocket, token: String) {
    let open = state.withLock { state -> [Order] in
      if token != "token-\(state.tokens)" { state.violations.append("the token \(token)") }
      state.sequence = 1
      state.streams = [socket]
      return state.orders.filter { $0.status == "open" }
    }
    let rows = open.map { pending($0, status: "new") }.joined(separator: ",")
    send(socket, #"{"channel":"executions","type":"snapshot","data":[\#(rows)],"sequence":1}"#)
  }

  private func send(_ socket: WebSocket, _ text: String) {
    if !socket.trySend(.text, Array(text.utf8)) {
      state.withLock { $0.violations.append("a full socket") }
    }
  }

  func pending(_ order: Order, status: String = "pending_new") -> String {
    #"{"order_id":"\#(order.id)","symbol":"BTC/USD","cl_ord_id":"\#(order.name)","#
      + #""exec_type":"\#(status)","order_status":"\#(status)","side":"\#(order.side)","#
      + #""order_qty":\#(order.volume),"timestamp":"\#(now.rfc3339)"}"#
  }

  /// A later message: it has neither the pair nor our name of the order.
  func row(_ id: String, _ kind: String, _ status: String, _ more: String = "") -> String {
    #"{"order_id":"\#(id)","exec_type":"\#(kind)","order_status":"\#(status)""#
      + #","timestamp":"\#(now.rfc3339)"\#(more)}"#
  }

  func tell(_ row: String) {
    let (sequence, streams) = state.withLock { state in
      state.sequence += 1
      return (state.sequence, state.streams)
    }
    for socket in streams {
      send(
        socket,
        #"{"channel":"executions","type":"update","data":[\#(row)],"sequence":\#(sequence)}"#)
    }
  }

  func tellPublic(_ text: String) {
    for socket in state.withLock({ $0.publicStreams }) { send(socket, text) }
  }

  func skipSequence() { state.withLock { $0.sequence += 1 } }
}
