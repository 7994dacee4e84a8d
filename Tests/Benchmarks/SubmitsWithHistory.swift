import Chrono
import Contracts
import Journal
import Loop
import Orders
import Wire

/// `oms.submit.0`, `.100k`, `.1m`: `AcceptOrder` of the whole oms in this process, with so many
/// orders that are done in its journal and in its memory, asked by 64 tasks at once. Each order goes
/// on to a router that takes it and rejects it, as the simulator does with an IOC order. Not in it:
/// network, TLS, tokens, PostgreSQL. `recovery_s` is how long the reading of that history took.
enum SubmitsWithHistory {
  private static let submits = 30_000

  static func run() throws -> [Figures] {
    let workspace = try Workspace("oms")
    return try [(0, "0"), (100_000, "100k"), (1_000_000, "1m")].map { history, name in
      let folder = "\(workspace.path)/\(name)"
      try onLoop { try await write(history, folder + "/journal/oms", $0) }
      return try onLoop { loop in
        let oms = try await OMSUnderLoad(folder, AbsentStore(), [], loop)
        let start = loop.uptime.nanoseconds
        let times = try await oms.submit(submits, "new")
        let elapsed = Double(loop.uptime.nanoseconds - start)
        await oms.stop()
        var figures = Figures("oms.submit.\(name)", samples: times)
        figures.operationsPerSecond = Double(submits) * 1e9 / elapsed
        figures.more = [
          ("recovery_s", oms.openingSeconds), ("records", Double(times.count)),
          ("resident_mb", OMSUnderLoad.residentMegabytes),
        ]
        return figures
      }
    }
  }

  // MARK: The history

  static func write(_ orders: Int, _ folder: String, _ loop: EventLoop) async throws {
    let journal = try Journal.open(folder)
    var record = OmsV1.JournalRecord()
    record.record = .instrument(instrument)
    _ = try await journal.append(record.encoded())
    var group: [[UInt8]] = []
    for number in 1...max(1, orders) where orders > 0 {
      let order = done(number)
      group.append(event(.accepted, order))
      group.append(event(.rejected, order))
      if group.count >= 2_000 {
        _ = try await journal.append(contentsOf: group)
        group = []
      }
    }
    if !group.isEmpty { _ = try await journal.append(contentsOf: group) }
    journal.close()
  }

  static func done(_ number: Int) -> OmsV1.Order {
    var order = benchmarkOrder()
    order.orderId = OrderID(UInt64(number)).description
    order.clientOrderId = "old-\(number)"
    order.status = .rejected
    order.rejectReason = .venuePolicy
    order.filledQuantity = nil
    order.quantity = .with {
      $0.units = 12_500
      $0.scale = 5
    }
    return order
  }

  private static func event(_ kind: OmsV1.OrderEvent.Kind, _ order: OmsV1.Order) -> [UInt8] {
    var event = OmsV1.OrderEvent()
    event.kind = kind
    event.time = order.createdAt
    event.order = order
    var journaled = OmsV1.JournaledEvent()
    journaled.event = event
    var record = OmsV1.JournalRecord()
    record.record = .event(journaled)
    return record.encoded()
  }

  private static var instrument: MarketV1.Instrument {
    var instrument = MarketV1.Instrument()
    instrument.venue = "binance"
    instrument.symbol = "BTCUSDT"
    instrument.venueSymbol = "BTCUSDT"
    instrument.baseAsset = "BTC"
    instrument.quoteAsset = "USDT"
    instrument.priceScale = 2
    instrument.quantityScale = 5
    instrument.tickSize = decimal(1, 2)
    instrument.lotSize = decimal(1, 5)
    instrument.minQuantity = decimal(1, 5)
    instrument.maxQuantity = decimal(9_000, 0)
    instrument.trading = true
    return instrument
  }

  private static func decimal(_ units: Int64, _ scale: UInt32) -> TypeV1.Decimal {
    .with {
      $0.units = units
      $0.scale = scale
    }
  }
}
