/// The weather in which a mutant is tried: what its rule is for has to happen there.
package struct MutantTrial: Sendable, Hashable {
  /// As `--faults` takes them.
  package let faults: String
  /// Simulated, in rounds of `round` seconds.
  package let seconds: Int
  package let round: Int
  /// Faults come so many times as often as usual.
  package let density: Int

  package init(_ faults: String, seconds: Int = 110, round: Int = 110, density: Int = 3) {
    self.faults = faults
    self.seconds = seconds
    self.round = round
    self.density = density
  }

  package static let usual = MutantTrial(
    "crashes,power,lost,silence,streams,fills,doubled")
}

extension Mutant {
  package var trial: MutantTrial {
    switch self {
    case .legsAreOne: MutantTrial("selves")
    case .cancelGivesUp, .killClearsNothing: MutantTrial("bans,silence")
    case .damageIsForgotten: MutantTrial("damage")
    case .logUncompared, .toldOnce: MutantTrial("backups", seconds: 60, round: 60)
    case .limitsPerVenue, .baseFeeUncounted, .checkConsumes: MutantTrial("fills")
    case .strangerSent: MutantTrial("power,crashes,cuts")
    // The record of an order is lost that is to be cancelled while nobody is there, and its venue lists
    // nothing then: otherwise it is found in a moment.
    case .cancelBelievesAbsence: MutantTrial("power,bans", seconds: 600, round: 300, density: 12)
    case .effectBeforeRecord, .changeBeforeRoom, .syncSkipped, .answerBeforeDisk:
      MutantTrial("power,space,crashes")
    case .acceptsWithoutEnd, .routesHaveNoAge: MutantTrial("crashes")
    case .lateRejectionDropped: MutantTrial("rejections")
    case .firstDenialBelieved: MutantTrial("stragglers,silence,crashes")
    case .dayRollsByEvents: MutantTrial("bans", seconds: 130, round: 130)
    case .dayForgotten: MutantTrial("fills")
    case .termsAreForever: MutantTrial("terms,delistings")
    // The router is away for long, and comes back to a replacement first: that is rare.
    case .replaceOvertakesCancel: MutantTrial("crashes", seconds: 600, round: 300, density: 2)
    case .endsWithoutFills, .fillCountsTwice: MutantTrial("silence,streams,fills")
    // It lasts until the gate has missed the oms's events for a while, and refuses orders for that.
    case .doubtReleases: MutantTrial("cuts", seconds: 300, round: 300, density: 12)
    case .refusalKeepsReservation: MutantTrial("space,crashes,slow")
    case .replaceUnreserved: MutantTrial("slow,late")
    case .limitsUnsaved: MutantTrial("crashes", seconds: 200, round: 200, density: 10)
    case .lossUnasked: MutantTrial("streams,fills")
    case .reportSkipped, .routedTwice, .positionSkipped, .provisionalUnasked:
      MutantTrial("crashes,lost,slow,cuts")
    default: .usual
    }
  }
}
