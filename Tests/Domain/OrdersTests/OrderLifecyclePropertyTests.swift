import Chrono
import Orders
import Seeds
import Testing
import Units
import Venue

/// Random events in random order, most of them nonsense: whatever comes, the invariants hold.
@Suite struct `Order lifecycle under random events` {
  @Test(arguments: UInt64(1)...40)
  func `OMS-02 OMS-06 OMS-14 quantity is conserved, ends absorb, faults change nothing`(
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
    var log = OrderEventLog(limitOrder())
    var executions: [String: Notional] = [:]
    if Bool.random(using: &random) { _ = try log.append(.accepted, at: start) }
    for step in 0..<count {
      let before = log
      let event = randomEvent(&random)
      do {
        let effect = try log.append(event, at: start)
        if case .ignored = effect { #expect(log == before, "seed \(seed)") }
        if case .applied = effect, case .filled(let fill, _) = event {
          #expect(executions[fill.executionID] == nil, "seed \(seed) step \(step)")
          executions[fill.executionID] = fill.price * fill.quantity
        }
      } catch {
        #expect(log == before, "seed \(seed) step \(step): a fault changed the order")
      }
      try check(
        before: before.lifecycle, after: log.lifecycle, executions, "seed \(seed) step \(step)")
    }
    var restored = OrderEventLog(limitOrder())
    for record in log.records { try restored.restore(record) }
    #expect(restored == log, "seed \(seed): the records make another order")
  }

  private func check(
    before: OrderLifecycle, after: OrderLifecycle, _ executions: [String: Notional],
    _ place: Comment
  ) throws {
    if before.isTerminal { #expect(after.status == before.status, place) }
    #expect(after.filledQuantity >= before.filledQuantity, place)
    #expect(after.filledNotional == executions.values.reduce(.zero, +), place)
    #expect(after.openQuantity >= .zero && after.releasedQuantity >= .zero, place)
    if after.isTerminal {
      #expect(
        after.filledQuantity + after.openQuantity + after.releasedQuantity == after.terms.quantity,
        place)
    } else {
      let most = max(after.terms.quantity, after.pendingTerms?.quantity ?? .zero)
      #expect(after.filledQuantity + after.openQuantity == most, place)
      #expect(after.openQuantity > .zero, place)
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
    switch Int.random(in: 0..<20, using: &random) {
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
    case 13: return .resolved(randomTruth(&random, id: id, terms: terms))
    default:
      return filled(
        "E\(Int.random(in: 0..<12, using: &random))", quantity,
        at: Int64.random(in: 0...3, using: &random) * 25_000, total: total)
    }
  }

  private func randomTruth(
    _ random: inout SeededGenerator, id: String, terms: OrderTerms
  ) -> VenueTruth {
    let total = Quantity(Int64.random(in: 0...120, using: &random))
    switch Int.random(in: 0..<6, using: &random) {
    case 0:
      return .open(
        venueOrderID: id, terms: Bool.random(using: &random) ? terms : nil, filled: total)
    case 1: return .filled(venueOrderID: id, filled: Quantity(100))
    case 2: return .cancelled(filled: total)
    case 3: return .expired(filled: total)
    case 4: return .rejected(.venuePolicy, text: "")
    default: return .absent
    }
  }
}
