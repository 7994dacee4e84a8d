internal import Execution
internal import Loop
internal import ServiceKit
internal import Telemetry
internal import Venue

/// Which of a venue's live orders is asked about next, so that a report which the private stream has
/// lost while it stayed up leaves no order open for ever.
///
/// Orders that end at once by their terms come first, but for one place of a round; then the one that
/// was not asked for the longest. An order is asked about from its second round on: in the first it may
/// just be on its way.
struct LiveOrderCheck {
  struct Candidate: Sendable, Hashable {
    let childID: String
    let endsAtOnce: Bool
  }

  private let most: Int
  private var round = 0
  /// By child: the round in which it was first seen or last asked about.
  private var last: [String: Int] = [:]

  /// `most`: questions of a round.
  init(most: Int) { self.most = most }

  mutating func next(_ live: [Candidate]) -> [String] {
    round += 1
    let before = last
    last = Dictionary(
      live.map { ($0.childID, before[$0.childID] ?? round) },
      uniquingKeysWith: { first, _ in first })
    let due = live.filter { before[$0.childID] != nil }.sorted {
      (before[$0.childID] ?? 0, $0.childID) < (before[$1.childID] ?? 0, $1.childID)
    }
    let urgent = due.filter(\.endsAtOnce).prefix(max(1, most - 1))
    let others = due.filter { !urgent.contains($0) }
    let chosen = (urgent + others).prefix(most).map(\.childID)
    for id in chosen { last[id] = round }
    return chosen
  }
}

extension VenueDesk {
  /// Asks about a venue's live orders, a few in every `verify_interval`, until it is cancelled.
  func verify(_ venue: String) async throws {
    var check = LiveOrderCheck(most: config.verifyMax)
    while true {
      await context.loop.sleep(for: config.verifyInterval)
      try Task.checkCancellation()
      var instruments: [String: Instrument] = [:]
      var candidates: [LiveOrderCheck.Candidate] = []
      for (id, _, instrument) in await router.openChildren where instrument.venue.name == venue {
        guard !matters.isOpen(.init(kind: .proof, subject: id)),
          let (order, _) = await router.child(id)
        else { continue }
        instruments[id] = instrument
        candidates.append(
          LiveOrderCheck.Candidate(
            childID: id, endsAtOnce: order.parent.endsAtOnce))
      }
      for id in check.next(candidates) {
        guard let instrument = instruments[id] else { continue }
        verifications.increment()
        try await ask(id, at: instrument)
      }
    }
  }
}
