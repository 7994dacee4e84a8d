import Execution
import Orders
import Seeds
import Units
import Venue

/// What may happen between the ledger and the venue, one thing at a time.
extension AmendingWorld {
  mutating func step() {
    switch Int.random(in: 0..<1_000, using: &random) {
    case 0..<100: wishToReplace()
    case 100: wishToCancel()
    case 101..<110: restart()
    case 110..<125: trade()
    case 150: expire()
    case 151..<300: if let wish = pick(\.wishes) { take(wish) }
    case 300..<500: arrive(isLossy: true)
    case 500..<800: hearTidings()
    case 800..<870: ask()
    // Races with an amendment are what it is about.
    case 870..<900 where order.live?.amendment != nil: trade()
    case 900..<902 where order.live?.amendment != nil: wishToCancel()
    default: listFills()
    }
  }

  /// Everything on its way arrives, and what is open is asked about until it is proven.
  mutating func settle() {
    for _ in 0..<2_000 {
      if let wish = pick(\.wishes) {
        take(wish)
      } else if !requests.isEmpty {
        arrive(isLossy: false)
      } else if !tidings.isEmpty {
        hearTidings()
      } else if !questions.isEmpty {
        ask()
      } else if !fillLists.isEmpty {
        listFills()
      } else if isQuiet {
        return
      } else {
        reconcile()
      }
    }
  }

  private var isQuiet: Bool {
    for (id, holding) in venue.holdings {
      guard let child = ledger.child(id)?.child, child.filled.raw == holding.filled,
        child.isLive == (holding.end == nil)
      else { return false }
    }
    guard let child = order.live else { return order.isSettled }
    return child.stage == .acknowledged && child.amendment == nil && !order.wantsCancel
      && venue.holdings[childID(child.sequence)]?.end == nil
      && venue.holdings[childID(child.sequence)]?.filled == child.filled.raw
  }

  private mutating func pick<T>(_ queue: WritableKeyPath<AmendingWorld, [T]>) -> T? {
    guard let index = self[keyPath: queue].indices.randomElement(using: &random) else {
      return nil
    }
    return self[keyPath: queue].remove(at: index)
  }

  // MARK: The venue's doing

  private mutating func trade() {
    guard let id = venue.open.randomElement(using: &random) else { return }
    let part = Int64.random(
      in: 1...(Int.random(in: 0..<6, using: &random) > 0 ? 15 : 200), using: &random)
    if let report = venue.trade(id, part) { publish(report) }
  }

  private mutating func expire() {
    guard let id = venue.open.randomElement(using: &random) else { return }
    if case .acknowledged(let report) = venue.end(id, .expired) { publish(report) }
  }

  /// On the private stream: perhaps twice, perhaps never.
  private mutating func publish(_ report: VenueReport) {
    for _ in 0..<Int.random(in: 0...2, using: &random) { tidings.append(.reported(report)) }
  }

  // MARK: The wire

  private mutating func arrive(isLossy: Bool) {
    guard let request = pick(\.requests) else { return }
    let fate = isLossy ? Int.random(in: 0..<5, using: &random) : 0
    // Lost on the way there; or late, after its sender has given up waiting.
    if fate == 4 { return fallSilent(request) }
    if fate == 3 {
      fallSilent(request)
      return requests.append(request)
    }
    var notInPlace = false
    let outcome: VenueOutcome
    switch request {
    case .place(let order): outcome = venue.place(order)
    case .cancel(let id):
      outcome = venue.end(id, .cancelled)
    case .amend(let change, _): (outcome, notInPlace) = venue.amend(change, &random)
    }
    if case .acknowledged(let report) = outcome { publish(report) }
    if fate == 2 { fallSilent(request) } else { answer(request, outcome, notInPlace) }
  }

  private mutating func fallSilent(_ request: Request) {
    switch request {
    case .place: tidings.append(.silent(childID: request.child, reason: "timeout"))
    case .cancel(let id):
      // The desk asks, and cancels once more.
      questions.append(id)
      if order.wantsCancel, ledger.child(id)?.child.isLive == true { requests.append(request) }
    case .amend(_, let version):
      tidings.append(.amendSilent(childID: request.child, version: version, reason: "timeout"))
    }
  }

  private mutating func answer(
    _ request: Request, _ outcome: VenueOutcome, _ notInPlace: Bool
  ) {
    switch (request, outcome) {
    case (.amend(_, let version), .acknowledged(let report)):
      tidings.append(.reported(report))
      tidings.append(seen(report, version, isSettled: false))
    case (_, .acknowledged(let report)): tidings.append(.reported(report))
    case (.amend(_, let version), .rejected(let reason, let text)):
      tidings.append(
        .amendRefused(
          childID: request.child, version: version, reason, text: text, notInPlace: notInPlace))
    case (.cancel(let id), _): questions.append(id)
    case (.place, .rejected), (_, .unknown): break
    }
  }

  private func seen(_ report: VenueReport, _ version: UInt32, isSettled: Bool) -> RoutingEvent {
    .amendSeen(
      childID: report.clientOrderID, version: version,
      OrderTerms(price: report.price, quantity: report.quantity!), isSettled: isSettled)
  }

  private mutating func hearTidings() {
    if let event = pick(\.tidings) { take(event) }
  }

  /// A question is answered at once, so that its answer is no older than what it was asked about.
  private mutating func ask() {
    guard let id = pick(\.questions), let (_, child) = ledger.child(id) else { return }
    let isUnderWay = requests.contains { request in
      if case .cancel = request { false } else { request.child == id }
    }
    guard let report = venue.report(of: id) else {
      // Now and then it is believed too early.
      let isBelieved = !isUnderWay || Int.random(in: 0..<2, using: &random) == 0
      if isBelieved { take(.denied(childID: id)) } else { questions.append(id) }
      return
    }
    take(.reported(report))
    guard let version = child.unansweredVersion else { return }
    take(seen(report, version, isSettled: !isUnderWay))
    if ledger.child(id)?.child.unansweredVersion != nil { questions.append(id) }
  }

  private mutating func listFills() {
    guard let id = pick(\.fillLists), let holding = venue.holdings[id] else { return }
    for fill in holding.executions {
      guard let (_, child) = ledger.child(id) else { return }
      take(
        .reported(
          VenueReport(
            instrument: InstrumentID(0), clientOrderID: id, venueOrderID: "V-\(id)",
            status: .partiallyFilled, filledQuantity: child.filled, fill: fill,
            exchangeTime: start)))
    }
  }
}
