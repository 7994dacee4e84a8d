import Chrono
import Execution
import Orders
import Seeds
import Tables
import Testing
import Units
import Venue

/// An oms, a routing ledger and a venue with a wire between them that delays, reorders, repeats and
/// loses. The ledger's process may end at any moment and begin again from its journal.
struct AmendingWorld {
  enum Request {
    case place(VenueOrder)
    case cancel(String)
    case amend(VenueAmendment, UInt32)

    var child: String {
      switch self {
      case .place(let order): order.clientOrderID
      case .cancel(let id): id
      case .amend(let change, _): change.clientOrderID
      }
    }
  }

  let seed: UInt64
  var random: SeededGenerator
  var venue = AmendingVenue()
  var ledger = RoutingLedger()
  var oms: OrderLifecycle
  var journal: [RoutingEvent] = []
  /// On their way, in no order.
  var wishes: [RoutingEvent] = []
  var requests: [Request] = []
  var tidings: [RoutingEvent] = []
  var questions: [String] = []
  var fillLists: [String] = []
  private(set) var amended = 0
  private(set) var replacedInPlace = 0
  private(set) var reappeared = 0
  /// This venue says true things only: nothing of it is ever set aside.
  private(set) var setAside: [String] = []

  init(seed: UInt64) {
    self.seed = seed
    random = SeededGenerator(seed: seed)
    let parent = parent()
    oms = OrderLifecycle(
      Order(
        id: parent.id, clientOrderID: "c", account: "main", strategy: "",
        instrument: InstrumentID(0),
        side: parent.side, type: parent.type, timeInForce: parent.timeInForce,
        price: parent.terms.price, quantity: parent.terms.quantity, createdTime: start))
    tell(.accepted)
    take(.routed(parent))
  }

  var order: RoutedOrder { ledger.orders[OrderID(1)]! }

  // MARK: The oms

  /// A fault of the lifecycle is a fault of the ledger: it has told what cannot be.
  private mutating func tell(_ event: OrderEvent) {
    do {
      for decided in try oms.decide(event) {
        if decided != event { setAside.append("\(event): \(decided)") }
        _ = try oms.apply(decided, at: start)
      }
    } catch {
      Issue.record("seed \(seed): the oms cannot take \(event): \(error.problem)")
    }
  }

  mutating func wishToReplace() {
    let quantity = Quantity(Int64.random(in: 1...200, using: &random))
    let price = Price([100_00, 101_00].randomElement(using: &random)!)
    let terms = OrderTerms(price: price, quantity: quantity)
    guard (try? oms.apply(.replaceRequested(terms), at: start)) != nil else { return }
    let amendable =
      [Amendable.nothing, .smallerQuantity, .priceAndQuantity, .priceAndQuantity].randomElement(
        using: &random)!
    wishes.append(
      .replaceRequested(parent: OrderID(1), version: oms.sequence, terms, amendable))
  }

  mutating func wishToCancel() {
    guard !oms.isTerminal, !oms.isCancelRequested else { return }
    tell(.cancelRequested(reason: ""))
    wishes.append(.cancelRequested(parent: OrderID(1)))
  }

  // MARK: The ledger

  mutating func take(_ event: RoutingEvent) {
    let (changed, effects) = ledger.apply(event)
    if changed { journal.append(event) } else { #expect(effects.isEmpty, "seed \(seed)") }
    for effect in effects {
      switch effect {
      case .report(_, let report): hear(report)
      case .place(let order): requests.append(.place(order))
      case .cancel(_, let id): requests.append(.cancel(id))
      case .amend(let change, let version):
        amended += 1
        requests.append(.amend(change, version))
      case .query(_, let id): questions.append(id)
      case .listFills(_, let id, _): fillLists.append(id)
      }
    }
    check()
  }

  private mutating func hear(_ report: ParentReport) {
    switch report {
    case .acknowledged(let id): tell(.venueAcknowledged(venueOrderID: id))
    case .filled(let fill, _):
      tell(.filled(fill, venueFilled: oms.filledQuantity + fill.quantity))
    case .cancelled: tell(.cancelled(venueFilled: nil))
    case .cancelRejected(let reason, let text): tell(.cancelRejected(reason, text: text))
    case .replaced(_, let id):
      if id == oms.venueOrderID { replacedInPlace += 1 }
      tell(.replaced(venueOrderID: id))
    case .replaceRejected(let reason, let text): tell(.replaceRejected(reason, text: text))
    case .rejected(let reason, let text): tell(.rejected(reason, text: text))
    case .expired: tell(.expired(venueFilled: nil))
    case .unknown(let reason): tell(.becameUnknown(reason: reason))
    case .reappeared(let terms, let id):
      reappeared += 1
      tell(.reappeared(terms, venueOrderID: id))
    case .setAside(let text): setAside.append(text)
    }
  }

  private func check() {
    let live = order.children.filter(\.isLive)
    #expect(live.count <= 1, "seed \(seed): two children live")
    let most = max(order.terms.quantity, order.replacement?.terms.quantity ?? .zero)
    for child in live {
      let exposed = order.filled - child.filled + child.quantityMax
      #expect(exposed <= most, "seed \(seed): exposed to \(exposed), asked for \(most)")
    }
    #expect(oms.filledQuantity == order.filled, "seed \(seed)")
  }

  /// The process ends: answers on their way are lost, requests are not. The journal makes the ledger
  /// again, and every live child is asked about.
  mutating func restart() {
    tidings.removeAll { if case .reported(let report) = $0 { report.fill == nil } else { true } }
    var again = RoutingLedger()
    for event in journal { _ = again.apply(event) }
    #expect(again.orders == ledger.orders, "seed \(seed): the journal makes another ledger")
    ledger = again
    (questions, fillLists) = ([], [])
    reconcile()
  }

  mutating func reconcile() {
    for child in order.children where child.isLive || child.isDenied || child.isUnproven {
      let id = childID(child.sequence)
      questions.append(id)
      if child.missesFills { fillLists.append(id) }
      if order.wantsCancel(child) { requests.append(.cancel(id)) }
    }
    for id in venue.open where ledger.child(id)?.child.isLive == false {
      if let report = venue.report(of: id) { take(.appeared(report)) }
    }
  }
}
