import Bytes
import Chrono
import Contracts
import Foundation
import Journal
import Orders
import ServiceKit
import Synchronization
import TestKit
import Testing
import Units
import Venue

@testable import OMSService

/// Pieces in memory.
final class SnapshotPieces: SnapshotSink {
  private(set) var pieces: [[UInt8]] = []

  func write(_ piece: [UInt8]) throws(JournalError) { pieces.append(piece) }
}

extension JournaledState {
  /// A state's pieces in an order of their own: that of dictionaries means nothing.
  var snapshotPieces: [[UInt8]] {
    let sink = SnapshotPieces()
    try! write(to: sink)
    return sink.pieces
  }
}

@Suite struct `Snapshots of orders` {
  private let config = Config.defaults

  @Test func `REC-02 at any record a snapshot goes on as the journal does`() throws {
    let records = try keptRecords("oms-2026-11")
    var whole = OrderState(config)
    for record in records { try whole.fold(record) }

    for count in 0...records.count {
      var state = OrderState(config)
      for record in records[0..<count] { try state.fold(record) }
      var restored = OrderState(config)
      for piece in state.snapshotPieces { try restored.read(piece) }
      #expect(restored.snapshotPieces == state.snapshotPieces, "after record \(count)")

      for record in records[count...] { try restored.fold(record) }
      #expect(restored.snapshotPieces == whole.snapshotPieces, "after record \(count)")
    }
    #expect(whole.rows.count >= 15)
  }

  @Test
  func `REC-02 the next order is named after the newest ever, also when that has left memory`()
    throws
  {
    let flag = try SettingsSources.Flag(parsing: "oms.orders_kept_max=1000")
    let small = try LoadedSettings<Config>(
      OMS.name, from: SettingsSources(flags: [flag]), sections: []
    ).config
    var state = OrderState(small)
    var sequence: UInt64 = 1
    func apply(_ change: OrderChange) throws {
      _ = try state.apply(change, at: sequence)
      sequence += 1
    }
    try apply(.instrument(bitcoin()))
    let count: UInt64 = 1_001
    for number in 1...count {
      let order = Order(
        id: OrderID(number), clientOrderID: "c-\(number)", account: "main", strategy: "",
        instrument: InstrumentID(0), side: .buy, type: .limit, timeInForce: .gtc,
        price: Price(1), quantity: Quantity(1), createdTime: .epoch)
      try apply(.accepted(order, createdBy: "", routerInstance: 0))
    }
    // The newest ends first, and so leaves first.
    for number in (1...count).reversed() {
      try apply(.event(OrderID(number), .rejected(.minSize, text: ""), .epoch, report: .start))
    }
    // What has just closed may yet hear the last of its venue.
    state.evict(recorded: sequence, now: Instant(nanoseconds: 9_999_999_999), atMost: 10)
    #expect(state.rows.count == Int(count))
    state.evict(recorded: sequence, now: Instant(nanoseconds: 10_000_000_000), atMost: 10)
    #expect(state.rows.count == Int(count) - 1 && state[OrderID(count)] == nil)

    var restored = OrderState(small)
    for piece in state.snapshotPieces { try restored.read(piece) }
    #expect(restored.lastID == OrderID(count))
    let key = ClientKey(account: "main", clientOrderID: "c-\(count)")
    #expect(restored.clients[key] == OrderID(count))
  }

  @Test func `REC-02 what an order can be comes back as it was`() throws {
    let order = Order(
      id: OrderID(7), clientOrderID: "c-ü", account: "main", strategy: "s",
      instrument: InstrumentID(0), side: .sell, type: .limit, timeInForce: .postOnly,
      price: Price(5), quantity: Quantity(9), createdTime: Instant(nanoseconds: 4))
    let phases: [OrderLifecycle.Memento.Phase] = [
      .live(
        progress: 0, cancelReason: nil, replacement: nil, replacementVersion: 0, doubt: nil),
      .live(
        progress: 3, cancelReason: "", replacement: OrderTerms(price: nil, quantity: Quantity(3)),
        replacementVersion: 9, doubt: "silence"),
      .closed(.filled), .closed(.expired), .closed(.cancelled(text: "by hand")),
      .closed(.rejected(.minSize, text: "")),
    ]
    for phase in phases {
      let memento = OrderLifecycle.Memento(
        order: order, terms: OrderTerms(price: Price(6), quantity: Quantity(10)),
        venueOrderID: "v", filledQuantity: Quantity(2), filledNotional: Notional(-1 << 90),
        venueFilled: Quantity(4), sequence: 11, updatedTime: Instant(nanoseconds: -5),
        setAsideCount: 2, executions: ["b", "a"], phase: phase)
      let lifecycle = try #require(OrderLifecycle(memento))
      #expect(lifecycle.memento == memento)
      var bytes = ByteWriter()
      OrderSnapshot.write(OrderRow(lifecycle, createdBy: "ada", routerInstance: 5), &bytes)
      var reader = ByteReader(bytes.bytes)
      let row = try OrderSnapshot.Piece.row(&reader)
      #expect(row.lifecycle == lifecycle && row.createdBy == "ada" && reader.isAtEnd)
      #expect(row.routerInstance == 5)
    }
  }

  @Test func `REC-02 bytes that are no snapshot are refused and never trap`() throws {
    var state = OrderState(config)
    for record in try keptRecords("oms-2026-11") { try state.fold(record) }
    for piece in state.snapshotPieces {
      for place in piece.indices {
        for bit in [0x01, 0x80] as [UInt8] {
          var damaged = piece
          damaged[place] ^= bit
          var taken = OrderState(config)
          do { try taken.read(damaged) } catch { continue }
        }
        var taken = OrderState(config)
        do { try taken.read(Array(piece[..<place])) } catch { continue }
      }
    }
  }
}
