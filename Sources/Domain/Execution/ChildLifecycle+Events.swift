internal import Mutants
internal import Orders
internal import Units
internal import Venue

/// What happens to a child.
extension ChildLifecycle {
  // MARK: The venue's word

  /// From any of its mouths: an answer, its private stream, a query. They cross: only what never was
  /// the venue's own word is overturned here, a denial or a refusal.
  mutating func take(_ report: VenueReport, _ side: Side, _ news: inout [ChildNews]) {
    let isDropped = Mutant.isOn(.lateRejectionDropped) && report.status == .rejected
    if isDropped, wasAcknowledged { return }
    venueFilled = max(venueFilled, report.filledQuantity)
    if isLive {
      if report.status != .rejected { acknowledge(report, &news) }
    } else if !wasAcknowledged, report.status != .rejected || report.fill != nil {
      revive(report, &news)
    }
    if let fill = report.fill { take(fill, side, &news) }
    guard isLive else {
      if missesFills { news.append(.missesFills) }
      return
    }
    if report.status.isTerminal {
      if report.filledQuantity < filled {
        setAside(
          "the venue's total \(report.filledQuantity.raw) is below the \(filled.raw) of its own "
            + "fills", &news)
      }
      // What we have asked for needs no reason.
      if !isCancelUnderWay, report.rejectReason != nil || !report.rejectText.isEmpty {
        rejection = Rejection(reason: report.rejectReason, text: report.rejectText)
      }
      stage = .ending(meaning(of: report), total: report.filledQuantity)
    } else if missesFills {
      news.append(.missesFills)
    }
    finishIfComplete(&news)
  }

  /// Asked after the end, the venue says that it is open.
  mutating func appear(_ report: VenueReport, _ side: Side, _ news: inout [ChildNews]) {
    if !isLive, !report.status.isTerminal { revive(report, &news) }
    take(report, side, &news)
  }

  private mutating func revive(_ report: VenueReport, _ news: inout [ChildNews]) {
    if !wasAcknowledged { venueOrderID = report.venueOrderID }
    stage = .acknowledged
    isUnwanted = true
    isCancelUnderWay = false
    isDenied = false
    rejection = nil
    news.append(.appeared(filled: filled))
  }

  /// A venue cancels an order for what it was (Kraken: "Post only order") or rejects it after it was
  /// taken (OKX): both mean that it never lived.
  private func meaning(of report: VenueReport) -> VenueOrderStatus {
    guard filled == .zero, report.filledQuantity == .zero else {
      return report.status == .rejected ? .cancelled : report.status
    }
    let wasRefused = report.status == .cancelled && report.rejectReason != nil && !isCancelUnderWay
    return wasRefused ? .rejected : report.status
  }

  private mutating func acknowledge(_ report: VenueReport, _ news: inout [ChildNews]) {
    switch stage {
    case .intended, .unknown: stage = .acknowledged
    case .acknowledged, .ending, .ended: break
    }
    guard wasAcknowledged else {
      venueOrderID = report.venueOrderID
      // A cancel that went out before this may have come before the order, and found nothing.
      if !report.status.isTerminal { isCancelUnderWay = false }
      news.append(.acknowledged(isOver: report.status.isTerminal))
      return
    }
    guard report.venueOrderID != venueOrderID, !report.venueOrderID.isEmpty else { return }
    setAside(
      "the venue's order id changed from \(venueOrderID) to \(report.venueOrderID)", &news)
  }

  private mutating func take(_ fill: VenueFill, _ side: Side, _ news: inout [ChildNews]) {
    guard !executions.contains(fill.executionID) || Mutant.isOn(.fillCountsTwice) else { return }
    let (sum, overflow) = filled.raw.addingReportingOverflow(fill.quantity.raw)
    guard fill.price > .zero, fill.quantity > .zero, !overflow else {
      setAside(
        "fill \(fill.executionID) of \(fill.quantity.raw) at \(fill.price.raw) cannot be", &news)
      return
    }
    executions.insert(fill.executionID)
    if provesAmendment(fill, side) { confirmAmendment(&news) }
    filled = Quantity(sum)
    venueFilled = max(venueFilled, filled)
    news.append(.filled(fill))
    if filled > quantityMax {
      setAside(
        "fill \(fill.executionID) makes \(filled.raw) of an order of \(quantityMax.raw)", &news)
    }
    endIfFilled()
    if isLive { finishIfComplete(&news) }
  }

  /// Its own count ends a child. While an amendment is unanswered only the larger quantity does.
  private mutating func endIfFilled() {
    guard isLive, filled >= quantityMax else { return }
    stage = .ending(.filled, total: filled)
  }

  private mutating func finishIfComplete(_ news: inout [ChildNews]) {
    guard case .ending(let status, let total) = stage else { return }
    let isWhole = filled >= total || Mutant.isOn(.endsWithoutFills)
    if isWhole { end(status, &news) } else { news.append(.missesFills) }
  }

  private mutating func end(_ status: VenueOrderStatus, _ news: inout [ChildNews]) {
    let wasAmending = amendment != nil
    stage = .ended(status)
    amendment = nil
    news.append(.ended(status, rejection, wasAmending: wasAmending))
  }

  mutating func setAside(_ text: String, _ news: inout [ChildNews]) {
    guard !disputes.contains(text) else { return }
    disputes.append(text)
    news.append(.setAside(text))
    news.append(.questioned)
  }

  /// The venue was asked, and has said what it knows.
  mutating func settle() { disputes = [] }

  // MARK: Its no, and its silence

  /// It did not take the order.
  mutating func refuse(_ reason: RejectReason, _ text: String, _ news: inout [ChildNews]) {
    guard isLive else { return }
    guard !wasAcknowledged else {
      return setAside("the venue refuses an order that it has: \(reason.name): \(text)", &news)
    }
    rejection = Rejection(reason: reason, text: text)
    end(.rejected, &news)
  }

  mutating func fallSilent(_ reason: String, _ news: inout [ChildNews]) {
    guard stage == .intended else { return }
    stage = .unknown
    news.append(.doubted(reason))
    news.append(.questioned)
  }

  mutating func doubtCancel(_ news: inout [ChildNews]) {
    if isLive { news.append(.questioned) }
  }

  /// Asked often and late enough, the venue knows nothing of it.
  mutating func deny(_ news: inout [ChildNews]) {
    guard isLive else { return }
    isDenied = true
    guard wasAcknowledged else {
      rejection = Rejection(reason: .venueUnavailable, text: "the order never reached the venue")
      return end(.rejected, &news)
    }
    let text = "the venue denies an order that it had acknowledged"
    setAside(text, &news)
    rejection = Rejection(reason: .unknownOrder, text: text)
    stage = .ending(.cancelled, total: venueFilled)
    finishIfComplete(&news)
  }

  mutating func refuseCancel(_ reason: RejectReason, _ text: String, _ news: inout [ChildNews]) {
    guard isLive, isCancelUnderWay else { return }
    isCancelUnderWay = false
    news.append(.cancelRefused(reason, text: text))
  }

  // MARK: Amendments

  mutating func amend(_ version: UInt32, _ terms: OrderTerms) {
    amendment = Amendment(version: version, terms: terms)
  }

  /// The venue's no. What it has never heard of, or not any more, has ended: how, a query tells.
  mutating func refuseAmendment(
    _ version: UInt32, _ reason: RejectReason, _ text: String, notInPlace: Bool,
    _ news: inout [ChildNews]
  ) {
    guard unansweredVersion == version else { return }
    if reason == .unknownOrder {
      news.append(.questioned)
    } else {
      giveUpAmending(reason, text, placingAnew: notInPlace, &news)
    }
  }

  mutating func doubtAmendment(_ version: UInt32, _ reason: String, _ news: inout [ChildNews]) {
    guard unansweredVersion == version, amendment?.isDoubted == false else { return }
    amendment?.isDoubted = true
    news.append(.doubted(reason))
    news.append(.questioned)
  }

  /// The new terms prove the amendment at any time; the old ones refute it once it can no longer
  /// arrive. Terms that are neither were somebody else's wish: the child gives way to another.
  mutating func see(
    _ terms: OrderTerms, _ version: UInt32, isSettled: Bool, _ news: inout [ChildNews]
  ) {
    guard unansweredVersion == version, let amendment else { return }
    if terms == amendment.terms {
      // More has filled than that: the venue ends it, and says so.
      guard filled <= terms.quantity else { return }
      confirmAmendment(&news)
      endIfFilled()
      finishIfComplete(&news)
    } else if isSettled {
      let isOurs = terms == self.terms
      self.terms = terms
      giveUpAmending(
        .venueUnavailable, "the venue did not carry the amendment out", placingAnew: !isOurs,
        &news)
    }
  }

  /// A limit order never fills worse than its limit, nor more than its quantity: a fill beyond the old
  /// terms is under the new ones, and must be told after them.
  private func provesAmendment(_ fill: VenueFill, _ side: Side) -> Bool {
    guard isLive, amendment != nil, let limit = terms.price else { return false }
    let isWorse = side == .buy ? fill.price > limit : fill.price < limit
    return isWorse || filled + fill.quantity > terms.quantity
  }

  private mutating func confirmAmendment(_ news: inout [ChildNews]) {
    guard let amendment else { return }
    terms = amendment.terms
    self.amendment = nil
    news.append(.amended)
  }

  private mutating func giveUpAmending(
    _ reason: RejectReason, _ text: String, placingAnew: Bool, _ news: inout [ChildNews]
  ) {
    amendment = nil
    news.append(.notAmended(reason, text: text, placingAnew: placingAnew))
    endIfFilled()
    finishIfComplete(&news)
  }
}
