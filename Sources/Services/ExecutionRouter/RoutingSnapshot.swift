internal import Bytes
internal import Calls
internal import Contracts
internal import Execution
internal import Journal
internal import Orders
internal import Tables
internal import Translation
internal import Units
internal import Venue
internal import Wire

/// Pieces of a snapshot of the routing ledger; the first byte of each says what it holds.
enum RoutingSnapshot {
  enum Piece {
    case instrument(MarketV1.Instrument)
    case owed([ExecutionV1.ExecutionReport])
    case orders([RoutedOrder])
    case done([OrderID])
  }

  private enum Kind: UInt8 {
    case instrument = 1
    case owed, orders, done
  }

  private static let pieceSize = 256

  // MARK: Out

  static func write(
    _ state: RoutingState, done: ArraySlice<OrderID>, to snapshot: some SnapshotSink
  ) throws(JournalError) {
    for told in state.instruments.told {
      try snapshot.write([Kind.instrument.rawValue] + told.encoded())
    }
    var owed = ByteWriter()
    owed.write(Kind.owed.rawValue)
    owed.write(UInt32(state.owed.count))
    for report in state.owed { owed.writeCounted(report.encoded()) }
    try snapshot.write(owed.bytes)
    let ids = state.ledger.orders.keys.sorted()
    for start in stride(from: 0, to: ids.count, by: pieceSize) {
      let some = ids[start..<min(start + pieceSize, ids.count)].compactMap {
        state.ledger.orders[$0]
      }
      var bytes = ByteWriter(capacity: some.count * 256)
      bytes.write(Kind.orders.rawValue)
      bytes.write(UInt32(some.count))
      for order in some { write(order.memento, &bytes) }
      try snapshot.write(bytes.bytes)
    }
    var bytes = ByteWriter(capacity: done.count * 8)
    bytes.write(Kind.done.rawValue)
    bytes.write(UInt32(done.count))
    for id in done { bytes.write(id.raw) }
    try snapshot.write(bytes.bytes)
  }

  static func write(_ order: RoutedOrder.Memento, _ bytes: inout ByteWriter) {
    let parent = order.parent
    bytes.write(parent.id.raw)
    bytes.write(parent.instrument.index)
    bytes.write(parent.side.rawValue)
    bytes.write(parent.type.rawValue)
    bytes.write(parent.timeInForce.rawValue)
    bytes.write(parent.terms)
    bytes.write(order.terms)
    bytes.write(order.filled.raw)
    bytes.write(order.isCancelRequested)
    bytes.write(order.replacement != nil)
    if let replacement = order.replacement {
      bytes.write(replacement.version)
      bytes.write(replacement.terms)
    }
    bytes.write(order.lastReplaceVersion)
    bytes.write(order.isDone)
    bytes.write(order.isReopened)
    bytes.write(order.hasFilledSince)
    bytes.write(UInt32(order.children.count))
    for child in order.children { write(child, &bytes) }
  }

  private static func write(_ child: ChildLifecycle.Memento, _ bytes: inout ByteWriter) {
    bytes.write(child.sequence)
    bytes.write(child.terms)
    bytes.write(child.amendment != nil)
    if let amendment = child.amendment {
      bytes.write(amendment.version)
      bytes.write(amendment.terms)
      bytes.write(amendment.isDoubted)
    }
    write(child.stage, &bytes)
    bytes.write(child.venueOrderID)
    bytes.write(child.filled.raw)
    bytes.write(child.venueFilled.raw)
    bytes.write(UInt32(child.disputes.count))
    for dispute in child.disputes { bytes.write(dispute) }
    bytes.write(child.isUnwanted)
    bytes.write(child.isDenied)
    bytes.write(child.isCancelUnderWay)
    bytes.write(child.rejection != nil)
    if let rejection = child.rejection {
      bytes.write(rejection.reason)
      bytes.write(rejection.text)
    }
    bytes.write(child.executions)
  }

  private static func write(_ stage: ChildLifecycle.Stage, _ bytes: inout ByteWriter) {
    switch stage {
    case .intended: bytes.write(UInt8(1))
    case .acknowledged: bytes.write(UInt8(2))
    case .unknown: bytes.write(UInt8(3))
    case .ending(let status, let total):
      bytes.write(UInt8(4))
      bytes.write(status.rawValue)
      bytes.write(total.raw)
    case .ended(let status):
      bytes.write(UInt8(5))
      bytes.write(status.rawValue)
    }
  }
}

// MARK: In

extension RoutingSnapshot.Piece {
  init(_ piece: [UInt8]) throws {
    var reader = ByteReader(piece)
    switch try reader.readEnum(RoutingSnapshot.Kind.self) {
    case .instrument:
      self = .instrument(try .init(decoding: try reader.read(count: reader.remaining)))
    case .owed:
      self = .owed(
        try reader.readMany { reader in try .init(decoding: try reader.readCounted()) })
    case .orders: self = .orders(try reader.readMany(Self.order))
    case .done:
      self = .done(try reader.readMany { reader in OrderID(try reader.read(UInt64.self)) })
    }
    try reader.requireEnd()
  }

  static func order(_ reader: inout ByteReader) throws -> RoutedOrder {
    let parent = ParentOrder(
      id: OrderID(try reader.read(UInt64.self)),
      instrument: InstrumentID(try reader.read(Int32.self)),
      side: try reader.readEnum(Side.self), type: try reader.readEnum(OrderType.self),
      timeInForce: try reader.readEnum(TimeInForce.self), terms: try reader.readTerms())
    let memento = RoutedOrder.Memento(
      parent: parent, terms: try reader.readTerms(), children: [],
      filled: try reader.readQuantity(), isCancelRequested: try reader.readFlag(),
      replacement: try reader.readFlag()
        ? .init(version: try reader.read(UInt32.self), terms: try reader.readTerms()) : nil,
      lastReplaceVersion: try reader.read(UInt32.self), isDone: try reader.readFlag(),
      isReopened: try reader.readFlag(), hasFilledSince: try reader.readFlag())
    var whole = memento
    whole.children = try reader.readMany(child)
    guard let order = RoutedOrder(whole) else {
      throw SnapshotFault("order \(parent.id) has children that are not in order")
    }
    return order
  }

  private static func child(_ reader: inout ByteReader) throws -> ChildLifecycle.Memento {
    ChildLifecycle.Memento(
      sequence: try reader.read(UInt32.self), terms: try reader.readTerms(),
      amendment: try reader.readFlag()
        ? .init(
          version: try reader.read(UInt32.self), terms: try reader.readTerms(),
          isDoubted: try reader.readFlag()) : nil,
      stage: try stage(&reader), venueOrderID: try reader.readCountedText(),
      filled: try reader.readQuantity(), venueFilled: try reader.readQuantity(),
      disputes: try reader.readMany { reader in try reader.readCountedText() },
      isUnwanted: try reader.readFlag(), isDenied: try reader.readFlag(),
      isCancelUnderWay: try reader.readFlag(),
      rejection: try reader.readFlag()
        ? .init(reason: try reader.readReason(), text: try reader.readCountedText()) : nil,
      executions: try reader.readTexts())
  }

  private static func stage(_ reader: inout ByteReader) throws -> ChildLifecycle.Stage {
    switch try reader.read(UInt8.self) {
    case 1: .intended
    case 2: .acknowledged
    case 3: .unknown
    case 4:
      .ending(try reader.readEnum(VenueOrderStatus.self), total: try reader.readQuantity())
    case 5: .ended(try reader.readEnum(VenueOrderStatus.self))
    case let other: throw SnapshotFault("\(other) is no stage of a child")
    }
  }
}
