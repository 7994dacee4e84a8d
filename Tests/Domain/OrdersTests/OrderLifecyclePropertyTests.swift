import Chrono
import Orders
import Seeds
import Testing
import Units
import Venue

/// Random events in random order, most of them nonsense: whatever comes, the invariants hold.
@Suite struct `Order lifecycle under random events` {
  @Test(arguments: UInt64(1)...40)
  func `OMS-02 OMS-06 OMS-14 quantity is conserved, ends absorb, every word of the venue is kept`(
    seed: UInt64
  ) throws {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<50 {
      try live(through: 60, &random, seed: seed)
    }
  }

  private func live(
    through count: Int, _ random: inout SeededGenerator, seed: UInt64
  ) throws {
    var order = OrderLifecycle(limitOrder())
    var kept: [OrderEvent] = []
    var executions: [String: Notional] = [:]
    if Bool.random(using: &random) {
      _ = try order.apply(.accepted, at: start)
      kept.append(.accepted)
    }
    for step in 0..<count {
      let place = Comment(rawValue: "seed \(seed) step \(step)")
      let asked = randomEvent(&random)
      let before = order
      do {
        let decided = try order.decide(asked)
        for event in decided {
          guard case .applied = try order.apply(event, at: start) else {
            Issue.record("\(event) was decided and changes nothing, \(place)")
            continue
          }
          kept.append(event)
        }
        if decided.isEmpty { #expect(try isKnown(asked, before), place) }
        if case .filled(let fill, _) = asked, decided.contains(asked) {
          #expect(executions[fill.executionID] == nil, place)
          executions[fill.executionID] = fill.price * fill.quantity
        }
      } catch {
        #expect(order == before, "\(place): a fault changed the order")
        #expect(isOurs(asked) || kept.isEmpty, "\(place): \(asked) is the venue's: \(error)")
      }
      check(before: before, after: order, asked, executions, place)
    }
    var again = OrderLifecycle(limitOrder())
    for event in kept { _ = try again.apply(event, at: start) }
    #expect(again == order, "seed \(seed): the events make another order")
  }

  /// A fault is the answer to a request only.
  private func isOurs(_ event: OrderEvent) -> Bool {
    event.kind == .replaceRequested || event.kind == .cancelRequested
  }

  /// What comes to nothing repeats what is known, or answers what was not asked.
  private func isKnown(_ event: OrderEvent, _ order: OrderLifecycle) throws -> Bool {
    var same = order
    guard case .ignored = try same.apply(event, at: start) else { return false }
    return same == order
  }

  private func check(
    before: OrderLifecycle, after: OrderLifecycle, _ event: OrderEvent,
    _ executions: [String: Notional], _ place: Comment
  ) {
    if before.isTerminal, event.kind != .reappeared {
      #expect(after.status == before.status, place)
    }
    #expect(after.filledQuantity >= before.filledQuantity, place)
    #expect(after.filledNotional == executions.values.reduce(.zero, +), place)
    #expect(after.openQuantity >= .zero && after.releasedQuantity >= .zero, place)
    let parts = after.filledQuantity + after.openQuantity + after.releasedQuantity
    if after.isTerminal {
      #expect(parts == after.terms.quantity + after.overfilledQuantity, place)
    } else {
      let most = max(after.terms.quantity, after.pendingTerms?.quantity ?? .zero)
      #expect(parts == most + after.overfilledQuantity, place)
    }
    if after.status == .unknown { #expect(after.doubt != nil, place) }
  }

  private func randomEvent(_ random: inout SeededGenerator) -> OrderEvent {
    let quantity = Int64.random(in: -2...40, using: &random)
    let total: Int64? =
      Bool.random(using: &random) ? Int64.random(in: -5...130, using: &random) : nil
    let venueFilled = total.map { Quantity($0) }
    let id = ["V1", "V1", "V1", "V2"].randomElement(using: &random)!
    let terms = OrderTerms(
      price: Price(Int64.random(in: -1...3, using: &random) * 50_000),
      quantity: Quantity(Int64.random(in: -10...200, using: &random)))
    switch Int.random(in: 0..<21, using: &random) {
    case 0: return .accepted
    case 1: return .sentToVenue
    case 2, 3: return .venueAcknowledged(venueOrderID: id)
    case 4: return .cancelRequested(reason: "user")
    case 5: return .cancelled(venueFilled: venueFilled)
    case 6: return .cancelRejected(.venuePolicy, text: "")
    case 7: return .replaceRequested(terms)
    case 8: return .replaced(venueOrderID: Bool.random(using: &random) ? id : nil)
    case 9: return .replaceRejected(.venuePolicy, text: "")
    case 10: return .rejected(.rateLimit, text: "")
    case 11: return .expired(venueFilled: venueFilled)
    case 12: return .becameUnknown(reason: "timeout")
    case 13:
      return .reappeared(
        OrderTerms(price: Price(50_000), quantity: Quantity(quantity + 100)), venueOrderID: id)
    case 14: return .setAside("what does not fit")
    default:
      return filled(
        "E\(Int.random(in: 0..<12, using: &random))",
        Bool.random(using: &random) ? quantity : [Int64.max, .min].randomElement(using: &random)!,
        at: Int64.random(in: 0...3, using: &random) * 25_000, total: total)
    }
  }
}
