package import Chrono
internal import JSON
package import Transport
internal import Units

/// An answer to a REST request, and what else the request asks of the shell.
package struct VenueAnswer: Sendable {
  package var response: HTTPResponse
  /// The request was carried out, but its answer must get lost.
  package var isWithheld = false
  /// A snapshot of this symbol's book was given out.
  package var snapshotOf: String?
}

/// One exchange behind its dialect: the requests that it answers, its limits, and its faults.
package struct SimulatedVenue: ~Copyable {
  package var exchange: SimulatedExchange
  var faults = VenueFaults()
  /// How often each endpoint was asked, by `GET /api/v3/depth`, and each public stream subscribed, by
  /// `subscribe books BTC-USDT`.
  package private(set) var requestCounts: [String: Int] = [:]
  var limits: RequestLimits
  var kraken = KrakenDoor()
  var krakenCounters: KrakenCounters
  var okxCounters: OKXCounters
  /// The last one; nil before the first.
  private(set) var maintenance: Maintenance?
  /// Fills that are told after the cancel of their order.
  private var lateReports: [Happening] = []

  package init(exchange: consuming SimulatedExchange) {
    limits = RequestLimits(
      weightPerMinuteMax: exchange.settings.requestWeightPerMinuteMax,
      ordersPerTenSecondsMax: exchange.settings.ordersPerTenSecondsMax)
    krakenCounters = KrakenCounters(
      exchange.settings.krakenTier.times(exchange.settings.limitFactor))
    okxCounters = OKXCounters(factor: exchange.settings.limitFactor)
    self.exchange = exchange
  }

  package mutating func answer(_ request: HTTPRequest, now: Instant) -> VenueAnswer {
    let name = "\(request.method) \(request.path)"
    requestCounts[name, default: 0] += 1
    switch exchange.settings.dialect {
    case .binance: return binanceAnswer(request, name, now: now)
    case .kraken: return krakenAnswer(request, now: now)
    case .okx: return okxAnswer(request, now: now)
    }
  }

  mutating func subscribed(_ stream: String) {
    requestCounts["subscribe \(stream)", default: 0] += 1
  }

  /// The venue's own clock, which a fault may have moved.
  func venueTime(_ now: Instant) -> Instant { now + faults.clockSkew }

  // MARK: Telling

  /// What has happened since the last call, by the venue's clock, with what goes wrong with it.
  mutating func takeDeliveries(now: Instant) -> [Delivery] {
    var deliveries: [Delivery] = []
    /// What happens to a window happens to its orders too.
    var windowFaults: [Int: BookFault] = [:]
    for happening in exchange.takeHappenings() + lateReports {
      let happening = happening.shifted(by: faults.clockSkew)
      switch happening.what {
      case .window(let market, let kind, _) where kind == .depthFast:
        windowFaults[market] = faults.isStalled(now) ? .gap : faults.next(market: market)
        deliveries.append(Delivery(happening: happening, fault: windowFaults[market]))
      case .orders(let market, _, _):
        deliveries.append(Delivery(happening: happening, fault: windowFaults[market]))
      case .recorded(let market, let kind, _) where kind == .depthFast || kind == .depthSlow:
        deliveries.append(
          Delivery(
            happening: happening,
            fault: faults.isStalled(now) ? .gap : faults.next(market: market)))
      case .window, .top, .trade, .recorded:
        if !faults.isStalled(now) { deliveries.append(Delivery(happening: happening, fault: nil)) }
      case .report(_, .trade, _):
        if !faults.losesFill() { deliveries.append(Delivery(happening: happening, fault: nil)) }
      case .report, .balances, .status, .maintenance:
        deliveries.append(Delivery(happening: happening, fault: nil))
      }
    }
    lateReports = []
    return deliveries
  }

  /// Messages in Binance's words, as its streams carry them.
  package mutating func takeMessages(now: Instant) -> [ExchangeMessage] {
    takeDeliveries(now: now).compactMap {
      $0.fault == .gap ? nil : exchange.binanceMessage(of: $0.happening)
    }
  }

  // MARK: Faults

  /// Puts a fault in place; returns the streams to cut at once.
  package mutating func inject(
    _ fault: VenueFault, now: Instant
  ) throws(FaultError) -> Set<StreamScope> {
    exchange.advance(to: now)
    var market: Int?
    switch fault {
    case .book(let kind, let symbol, _):
      market = try index(of: symbol)
      guard kind != .badChecksum || exchange.settings.hasChecksums else {
        throw FaultError(
          "kind", "is for checksums, which \(exchange.settings.dialect) does not have")
      }
    case .halt(let symbol), .resume(let symbol): market = try index(of: symbol)
    default: break
    }
    try faults.add(fault, market: market, now: now)
    switch fault {
    case .halt: exchange.halt(market ?? 0, true)
    case .resume: exchange.halt(market ?? 0, false)
    case .none:
      for index in exchange.markets.indices { exchange.halt(index, false) }
      endMaintenance(now)
    case .disconnect(let scope): return [scope]
    case .maintenance(let time):
      let begun = Maintenance(begin: now, end: now + time)
      maintenance = begun
      exchange.publish(.maintenance(begun))
      return Set(StreamScope.allCases)
    default: break
    }
    return []
  }

  private mutating func endMaintenance(_ now: Instant) {
    guard var ended = maintenance, ended.isOngoing(now) else { return }
    ended.end = now
    maintenance = ended
    exchange.publish(.maintenance(ended))
  }

  private func index(of symbol: String) throws(FaultError) -> Int {
    guard let index = exchange.marketBySymbol[symbol] else {
      throw FaultError("symbol", "is \(symbol), which \(exchange.settings.dialect) does not trade")
    }
    return index
  }

  /// To be called before an order is cancelled: half of it may trade now, which is told late.
  mutating func beforeCancel(_ order: PrivateOrder) {
    guard faults.lateFills > 0, let (report, quantity) = exchange.fillQuietly(order) else { return }
    precondition(quantity > .zero)
    faults.tookLateFill()
    lateReports.append(report)
  }
}

extension Happening {
  /// The same by a clock that is so far ahead.
  fileprivate func shifted(by skew: Duration) -> Happening {
    guard skew != .zero else { return self }
    guard case .trade(let market, let trade) = what else {
      return Happening(time: time + skew, what: what)
    }
    let shifted = PublicTrade(
      id: trade.id, price: trade.price, quantity: trade.quantity, aggressor: trade.aggressor,
      time: trade.time + skew)
    return Happening(time: time + skew, what: .trade(market: market, shifted))
  }
}
