internal import Bytes
internal import Calls
internal import Chrono
internal import Contracts
internal import Journal
internal import Orders
internal import ServiceKit
internal import Translation
internal import Units
internal import Venue
internal import Wire

/// Pieces of a snapshot of the orders; the first byte of each says what it holds.
enum OrderSnapshot {
  enum Piece {
    case head(
      reports: LogPosition, lastEvent: UInt64, lastID: OrderID, hasEvicted: Bool,
      accounts: Set<String>)
    case instrument(MarketV1.Instrument)
    case rows([OrderRow])
    case closed([(OrderID, UInt64)])
    case executions([OmsV1.Execution])
    case clients([(UInt64, OrderID)])
  }

  private enum Kind: UInt8 {
    case head = 1
    case instrument, rows, closed, executions, clients
  }

  // MARK: Out

  static func write(
    _ state: OrderState, _ closed: ClosedOrders, to snapshot: some SnapshotSink
  ) throws(JournalError) {
    var head = ByteWriter()
    head.write(Kind.head.rawValue)
    head.write(state.reports.sequence)
    head.write(state.reports.mark)
    head.write(state.lastEvent)
    head.write(state.lastID.raw)
    head.write(state.hasEvicted)
    head.write(state.accounts)
    try snapshot.write(head.bytes)
    for told in state.instruments.told {
      try snapshot.write([Kind.instrument.rawValue] + told.encoded())
    }
    try state.rows.forEachPiece { rows throws(JournalError) in
      let count = rows.count { $0 != nil }
      guard count > 0 else { return }
      var bytes = begin(.rows, count)
      for case .some(let row) in rows { write(row, &bytes) }
      try snapshot.write(bytes.bytes)
    }
    try closed.forEachPiece { closed throws(JournalError) in
      try writeMany(closed, .closed, to: snapshot) { closed, bytes in
        bytes.write(closed.id.raw)
        bytes.write(closed.sequence)
      }
    }
    try state.executions.forEachPiece { executions throws(JournalError) in
      try writeMany(executions, .executions, to: snapshot) { $1.writeCounted($0.encoded()) }
    }
    try state.clients.forEachEvictedPiece { clients throws(JournalError) in
      try writeMany(clients, .clients, to: snapshot) { client, bytes in
        bytes.write(client.key)
        bytes.write(client.value)
      }
    }
  }

  private static func writeMany<Element>(
    _ elements: some Collection<Element>, _ kind: Kind, to snapshot: some SnapshotSink,
    _ write: (Element, inout ByteWriter) -> Void
  ) throws(JournalError) {
    guard !elements.isEmpty else { return }
    var bytes = begin(kind, elements.count)
    for element in elements { write(element, &bytes) }
    try snapshot.write(bytes.bytes)
  }

  private static func begin(_ kind: Kind, _ count: Int) -> ByteWriter {
    var bytes = ByteWriter(capacity: count * 256)
    bytes.write(kind.rawValue)
    bytes.write(UInt32(count))
    return bytes
  }

  static func write(_ row: OrderRow, _ bytes: inout ByteWriter) {
    let order = row.lifecycle.memento
    bytes.write(row.createdBy)
    bytes.write(row.routerInstance)
    write(order.order, &bytes)
    bytes.write(order.terms)
    bytes.write(order.venueOrderID)
    bytes.write(order.filledQuantity.raw)
    bytes.write(order.filledNotional)
    bytes.write(order.venueFilled.raw)
    bytes.write(order.sequence)
    bytes.write(order.updatedTime)
    bytes.write(order.setAsideCount)
    bytes.write(order.executions)
    switch order.phase {
    case .live(let progress, let cancelReason, let replacement, let version, let doubt):
      bytes.write(UInt8(0))
      bytes.write(progress)
      bytes.write(cancelReason)
      bytes.write(replacement)
      bytes.write(version)
      bytes.write(doubt)
    case .closed(let closing): write(closing, &bytes)
    }
  }

  private static func write(_ order: Order, _ bytes: inout ByteWriter) {
    bytes.write(order.id.raw)
    bytes.write(order.clientOrderID)
    bytes.write(order.account)
    bytes.write(order.strategy)
    bytes.write(order.instrument.index)
    bytes.write(order.side.rawValue)
    bytes.write(order.type.rawValue)
    bytes.write(order.timeInForce.rawValue)
    bytes.write(OrderTerms(price: order.price, quantity: order.quantity))
    bytes.write(order.createdTime)
  }

  private static func write(_ closing: Closing, _ bytes: inout ByteWriter) {
    switch closing {
    case .filled: bytes.write(UInt8(1))
    case .cancelled(let text):
      bytes.write(UInt8(2))
      bytes.write(text)
    case .expired: bytes.write(UInt8(3))
    case .rejected(let reason, let text):
      bytes.write(UInt8(4))
      bytes.write(reason.rawValue)
      bytes.write(text)
    }
  }
}

// MARK: In

extension OrderSnapshot.Piece {
  init(_ piece: [UInt8]) throws {
    var reader = ByteReader(piece)
    let kind = try reader.readEnum(OrderSnapshot.Kind.self)
    switch kind {
    case .head:
      self = .head(
        reports: LogPosition(
          sequence: try reader.read(UInt64.self), mark: try reader.read(UInt64.self)),
        lastEvent: try reader.read(UInt64.self), lastID: OrderID(try reader.read(UInt64.self)),
        hasEvicted: try reader.readFlag(),
        accounts: try reader.readTexts())
    case .instrument:
      self = .instrument(try .init(decoding: try reader.read(count: reader.remaining)))
    case .rows: self = .rows(try reader.readMany(Self.row))
    case .closed:
      self = .closed(
        try reader.readMany { reader in
          (OrderID(try reader.read(UInt64.self)), try reader.read(UInt64.self))
        })
    case .executions:
      self = .executions(
        try reader.readMany { reader in try .init(decoding: try reader.readCounted()) })
    case .clients:
      self = .clients(
        try reader.readMany { reader in
          (try reader.read(UInt64.self), OrderID(try reader.read(UInt64.self)))
        })
    }
    try reader.requireEnd()
  }

  static func row(_ reader: inout ByteReader) throws -> OrderRow {
    let createdBy = try reader.readCountedText()
    let routerInstance = try reader.read(UInt64.self)
    let memento = OrderLifecycle.Memento(
      order: try order(&reader), terms: try reader.readTerms(),
      venueOrderID: try reader.readOptionalText(), filledQuantity: try reader.readQuantity(),
      filledNotional: try reader.readNotional(), venueFilled: try reader.readQuantity(),
      sequence: try reader.read(UInt32.self), updatedTime: try reader.readTime(),
      setAsideCount: try reader.read(UInt32.self), executions: try reader.readTexts(),
      phase: try phase(&reader))
    guard let lifecycle = OrderLifecycle(memento) else {
      throw SnapshotFault("order \(memento.order.id) is in no known phase")
    }
    return OrderRow(lifecycle, createdBy: createdBy, routerInstance: routerInstance)
  }

  private static func order(_ reader: inout ByteReader) throws -> Order {
    var order = Order(
      id: OrderID(try reader.read(UInt64.self)), clientOrderID: try reader.readCountedText(),
      account: try reader.readCountedText(), strategy: try reader.readCountedText(),
      instrument: InstrumentID(try reader.read(Int32.self)),
      side: try reader.readEnum(Side.self), type: try reader.readEnum(OrderType.self),
      timeInForce: try reader.readEnum(TimeInForce.self), price: nil, quantity: .zero,
      createdTime: .epoch)
    let terms = try reader.readTerms()
    (order.price, order.quantity) = (terms.price, terms.quantity)
    order.createdTime = try reader.readTime()
    return order
  }

  private static func phase(
    _ reader: inout ByteReader
  ) throws -> OrderLifecycle.Memento.Phase {
    switch try reader.read(UInt8.self) {
    case 0:
      .live(
        progress: try reader.read(UInt8.self), cancelReason: try reader.readOptionalText(),
        replacement: try reader.readOptionalTerms(),
        replacementVersion: try reader.read(UInt32.self), doubt: try reader.readOptionalText())
    case 1: .closed(.filled)
    case 2: .closed(.cancelled(text: try reader.readCountedText()))
    case 3: .closed(.expired)
    case 4:
      .closed(
        .rejected(try reader.readEnum(RejectReason.self), text: try reader.readCountedText()))
    case let other: throw SnapshotFault("\(other) is no phase of an order")
    }
  }
}
