internal import Chrono
internal import JSON
internal import Venue

/// What is done with orders, by REST and by the private WebSocket.
enum OKXOperation: String {
  case place = "order"
  case amend = "amend-order"
  case cancel = "cancel-order"
  case placeAlgo = "order-algo"
  case amendAlgo = "amend-algos"
  case cancelAlgo = "cancel-algos"

  /// Batches are lists of the same.
  init?(rest name: String) {
    switch name {
    case "order", "batch-orders": self = .place
    case "amend-order", "amend-batch-orders": self = .amend
    case "cancel-order", "cancel-batch-orders": self = .cancel
    default:
      guard let algo = Self(rawValue: name) else { return nil }
      self = algo
    }
  }

  /// Algo orders are by REST only.
  var isAlgo: Bool {
    switch self {
    case .place, .amend, .cancel: false
    case .placeAlgo, .amendAlgo, .cancelAlgo: true
    }
  }
}

extension SimulatedVenue {
  /// Each order of the list has a code of its own; the whole has 0 when all went well, 1 when all
  /// failed, 2 when some did. Also says whether the answer must get lost.
  mutating func okxTrade(
    _ operation: OKXOperation, _ list: [JSONValue], _ account: Int, now: Instant,
    envelope: (Int, String, (inout JSONWriter) -> Void) -> [UInt8]
  ) -> (body: [UInt8], isLost: Bool) {
    if faults.takes(.internalError) {
      return (envelope(50_026, "System error. Please try again later.") { _ in }, false)
    }
    var results: [(order: PrivateOrder?, name: String, error: OKXError?)] = []
    for fields in list {
      let name = fields[operation.isAlgo ? "algoClOrdId" : "clOrdId"]?.string ?? ""
      do throws(OKXError) {
        results.append((try okxCarryOut(operation, fields, account), name, nil))
      } catch {
        results.append((nil, name, error))
      }
    }
    if faults.takes(.statusUnknown) {
      return (envelope(50_004, "API endpoint request timeout.") { _ in }, false)
    }
    let failures = results.count { $0.error != nil }
    let code = failures == 0 ? 0 : failures == results.count ? 1 : 2
    let body = envelope(code, code == 0 ? "" : "Operation failed.") { json in
      for result in results {
        json.object { json in
          json.member(
            operation.isAlgo ? "algoId" : "ordId", result.order.map { String($0.id) } ?? "")
          json.member(
            operation.isAlgo ? "algoClOrdId" : "clOrdId",
            result.order?.clientOrderID ?? result.name)
          json.member("ts", String(venueTime(now).milliseconds))
          json.member("sCode", String(result.error?.code ?? 0))
          json.member("sMsg", result.error?.message ?? "")
        }
      }
    }
    return (body, faults.takes(.lostAcknowledgement))
  }

  private mutating func okxCarryOut(
    _ operation: OKXOperation, _ fields: JSONValue, _ account: Int
  ) throws(OKXError) -> PrivateOrder {
    switch operation {
    case .placeAlgo: return try exchange.okxPlaceAlgo(fields, account)
    case .amendAlgo: return try exchange.okxAmendAlgo(fields, account)
    case .cancelAlgo: return try exchange.okxCancelAlgo(fields, account)
    case .place: return try exchange.okxPlace(fields, account)
    case .amend: return try exchange.okxAmend(fields, account)
    case .cancel:
      guard let order = try exchange.okxOrder(fields, account) else { throw .orderGone }
      beforeCancel(order)
      do throws(Refusal) {
        return try exchange.withdraw(order, by: "")
      } catch {
        throw OKXError(error)
      }
    }
  }
}
