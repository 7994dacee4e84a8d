internal import Calls
internal import Chrono
internal import Contracts
internal import JSON
internal import Loop
internal import Mutants
internal import Portfolio
internal import Risk
internal import ServiceKit
internal import Telemetry
internal import Translation
internal import Units
internal import Venue

/// What must be known of a UTC day after a restart in it: the marks that it began with, whether its
/// loss was reached, and the last reset that was heeded. Kept in a file of this service's own.
struct TradingDay {
  private let path: String
  /// As it is in the file.
  private(set) var kept: Record
  /// What the file said at the start.
  let found: Record
  /// The trading state that was put in force last.
  var state: RiskV1.TradingStatus?
  /// When the last reset that was heeded was made.
  var resetAt: Int64
  let profit: Gauge
  let lossReached: Gauge

  struct Record: Hashable {
    var day: Int64 = .min
    var isLossReached = false
    var resetAt: Int64 = .min
    var marks: [Mark] = []
  }

  struct Mark: Hashable {
    let venue: String
    let symbol: String
    let price: Decimal
  }

  init(_ context: ServiceContext) throws {
    path = try context.journalDirectory() + "/day.json"
    found = fileExists(path) ? try Record(json: try readFile(path)) : Record()
    kept = found
    resetAt = found.resetAt
    profit = context.metrics.gauge(
      "trading_gateway_day_profit", help: "Since 00:00 UTC, realised and unrealised, less fees.")
    lossReached = context.metrics.gauge(
      "trading_gateway_daily_loss_reached", help: "1 while only reducing orders pass for it.")
  }

  /// Nothing is written while nothing has changed.
  mutating func keep(_ record: Record) throws(FileError) {
    guard record != kept else { return }
    try writeFile(path, record.json, mode: 0o600)
    kept = record
  }
}

extension TradingDay.Record {
  init(json: [UInt8]) throws {
    let root = try JSONDocument(parsing: json).root
    day = try root.int64("day")
    isLossReached = root["isLossReached"]?.bool ?? false
    resetAt = try root.int64("resetAt")
    guard let array = root["marks"]?.array else { return }
    for mark in array {
      marks.append(
        TradingDay.Mark(
          venue: try mark.string("venue"), symbol: try mark.string("symbol"),
          price: try Decimal(parsing: try mark.string("price"))))
    }
  }

  var json: String {
    var json = JSONWriter()
    json.beginObject()
    json.member("day", day)
    json.member("isLossReached", isLossReached)
    json.member("resetAt", resetAt)
    json.name("marks")
    json.beginArray()
    for mark in marks {
      json.beginObject()
      json.member("venue", mark.venue)
      json.member("symbol", mark.symbol)
      json.member("price", mark.price.description)
      json.endObject()
    }
    json.endArray()
    json.endObject()
    return json.text + "\n"
  }
}

/// The day of the gate: it begins by the clock, and a restart in its midst changes nothing about it.
extension TradingDesk {
  static let dayInterval = Duration.milliseconds(100)
  /// A market that has no price for so long after the history was read is valued at its last fill.
  private static let valuationPatience = Duration.seconds(5)

  /// A gate that has just been made.
  func beginDay() {
    guard let gate = book?.gate else { return }
    if !Mutant.isOn(.dayRollsByEvents) { gate.roll(to: context.time.now) }
    // The history that is about to be read has profits on its way that never were.
    gate.watchesLoss = Mutant.isOn(.dayForgotten)
    restoreDayMarks()
    if day.found.day == gate.day, day.found.isLossReached, !Mutant.isOn(.dayForgotten) {
      gate.restoreLossLatch()
    }
    apply(day.state)
  }

  func restoreDayMarks() {
    guard let gate = book?.gate, day.found.day == gate.day, !Mutant.isOn(.dayForgotten)
    else { return }
    for mark in day.found.marks {
      guard let instrument = instruments[mark.venue, mark.symbol],
        let raw = mark.price.units(atScale: instrument.priceScale)
      else { continue }
      gate.restore(instrument.id, dayMark: Price(raw))
    }
  }

  /// As often as `dayInterval`, whatever else happens.
  func keepDay() {
    guard let gate = book?.gate else { return }
    if !Mutant.isOn(.dayRollsByEvents) { gate.roll(to: context.time.now) }
    watchLoss()
    day.profit.set(Double(gate.dayProfit.description) ?? 0)
    day.lossReached.set(gate.isLossLatched ? 1 : 0)
    var record = TradingDay.Record(
      day: gate.day ?? .min, isLossReached: gate.isLossLatched, resetAt: day.resetAt)
    for instrument in instruments.all {
      guard let price = gate.dayMark(of: instrument.id) else { continue }
      record.marks.append(
        TradingDay.Mark(
          venue: instrument.venue.name, symbol: instrument.symbol,
          price: Decimal(units: price.raw, scale: instrument.priceScale)))
    }
    do { try day.keep(record) } catch {
      context.log.error("the trading day is not kept", ["error": LogValue(describing: error)])
    }
  }

  /// From when on a loss counts: what stands is what is.
  func watchLoss() {
    guard let gate = book?.gate, isSynced, !gate.watchesLoss, let syncedSince else { return }
    let isPatient = context.loop.uptime - syncedSince < Self.valuationPatience
    if isPatient, !gate.isValued { return }
    gate.watchesLoss = true
  }

  /// From the risk-manager's stream; only what is new is put in force, for the gate may have halted by
  /// itself meanwhile.
  func follow(_ state: RiskV1.TradingStatus?, _ reset: RiskV1.DailyLossReset?) throws {
    if let state, state != day.state {
      day.state = state
      apply(state)
    }
    guard let reset, let time = try Instant(reset.resetAt, field: "resetAt"),
      time.nanoseconds > day.resetAt
    else { return }
    day.resetAt = time.nanoseconds
    guard let gate = book?.gate else { return }
    context.log.warning(
      "daily loss reset", ["by": .text(reset.actor), "reason": .text(reset.reason)])
    gate.resetDailyLoss()
    keepDay()
  }

  private func apply(_ state: RiskV1.TradingStatus?) {
    guard let state, let gate = book?.gate, let wanted = TradingState(state.state),
      gate.tradingState != wanted
    else { return }
    gate.tradingState = wanted
    context.log.warning(
      "trading state changed", ["state": .text(state.state.name), "by": .text(state.actor)])
  }
}
