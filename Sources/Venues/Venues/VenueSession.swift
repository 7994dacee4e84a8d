package import Units
package import Venue

/// A balance at a venue, exact.
package struct VenueBalance: Sendable, Hashable {
  package var asset: String
  package var free: Decimal
  package var locked: Decimal

  package init(asset: String, free: Decimal, locked: Decimal) {
    self.asset = asset
    self.free = free
    self.locked = locked
  }
}

/// A fill as a venue's history tells it, for catching up after silence.
package struct VenueFillRecord: Sendable, Hashable {
  package var instrument: InstrumentID
  package var venueOrderID: String
  package var fill: VenueFill

  package init(instrument: InstrumentID, venueOrderID: String, fill: VenueFill) {
    self.instrument = instrument
    self.venueOrderID = venueOrderID
    self.fill = fill
  }
}

/// What a private stream says.
package enum PrivateEvent: Sendable, Hashable {
  /// The stream is up. Reports sent before it are lost, so the hearer reconciles: open orders and
  /// fills are to be queried, at the first connection as at every later one.
  case connected(attempt: Int)
  case disconnected(reason: String)
  /// Something was told that could not be read: the hearer reconciles as after a connection.
  case missed(reason: String)
  case report(VenueReport)
  case balances([VenueBalance])
}

/// Why a venue's answer to a question that changes nothing is missing.
package struct VenueError: Error, Sendable, Hashable, CustomStringConvertible {
  package var reason: RejectReason
  package var description: String

  package init(_ reason: RejectReason, _ description: String) {
    self.reason = reason
    self.description = description
  }
}

extension VenueError {
  /// It is about the asking, and whoever asks on is answered no better: a limit, a venue that is away.
  var isOfTheAsking: Bool { [.rateLimit, .overloaded, .venueUnavailable].contains(reason) }
}

/// What became of a replacement: an order cancelled and another placed by one request.
package struct VenueReplacement: Sendable, Hashable {
  package var cancel: VenueOutcome
  /// Nil when the cancel failed, so that the new order was never tried.
  package var place: VenueOutcome?

  package init(cancel: VenueOutcome, place: VenueOutcome?) {
    self.cancel = cancel
    self.place = place
  }
}

/// Order entry at a venue. Every call may be made from any task, and ends within its timeout.
package protocol VenueOrderEntry: Sendable {
  /// Rejected is what the venue documents as a refusal. Anything else leaves it open whether it has the order,
  /// also that its name is taken: an order of this name is there.
  func place(_ order: VenueOrder) async -> VenueOutcome
  func cancel(_ clientOrderID: String, of instrument: InstrumentID) async -> VenueOutcome
  /// Cancels one order and places another; the new one is not tried when the cancel fails.
  func replace(_ clientOrderID: String, with order: VenueOrder) async -> VenueReplacement
  /// Changes a waiting order in place. What the venue cannot change in place is
  /// `rejected(.venuePolicy)`, and `replace` can do it.
  func amend(_ amendment: VenueAmendment) async -> VenueOutcome
  /// Cancels all of the account's open orders in the instrument, also those that are not ours, and
  /// tells those that the venue took the cancel of. Silence is `venueUnavailable`: query what is
  /// left.
  @discardableResult
  func cancelAll(of instrument: InstrumentID) async throws(VenueError) -> VenueList<VenueReport>
  /// The order's state now. `rejected(.unknownOrder)` is the venue's word that it has none of this
  /// name; for an order sent a moment ago it counts only once the request can no longer arrive, see
  /// `settlesAfter`.
  func query(_ clientOrderID: String, of instrument: InstrumentID) async -> VenueOutcome
  func openOrders(of instrument: InstrumentID) async throws(VenueError) -> VenueList<VenueReport>
  /// Of several instruments, with as few questions as the venue lets it be. An instrument that the venue
  /// does not answer for is missing from the list; an error when it answers for none.
  func openOrders(
    of instruments: [InstrumentID]
  ) async throws(VenueError) -> VenueList<VenueReport>
  /// Fills with execution ids from `executionID` on (nil: the latest), oldest first, at most 1,000.
  func fills(
    of instrument: InstrumentID, from executionID: String?
  ) async throws(VenueError) -> VenueList<VenueFillRecord>
  /// The fills of one order, oldest first; none when the venue knows no such order.
  func fills(
    ofOrder venueOrderID: String, _ instrument: InstrumentID
  ) async throws(VenueError) -> VenueList<VenueFillRecord>
  func balances() async throws(VenueError) -> [VenueBalance]
  /// How long after sending a request can still take effect at the venue.
  var settlesAfter: Duration { get }
}

extension VenueOrderEntry {
  package func openOrders(
    of instruments: [InstrumentID]
  ) async throws(VenueError) -> VenueList<VenueReport> {
    try await openOrdersInTurn(of: instruments)
  }

  /// One question for each.
  func openOrdersInTurn(
    of instruments: [InstrumentID]
  ) async throws(VenueError) -> VenueList<VenueReport> {
    var list = VenueList<VenueReport>()
    var refusal: VenueError?
    var answers = 0
    for instrument in instruments {
      do throws(VenueError) {
        list.append(try await openOrders(of: instrument))
        answers += 1
      } catch {
        list.missing.append(VenueListGap(instrument, error.description))
        refusal = error
      }
    }
    if answers == 0, let refusal { throw refusal }
    return list
  }
}

/// Everything that a market connector needs of one venue.
package protocol VenueSession: Sendable {
  var venue: VenueID { get }
  /// In the order of the symbols that the session was made with; those that the venue does not list
  /// are left out. Must have returned before `start`.
  func loadInstruments() async throws(VenueError) -> [Instrument]
  /// Connects and stays connected until `stop`. Both hearers are awaited: a slow one holds its
  /// stream back, and nothing is dropped.
  func start(
    market: @escaping @Sendable (MarketEvent) async -> Void,
    account: @escaping @Sendable (PrivateEvent) async -> Void
  ) async
  func stop() async
  var orders: any VenueOrderEntry { get }
  /// Gives up the instrument's book and asks the venue for it anew, as after a gap: hearers are told
  /// that it is stale, then a snapshot. Nothing happens while it is being asked for already, or
  /// without a connection, which begins with one anyway.
  func resynchronise(_ instrument: InstrumentID, reason: String)
  /// The venue's clock minus ours; nil before it was first asked.
  var clockOffset: Duration? { get }
  var counters: VenueCounters { get }
  var vitals: SessionVitals { get }
}
