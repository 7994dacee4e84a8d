internal import Chrono
internal import Contracts
internal import Execution
internal import Loop
internal import Orders
internal import ServiceKit
internal import Venue

/// When orders came and when they leave: what cannot be sent soon is refused, and what is too old is
/// not sent at all. Told by the times in the orders' ids, which are the oms's, so that nothing is
/// judged while its clock may jump.
///
/// `@unchecked Sendable`: touched on the scheduler's thread only.
final class StormDoor: @unchecked Sendable {
  private let world: StormWorld
  /// Orders that may rest and were taken while nobody could send them, by venue, in their order.
  private var waiting: [String: [Waiting]] = [:]

  private var tickets: [String: StormTicket] = [:]

  private struct Waiting {
    let ticket: StormTicket
    let id: OrderID
  }

  /// The router's `route_age_max` and `resting_route_age_max`.
  private static let ageMax = Duration.seconds(5)
  private static let restingAgeMax = Duration.seconds(60)

  init(_ world: StormWorld) { self.world = world }

  private var isJudged: Bool { !world.settings.faults.contains(.clock) }

  // MARK: In

  func forget() { waiting.removeAll() }

  /// The order that waits too long for another one to be taken, if there is one.
  func came(_ order: OmsV1.Order, _ ticket: StormTicket) -> String? {
    guard isJudged, let id = OrderID(parsing: order.orderId) else { return nil }
    guard let away = world.awaySince("execution-router") else {
      waiting.removeAll()
      return nil
    }
    let venue = ticket.venue.name
    // What came before this absence has had a router since, unheard by anybody at the door.
    var queue = (waiting[venue] ?? []).filter {
      !$0.ticket.wasCancelled && Self.age(of: $0.id, at: away) < .zero
    }
    defer { waiting[venue] = queue }
    let mayRest = ticket.timeInForce == .gtc || ticket.timeInForce == .postOnly
    let first = queue.first
    if mayRest, Self.age(of: id, at: away) < .zero {
      queue.append(Waiting(ticket: ticket, id: id))
    }
    // The oms's `unsent_age_max`, and a little for what is under way.
    let isLate = first.map { Self.milliseconds(id) - Self.milliseconds($0.id) > 3_000 } ?? false
    return isLate ? first?.ticket.clientID : nil
  }

  func sent(_ order: VenueOrder) {
    if !waiting.isEmpty { waiting.removeAll() }
  }

  // MARK: Out

  /// How long ago it came, when that is too long.
  func lateness(of order: VenueOrder) -> Duration? {
    guard isJudged, let child = ChildID(parsing: order.clientOrderID), child.sequence == 1 else {
      return nil
    }
    let age = Self.age(of: child.parent, at: world.scheduler.uptime)
    let endsAtOnce = order.type == .market || [.ioc, .fok].contains(order.timeInForce)
    let most = (endsAtOnce ? Self.ageMax : Self.restingAgeMax) + slack
    return age > most ? age : nil
  }

  /// What may lie between the router's look at an order's age and its leaving: a connector that is
  /// away, wires and processes that hold it, a disk that takes no record.
  private var slack: Duration {
    var slack = Duration.seconds(4)
    let faults = world.settings.faults
    if faults.contains(.slow) { slack += .seconds(12) }
    if faults.contains(.late) { slack += .seconds(4) }
    if faults.contains(.cuts) || faults.contains(.lost) { slack += .seconds(20) }
    if faults.contains(.space) { slack += .seconds(26) }
    return slack
  }

  // MARK: Next children

  func know(_ ticket: StormTicket) {
    if let id = ticket.orderID { tickets[id] = ticket }
  }

  /// A next child goes out for an order that is to be cancelled: since when; nil when that may be.
  func overtaken(by order: VenueOrder) -> Uptime? {
    guard let child = ChildID(parsing: order.clientOrderID), child.sequence > 1,
      let ticket = tickets["\(child.parent)"], let cancelled = ticket.cancelled
    else { return nil }
    let now = world.scheduler.uptime
    // A router that has just begun goes on with what it had, and has not heard yet of what is wanted;
    // what was wanted while it was away it has from nobody but the oms.
    let isNew = world.runningSince("execution-router").map { now - $0 < .seconds(1) } ?? true
    let hadIt =
      (ticket.replaced ?? Uptime(nanoseconds: 0)) < world.lastEnd(of: "execution-router")
    if isNew, hadIt { return nil }
    return now - cancelled > slack ? cancelled : nil
  }

  // MARK: Times

  /// Since 2020-01-01, in the upper bits.
  private static func milliseconds(_ id: OrderID) -> Int64 { Int64(id.raw >> 22) }

  private static func age(of id: OrderID, at moment: Uptime) -> Duration {
    let start = StormSettings.start.nanoseconds / 1_000_000 - 1_577_836_800_000
    let now = start + Int64(moment.nanoseconds / 1_000_000)
    return .milliseconds(now - milliseconds(id))
  }
}
