internal import JSON
internal import Transport

/// One client's WebSocket and what it listens to. Confined to the simulator's loop.
final class StreamSession {
  let socket: WebSocket
  /// Stream names as the client wrote them, in order.
  private(set) var names: [String] = []
  private(set) var keys: Set<StreamKey> = []
  /// Private streams by account, with the listen key that names them.
  private(set) var accounts: [Int: String] = [:]
  private(set) var isCombined: Bool

  /// Streams of one connection, as documented.
  static let streamsMax = 1_024

  init(_ socket: WebSocket, isCombined: Bool) {
    self.socket = socket
    self.isCombined = isCombined
  }

  func subscribe(_ name: String, _ resolve: StreamResolver) {
    guard !names.contains(name), names.count < Self.streamsMax else { return }
    names.append(name)
    switch resolve(name) {
    case .market(let key): keys.insert(key)
    case .account(let index): accounts[index] = name
    // As at the exchange: nothing ever comes on a stream that does not exist.
    case nil: break
    }
  }

  func unsubscribe(_ name: String, _ resolve: StreamResolver) {
    names.removeAll { $0 == name }
    switch resolve(name) {
    case .market(let key): keys.remove(key)
    case .account(let index): accounts[index] = nil
    case nil: break
    }
  }

  func listens(to message: ExchangeMessage) -> Bool {
    switch message {
    case .market(let key, _): keys.contains(key)
    case .account(let index, _): accounts[index] != nil
    }
  }

  /// The message as it goes over this connection.
  func text(_ message: ExchangeMessage, _ name: (StreamKey) -> String) -> [UInt8] {
    switch message {
    case .market(let key, let payload):
      return isCombined ? wrapped(payload, stream: name(key)) : payload
    case .account(let index, let payload):
      return isCombined ? wrapped(payload, stream: accounts[index] ?? "") : payload
    }
  }

  private func wrapped(_ payload: [UInt8], stream: String) -> [UInt8] {
    var json = JSONWriter(reserving: payload.count + 64)
    json.object { json in
      json.member("stream", stream)
      json.name("data")
      json.raw(payload)
    }
    return json.finished()
  }

  // MARK: Requests over the socket

  /// The answer to SUBSCRIBE and its kin.
  func answer(_ message: [UInt8], _ resolve: StreamResolver) -> [UInt8] {
    let document: JSONDocument
    do throws(JSONError) {
      document = try JSONDocument(parsing: message)
    } catch {
      return Self.error(3, "Invalid JSON: \(error)", id: nil)
    }
    let id = document["id"]
    guard let method = document["method"]?.string else {
      return Self.error(2, "Invalid request: missing field `method`", id: id)
    }
    let parameters = document["params"]?.array
    switch method {
    case "SUBSCRIBE":
      for name in parameters?.compactMap(\.string) ?? [] { subscribe(name, resolve) }
      return Self.result(id) { $0.null() }
    case "UNSUBSCRIBE":
      for name in parameters?.compactMap(\.string) ?? [] { unsubscribe(name, resolve) }
      return Self.result(id) { $0.null() }
    case "LIST_SUBSCRIPTIONS":
      return Self.result(id) { json in
        json.array { json in for name in names { json.string(name) } }
      }
    case "SET_PROPERTY":
      guard parameters?[0]?.string == "combined", let flag = parameters?[1]?.bool else {
        return Self.error(0, "Unknown property", id: id)
      }
      isCombined = flag
      return Self.result(id) { $0.null() }
    case "GET_PROPERTY":
      return Self.result(id) { $0.bool(isCombined) }
    default:
      return Self.error(2, "Invalid request: unknown variant \(method)", id: id)
    }
  }

  private static func result(
    _ id: JSONValue?, _ value: (inout JSONWriter) -> Void
  ) -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
      json.name("result")
      value(&json)
      json.name("id")
      if let id { json.value(id) } else { json.null() }
    }
    return json.finished()
  }

  private static func error(_ code: Int, _ text: String, id: JSONValue?) -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
      json.member("code", code)
      json.member("msg", text)
      json.name("id")
      if let id { json.value(id) } else { json.null() }
    }
    return json.finished()
  }
}

/// What a stream's name leads to.
enum StreamTarget {
  case market(StreamKey)
  case account(Int)
}

typealias StreamResolver = (String) -> StreamTarget?
