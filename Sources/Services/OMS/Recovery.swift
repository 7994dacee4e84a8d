internal import Calls
internal import Contracts
internal import Journal
internal import Orders
internal import ServiceKit
internal import Translation
internal import Venue
internal import Wire

/// The state that the journal proves: every order is led through its events again.
struct Recovery {
  private(set) var journal: Journal
  private(set) var instruments = InstrumentTable()
  private(set) var rows = OrderTable()
  private(set) var executions = RecentList<OmsV1.Execution>()
  private(set) var reports = LogPosition.start
  private(set) var lastEvent: UInt64 = 0

  /// Reads the whole journal; blocks on the disk. A record that does not decode or does not fit its
  /// order refuses to start: the journal is the authority, and nobody may trade on half of it.
  init(
    _ path: String, _ config: Config, _ journaling: JournalSettings = JournalSettings()
  ) throws {
    var settings = journaling
    settings.segmentBytes = config.segmentBytes
    settings.reserveBytes = config.reserveBytes
    var replay = Replay(executionsMax: config.executionsKeptMax)
    journal = try Journal.open(path, settings) { record in replay.take(record) }
    if let fault = replay.fault { throw fault }
    instruments = replay.instruments
    rows = replay.rows
    executions = replay.executions
    reports = replay.reports
    lastEvent = replay.lastEvent
  }

  private struct Replay {
    var instruments = InstrumentTable()
    let executionsMax: Int
    var rows = OrderTable()
    var executions = RecentList<OmsV1.Execution>()
    var reports = LogPosition.start
    var lastEvent: UInt64 = 0
    var fault: RPCError?

    mutating func take(_ record: JournalRecord) {
      guard fault == nil else { return }
      do {
        try apply(OmsV1.JournalRecord(decoding: record.payload), sequence: record.sequence)
      } catch {
        fault = RPCError(.dataLoss, "record \(record.sequence) of the oms journal: \(error)")
      }
    }

    private mutating func apply(_ record: OmsV1.JournalRecord, sequence: UInt64) throws {
      switch record.record {
      case .instrument(let instrument): try instruments.learn(instrument)
      case .event(let journaled): try apply(journaled, sequence: sequence)
      case nil: throw RPCError(.dataLoss, "it is empty, or of a later version")
      }
    }

    private mutating func apply(_ journaled: OmsV1.JournaledEvent, sequence: UInt64) throws {
      if journaled.reportSequence > 0 {
        // The newest, not the largest: it counts from 1 again when the router's log was another one.
        reports = LogPosition(sequence: journaled.reportSequence, mark: journaled.reportMark)
      }
      lastEvent = sequence
      // What an order was made under stays its own, whatever its name means later.
      guard let wire = journaled.event?.order, let id = OrderID(parsing: wire.orderId),
        let instrument = rows[id].map({ instruments[$0.order.instrument] })
          ?? instruments[wire.venue, wire.symbol]
      else { throw RPCError(.dataLoss, "it names no known order or instrument") }
      let event = try JournaledEvent(journaled, instrument)
      if case .accepted = event.event {
        let order = try Order(wire, id: id, instrument, createdTime: event.time)
        guard rows.last.map({ $0 < id }) ?? true else {
          throw RPCError(.dataLoss, "order \(id) is accepted after a later one")
        }
        rows.append(
          OrderRow(
            order, createdBy: wire.createdBy, routerInstance: journaled.routerInstance))
      }
      guard try rows.update(id, { try $0.lifecycle.apply(event.event, at: event.time) }) != nil
      else { throw RPCError(.dataLoss, "order \(id) was never accepted") }
      if case .filled = event.event, var execution = journaled.event?.execution {
        execution.sequence = sequence
        executions.append(execution)
        _ = executions.trim(to: executionsMax)
      }
    }
  }
}
