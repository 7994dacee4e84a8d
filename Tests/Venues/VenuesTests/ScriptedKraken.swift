import Bytes
import Chrono
import JSON
import Loop
import Security
import Synchronization
import Telemetry
import TestKit
import Transport
import Units
import Venue

@testable import Venues

/// A small Kraken on a loopback port: checks what a real one checks of a request (signature, nonce,
/// deadline), keeps orders, and tells of them on the private stream. One pair, BTC/USD.
final class ScriptedKraken: HTTPResponder {
  static let key = "key-of-alice"
  static let secret = Array("secret of alice".utf8)
  /// A market order fills at this price.
  static let price = "60000.0"

  enum Fault: Sendable {
    case status(Int)
    case errors([String])
    /// Done, but the answer says this status.
    case lostAnswer(Int)
  }

  struct Order: Sendable {
    var id: String
    var name: String
    var side: String
    var type: String
    var price: String
    var volume: String
    var filled: String
    var status: String
    var trades: [String]
    var fields: [String: String]
  }

  struct State: Sendable {
    var orders: [Order] = []
    var requests: [String] = []
    var nonces: [UInt64] = []
    var faults: [String: [Fault]] = [:]
    /// Results of calls that it does not know itself.
    var results: [String: String] = [:]
    var violations: [String] = []
    var skew = Duration.zero
    var tokens = 0
    var sequence: UInt64 = 0
    var streams: [WebSocket] = []
    var publicStreams: [WebSocket] = []
    var subscriptions: [String] = []
  }

  let state = Mutex(State())
  let snapshot: String

  init(snapshot: String) { self.snapshot = snapshot }

  var now: Instant { SystemTime().now + state.withLock { $0.skew } }

  func fail(_ call: String, _ fault: Fault) {
    state.withLock { $0.faults[call, default: []].append(fault) }
  }

  func answer(_ call: String, _ result: String) { state.withLock { $0.results[call] = result } }

  func respond(to request: HTTPRequest) async -> HTTPResponse {
    let path = String(request.path)
    if path == "/v2" {
      return .webSocket { [self] socket in await serve(socket) }
    }
    state.withLock { $0.requests.append(path) }
    switch path {
    case "/0/public/Time":
      return ok(#"{"unixtime":\#(now.seconds),"rfc1123":""}"#)
    case "/0/public/AssetPairs": return HTTPResponse(status: 200, json: Array(pairs.utf8))
    default: return answer(path, request)
    }
  }

  private var pairs: String {
    #"{"error":[],"result":{"XXBTZUSD":{"altname":"XBTUSD","wsname":"XBT/USD","base":"XXBT","#
      + #""quote":"ZUSD","pair_decimals":1,"lot_decimals":8,"ordermin":"0.00005","costmin":"0.5","#
      + #""tick_size":"0.1","status":"online","fees":[[0,0.40]],"fees_maker":[[0,0.25]]}}}"#
  }

  private func ok(_ result: String) -> HTTPResponse {
    HTTPResponse(status: 200, json: Array(#"{"error":[],"result":\#(result)}"#.utf8))
  }

  private func refuse(_ errors: [String]) -> HTTPResponse {
    let list = errors.map { #""\#($0)""# }.joined(separator: ",")
    return HTTPResponse(status: 200, json: Array(#"{"error":[\#(list)]}"#.utf8))
  }

  // MARK: Private calls

  private func answer(_ path: String, _ request: HTTPRequest) -> HTTPResponse {
    var fields: [String: String] = [:]
    for part in String(decoding: request.body, as: UTF8.self).split(separator: "&") {
      let sides = part.split(separator: "=", maxSplits: 1)
      fields[String(sides[0])] = percentDecoded(sides.count > 1 ? sides[1] : "") ?? ""
    }
    if let error = check(path, request, fields) { return refuse([error]) }
    let call = String(path.split(separator: "/").last ?? "")
    let fault = state.withLock { state -> Fault? in
      guard state.faults[call]?.isEmpty == false else { return nil }
      return state.faults[call]?.removeFirst()
    }
    switch fault {
    case .status(let status):
      return HTTPResponse(status: status, contentType: "text/html", body: "")
    case .errors(let errors): return refuse(errors)
    case .lostAnswer(let status):
      _ = carryOut(call, fields)
      return HTTPResponse(status: status, contentType: "text/html", body: "")
    case nil: return carryOut(call, fields)
    }
  }

  private func check(
    _ path: String, _ request: HTTPRequest, _ fields: [String: String]
  ) -> String? {
    guard let nonce = fields["nonce"].flatMap({ UInt64($0) }) else { return "EAPI:Invalid nonce" }
    let text = String(nonce) + String(decoding: request.body, as: UTF8.self)
    let tag = Digest.hmacSHA512(
      Array(path.utf8) + Digest.sha256(Array(text.utf8)), key: Self.secret)
    guard request.header("api-key") == Self.key,
      request.header("api-sign") == Base64.standard.encode(tag)
    else { return "EAPI:Invalid signature" }
    let isNew = state.withLock { state in
      if let last = state.nonces.last, nonce <= last { return false }
      state.nonces.append(nonce)
      return true
    }
    guard isNew else { return "EAPI:Invalid nonce" }
    if let text = fields["deadline"] {
      guard let deadline = Instant(rfc3339: text), deadline > now, deadline < now + .seconds(60)
      else { return "EService:Deadline elapsed" }
    }
    return nil
  }

  private func carryOut(_ call: String, _ fields: [String: String]) -> HTTPResponse {
    switch call {
    case "AddOrder": return add(fields)
    case "CancelOrder": return cancel(fields)
    case "OpenOrders": return ok(#"{"open":\#(list(fields) { $0.status == "open" })}"#)
    case "ClosedOrders": return ok(#"{"closed":\#(list(fields) { $0.status != "open" })}"#)
    case "QueryOrders": return ok(list(fields) { $0.id == fields["txid"] })
    case "BalanceEx":
      return ok(
        #"{"ZUSD":{"balance":"1000.5000","hold_trade":"250.5000"},"#
          + #""XXBT":{"balance":"1.2435000000","hold_trade":"0.0000000000"}}"#)
    case "GetWebSocketsToken":
      let number = state.withLock { state in
        state.tokens += 1
        return state.tokens
      }
      return ok(#"{"token":"token-\#(number)","expires":900}"#)
    default:
      if let result = state.withLock({ $0.results[call] }) { return ok(result) }
      return refuse(["EGeneral:Unknown method"])
    }
  }

  private func add(_ fields: [String: String]) -> HTTPResponse {
    guard fields["volume"] != "100.00000000" else { return refuse(["EOrder:Insufficient funds"]) }
    let isMarket = fields["ordertype"] == "market"
    let order = state.withLock { state in
      let number = state.orders.count + 1
      let order = Order(
        id: "OAAAAA-BBBBB-00000\(number)", name: fields["cl_ord_id"] ?? "",
        side: fields["type"] ?? "", type: fields["ordertype"] ?? "",
        price: fields["price"] ?? Self.price, volume: fields["volume"] ?? "0",
        filled: isMarket ? fields["volume"] ?? "0" : "0.00000000",
        status: isMarket ? "closed" : "open",
        trades: isMarket ? ["TAAAAA-BBBBB-00000\(number)"] : [],
        fields: fields)
      state.orders.append(order)
      return order
    }
    tell(pending(order))
    tell(row(order.id, "new", "new"))
    if isMarket {
      tell(
        #"{"order_id":"\#(order.id)","exec_type":"trade","order_status":"filled","#
          + #""exec_id":"\#(order.trades[0])","trade_id":7,"last_qty":\#(order.volume),"#
          + #""last_price":\#(Self.price),"liquidity_ind":"t","cum_qty":\#(order.volume),"#
          + #""fees":[{"asset":"USD","qty":2.40000}],"timestamp":"\#(now.rfc3339)"}"#)
    }
    return ok(#"{"descr":{"order":""},"txid":["\#(order.id)"]}"#)
  }

  private func cancel(_ fields: [String: String]) -> HTTPResponse {
    let order = state.withLock { state -> Order? in
      let place = state.orders.firstIndex { order in
        order.status == "open"
          && (order.id == fields["txid"]
            || (order.name == fields["cl_ord_id"] && !order.name.isEmpty))
      }
      guard let place else { return nil }
      state.orders[place].status = "canceled"
      return state.orders[place]
    }
    guard let order else { return refuse(["EOrder:Unknown order"]) }
    tell(row(order.id, "canceled", "canceled", #","reason":"User requested","cum_qty":0.00000000"#))
    return ok(#"{"count":1}"#)
  }

  private func list(
    _ fields: [String: String], _ isWanted: (Order) -> Bool
  ) -> String {
    let rows = state.withLock { $0.orders }.filter { order in
      isWanted(order) && (fields["cl_ord_id"] == nil || order.name == fields["cl_ord_id"])
    }.map { order in
      #""\#(order.id)":{"status":"\#(order.status)","opentm":1790000000.1234,"#
        + #""cl_ord_id":"\#(order.name)","descr":{"pair":"XBTUSD","type":"\#(order.side)","#
        + #""ordertype":"\#(order.type)","price":"\#(order.price)"},"vol":"\#(order.volume)","#
        + #""vol_exec":"\#(order.filled)","trades":[\#(order.trades.map { "\"\($0)\"" }.joined())]}"#
    }
    return "{\(rows.joined(separator: ","))}"
  }
}
