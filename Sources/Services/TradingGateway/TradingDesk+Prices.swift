internal import Chrono
internal import Contracts
internal import Loop
internal import Risk
internal import ServiceKit
internal import Telemetry
internal import TickRing
internal import Translation
internal import Units
internal import Venue

/// How long prices take from the market-connector's socket.
///
/// Both ends read the wall clock, which is one for all processes of a machine; between machines the
/// figures are off by what their clocks are.
struct PriceSpans: Sendable {
  /// By source.
  private let arrivals: [Histogram]
  private let decisions: [Histogram]

  init(_ metrics: MetricsRegistry) {
    let family = metrics.histograms(
      "trading_gateway_price_seconds",
      help: "From receiving a frame at the market-connector to the desk, and to a strategy.",
      labels: ["source", "stage"], bounds: Histogram.spanBounds)
    arrivals = PriceSource.allCases.map { family.with($0.rawValue, "desk") }
    decisions = PriceSource.allCases.map { family.with($0.rawValue, "strategy") }
  }

  func arrived(_ arrival: PriceArrival, at now: Instant) {
    observe(arrivals, arrival, now)
  }

  func reachedStrategy(_ arrival: PriceArrival, at now: Instant) {
    observe(decisions, arrival, now)
  }

  private func observe(_ spans: [Histogram], _ arrival: PriceArrival, _ now: Instant) {
    guard let index = PriceSource.allCases.firstIndex(of: arrival.source) else { return }
    spans[index].observe(now - arrival.received)
  }
}

extension TradingDesk {
  // MARK: Prices

  /// From the orderbook's stream.
  func take(_ wire: OrderbookV1.Top) {
    guard let instrument = instruments[wire.venue, wire.symbol], hasGate else {
      early[InstrumentTable.Key(venue: wire.venue, symbol: wire.symbol)] = wire
      return
    }
    let now = context.time.now
    let arrival = PriceArrival(
      source: .stream, received: Instant(nanoseconds: Int64(clamping: wire.receivedTimeNs)))
    guard let top = top(wire, instrument, now) else { return set(instrument.id, nil, arrival) }
    spans.arrived(arrival, at: now)
    set(instrument.id, top, arrival)
  }

  /// Nil for a book that is not to be trusted, and for one that counts in other steps than its market:
  /// it has not heard of them, or we have not.
  private func top(
    _ wire: OrderbookV1.Top, _ instrument: Instrument, _ now: Instant
  ) -> TopOfBook? {
    guard !wire.stale else { return nil }
    let (price, quantity) = (instrument.priceScale, instrument.quantityScale)
    do {
      guard let bid = try instrument.raw(wire.bidPrice, scale: price),
        let ask = try instrument.raw(wire.askPrice, scale: price)
      else { return nil }
      let bidQuantity = try instrument.raw(wire.bidQuantity, scale: quantity) ?? 0
      let askQuantity = try instrument.raw(wire.askQuantity, scale: quantity) ?? 0
      return TopOfBook(
        instrument: instrument.id, updateID: wire.updateId,
        bid: PriceLevel(price: Price(bid), quantity: Quantity(bidQuantity)),
        ask: PriceLevel(price: Price(ask), quantity: Quantity(askQuantity)),
        // Ours, not the venue's: a recorded day is old, and its book is still fresh.
        receivedTime: now)
    } catch {
      context.log.debug(
        "a book counts in other steps than its market",
        ["venue": .text(wire.venue), "symbol": .text(wire.symbol)])
      return nil
    }
  }

  /// From the ring of ticks.
  func take(_ batch: TickBatch) {
    if batch.isRestart {
      ringInstruments.removeAll(keepingCapacity: true)
      let known = Set(batch.ticks.compactMap { ringInstrument($0.tick, $0.instrument)?.id })
      loseTops { !known.contains($0) }
    }
    let now = context.time.now
    for (tick, named) in batch.ticks where !tick.isTrade {
      guard let instrument = ringInstrument(tick, named) else { continue }
      let arrival = PriceArrival(source: .ring, received: tick.receivedTime)
      // What a restart tells is old.
      if !batch.isRestart { spans.arrived(arrival, at: now) }
      guard tick.isTrusted, let bid = tick.bestBid, let ask = tick.bestAsk else {
        set(instrument.id, nil, arrival)
        continue
      }
      set(
        instrument.id,
        TopOfBook(
          instrument: instrument.id, updateID: tick.sequence, bid: bid, ask: ask,
          receivedTime: tick.receivedTime), batch.isRestart ? nil : arrival)
    }
  }

  /// Nil for what is not traded here.
  private func ringInstrument(_ tick: Tick, _ named: TickInstrument) -> Instrument? {
    if let known = ringInstruments[tick.instrument] { return known }
    var instrument = instruments[named.venue, named.symbol]
    if let other = instrument,
      other.priceScale != named.priceScale || other.quantityScale != named.quantityScale
    {
      context.log.error(
        "the ring counts an instrument in other units: it has no price here",
        ["venue": .text(named.venue), "symbol": .text(named.symbol)])
      instrument = nil
    }
    ringInstruments[tick.instrument] = .some(instrument)
    return instrument
  }

  /// The touch of an instrument; nil: its book is not to be trusted.
  private func set(_ id: InstrumentID, _ top: TopOfBook?, _ arrival: PriceArrival?) {
    guard book != nil else { return }
    let now = context.loop.uptime
    guard let top, top.bid.price > .zero, top.ask.price > .zero else {
      tops[id] = nil
      setReference(id, nil, now)
      return publish(.marketUpdate(id, nil, arrival))
    }
    let (bid, ask) = (top.bid.price.raw, top.ask.price.raw)
    tops[id] = top
    setReference(id, Price(bid + (ask - bid) / 2), now)
    publish(.marketUpdate(id, top, arrival))
  }

  /// What is held under earlier terms of the same name is worth the same, to their last place.
  private func setReference(_ id: InstrumentID, _ price: Price?, _ now: Uptime) {
    guard let gate = book?.gate else { return }
    gate.setReference(id, price, now: now)
    let instrument = instruments[id]
    for before in instruments.earlier(than: instrument) {
      gate.setReference(before.id, price.map { instrument.price($0, in: before) }, now: now)
    }
  }

  /// No price of these is to be trusted; by default of all.
  func loseTops(_ isLost: (InstrumentID) -> Bool = { _ in true }) {
    for id in Array(tops.keys) where isLost(id) { set(id, nil, nil) }
    early.removeAll()
  }
}
