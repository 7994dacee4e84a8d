import Bytes
import Execution
import Journal
import Orders
import ServiceKit
import Tables
import TestKit
import Testing
import Units
import Venue

@testable import ExecutionRouterService

@Suite struct `Snapshots of the routing ledger` {
  private let config = Config.defaults

  @Test func `REC-02 at any record a snapshot goes on as the routing journal does`() throws {
    let records = try keptRecords("execution-router-2026-11")
    var whole = RoutingState(config)
    for record in records { try whole.fold(record) }

    for count in 0...records.count {
      var state = RoutingState(config)
      for record in records[0..<count] { try state.fold(record) }
      var restored = RoutingState(config)
      for piece in state.snapshotPieces { try restored.read(piece) }
      #expect(restored.ledger.orders == state.ledger.orders, "after record \(count)")
      #expect(restored.ledger.open == state.ledger.open, "after record \(count)")
      #expect(restored.owed == state.owed, "after record \(count)")

      for record in records[count...] { try restored.fold(record) }
      #expect(restored.snapshotPieces == whole.snapshotPieces, "after record \(count)")
    }
    #expect(whole.ledger.orders.count >= 15)
  }

  @Test func `REC-02 what a routed order can be comes back as it was`() throws {
    let terms = OrderTerms(price: Price(6), quantity: Quantity(10))
    let parent = ParentOrder(
      id: OrderID(7), instrument: InstrumentID(0), side: .sell, type: .limit, timeInForce: .gtc,
      terms: terms)
    let stages: [ChildLifecycle.Stage] = [
      .intended, .acknowledged, .unknown, .ending(.cancelled, total: Quantity(3)),
      .ended(.expired),
    ]
    for (index, stage) in stages.enumerated() {
      let isOdd = index % 2 == 1
      let child = ChildLifecycle.Memento(
        sequence: 1, terms: terms,
        amendment: isOdd ? .init(version: 4, terms: terms, isDoubted: true) : nil, stage: stage,
        venueOrderID: isOdd ? "" : "v", filled: Quantity(2), venueFilled: Quantity(5),
        disputes: isOdd ? ["a", "b"] : [], isUnwanted: isOdd, isDenied: !isOdd,
        isCancelUnderWay: isOdd,
        rejection: isOdd ? .init(reason: nil, text: "why") : .init(reason: .minSize, text: ""),
        executions: ["y", "x"])
      let memento = RoutedOrder.Memento(
        parent: parent, terms: OrderTerms(price: nil, quantity: Quantity(1)), children: [child],
        filled: Quantity(2), isCancelRequested: isOdd,
        replacement: isOdd ? nil : .init(version: 9, terms: terms), lastReplaceVersion: 11,
        isDone: isOdd, isReopened: !isOdd, hasFilledSince: isOdd)
      let order = try #require(RoutedOrder(memento))
      #expect(order.memento == memento)
      var bytes = ByteWriter()
      RoutingSnapshot.write(memento, &bytes)
      var reader = ByteReader(bytes.bytes)
      let again = try RoutingSnapshot.Piece.order(&reader)
      #expect(again == order && reader.isAtEnd)
    }
  }

  @Test func `REC-02 damaged pieces of a ledger never trap`() throws {
    var state = RoutingState(config)
    for record in try keptRecords("execution-router-2026-11") { try state.fold(record) }
    var refused = 0
    for piece in state.snapshotPieces {
      for place in piece.indices {
        for damaged in [piece.flipped(at: place), Array(piece[..<place])] {
          var taken = RoutingState(config)
          do { try taken.read(damaged) } catch { refused += 1 }
        }
      }
    }
    #expect(refused > 0)
  }
}

extension [UInt8] {
  fileprivate func flipped(at place: Int) -> [UInt8] {
    var bytes = self
    bytes[place] ^= 0x80
    return bytes
  }
}
