/// Rules that can be broken on purpose, to see that the storm finds out: each case is a guard put back
/// as it was before the fault was mended, or taken away.
///
/// A build without `MUTANTS` in its environment has none of them: `isOn` is false there, and what
/// stands behind it is not compiled in. With it, one is chosen by its name when the program begins.
package enum Mutant: String, Sendable, CaseIterable {
  /// A second request under the name of an order in flight passes the gate unasked.
  case provisionalUnasked = "A1"
  /// The two legs of a self-trade, which have one execution id, are one execution.
  case legsAreOne = "A3"
  /// A check is admitted and given back: it takes of the order rate.
  case checkConsumes = "A4"
  /// A cancel has a number of tries, the kill switch asks once, and a refusal is the end of both.
  case cancelGivesUp = "A5"
  /// Limits that cannot be read are those of the settings again, and the kill switch is released.
  case damageIsForgotten = "A7"
  /// A reader goes on behind a sequence, whichever log it is of.
  case logUncompared = "A8"
  /// A limit is for a symbol at each venue.
  case limitsPerVenue = "A9"
  /// What is to be done at the venue is done before its record is on disk.
  case effectBeforeRecord = "A11"
  /// Orders are accepted however many wait to be sent, and for however long.
  case acceptsWithoutEnd = "A12"
  /// A venue that rejects an order which it had taken is not heard.
  case lateRejectionDropped = "A13"
  /// The first denial of an order that may still arrive is believed.
  case firstDenialBelieved = "B1"
  /// The trading day rolls when an event of the oms tells the time, and not by the clock.
  case dayRollsByEvents = "B2"
  /// A gate that starts again has forgotten with which marks the day began, and its loss.
  case dayForgotten = "B3"
  /// Nothing is too old to be sent, cancelled or not.
  case routesHaveNoAge = "B4"
  /// An instrument whose scales have changed is refused by whoever knew it.
  case termsAreForever = "B5"
  /// The router's ledger changes before its journal has room for the event.
  case changeBeforeRoom = "B6"
  /// A fee in the base asset does not lower the gate's position.
  case baseFeeUncounted = "B9"
  /// A replacement that waits for the router is sent although the order is to be cancelled.
  case replaceOvertakesCancel = "replace-overtakes"
  /// What a venue says of an order and does not fit is dropped.
  case cancelDropped = "cancel-dropped"
  /// An order ends although fills of it are missing.
  case endsWithoutFills = "ends-without-fills"
  /// The gate does not hear of the kill switch.
  case killSwitchUnheard = "kill-unheard"
  /// The kill switch leaves open what is open.
  case killClearsNothing = "kill-clears-nothing"
  /// A silence of the oms gives the reservation back.
  case doubtReleases = "doubt-releases"
  /// A refusal of the oms keeps the reservation.
  case refusalKeepsReservation = "refusal-keeps"
  /// What a replacement adds is not reserved.
  case replaceUnreserved = "replace-unreserved"
  /// An order that has ended keeps its reservation.
  case endKeepsReservation = "end-keeps"
  /// The gate does not count fills as position.
  case fillUncounted = "fill-uncounted"
  /// A client order id that is known makes another order.
  case clientIDForgotten = "client-id-forgotten"
  /// A known client order id with other terms is answered with its order.
  case termsUncompared = "terms-uncompared"
  /// An order is acknowledged before it is on disk.
  case answerBeforeDisk = "answer-before-disk"
  /// After a broken stream the oms resumes one report too far.
  case reportSkipped = "report-skipped"
  /// An oms that starts again sends nothing that was still to be sent.
  case resumeForgotten = "resume-forgotten"
  /// Limits are in force and not in the journal.
  case limitsUnsaved = "limits-unsaved"
  /// A connection that broke is taken for a refusal by the venue.
  case silenceIsRefusal = "silence-refused"
  /// A private stream that lost reports asks for nothing.
  case lossUnasked = "loss-unasked"
  /// A fill that is told twice counts twice.
  case fillCountsTwice = "fill-twice"
  /// The router forgets that an order is to be cancelled.
  case cancelForgotten = "cancel-forgotten"
  /// A cancel that came before the venue had the order is forgotten.
  case earlyCancelForgotten = "early-cancel"
  /// An order that is routed again is placed again.
  case routedTwice = "routed-twice"
  /// An order that another instance of the router may have sent is sent again.
  case strangerSent = "stranger-sent"
  /// An order that this instance of the router does not know was never sent, says its cancel.
  case cancelBelievesAbsence = "absence-believed"
  /// A router whose journal is another one is told nothing again.
  case toldOnce = "told-once"
  /// The journal does not sync.
  case syncSkipped = "sync-skipped"
  /// After a broken stream positions resume one event too far.
  case positionSkipped = "position-skipped"
  /// The record goes on at the journal's end, whatever it lacks.
  case recordSkipped = "record-skipped"
}

extension Mutant {
  #if MUTANTS
    /// Set once, before anything runs.
    nonisolated(unsafe) package static var chosen: Mutant?

    @inline(__always)
    package static func isOn(_ mutant: Mutant) -> Bool { chosen == mutant }

    package static let areCompiledIn = true
  #else
    @inline(__always)
    package static func isOn(_ mutant: Mutant) -> Bool { false }

    package static let areCompiledIn = false
  #endif

  /// The name of the one that is on.
  package static var chosenName: String? {
    #if MUTANTS
      chosen?.rawValue
    #else
      nil
    #endif
  }

  package static func chooseNone() {
    #if MUTANTS
      chosen = nil
    #endif
  }

  /// By its name; nil when there is none of it, or when this build has none at all.
  package static func choose(_ name: String) -> Mutant? {
    #if MUTANTS
      chosen = Mutant(rawValue: name)
      return chosen
    #else
      return nil
    #endif
  }
}
