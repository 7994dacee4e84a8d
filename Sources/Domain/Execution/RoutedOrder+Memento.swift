package import Orders
package import Units
package import Venue

extension ChildLifecycle {
  /// Everything that a child is, for those who write it down and make it again. A new field of the
  /// child belongs here too.
  package struct Memento: Sendable, Hashable {
    package var sequence: UInt32
    package var terms: OrderTerms
    package var amendment: Change?
    package var stage: Stage
    package var venueOrderID: String
    package var filled: Quantity
    package var venueFilled: Quantity
    package var disputes: [String]
    package var isUnwanted: Bool
    package var isDenied: Bool
    package var isCancelUnderWay: Bool
    package var rejection: Refusal?
    package var executions: Set<String>

    package struct Change: Sendable, Hashable {
      package var version: UInt32
      package var terms: OrderTerms
      package var isDoubted: Bool

      package init(version: UInt32, terms: OrderTerms, isDoubted: Bool) {
        self.version = version
        self.terms = terms
        self.isDoubted = isDoubted
      }
    }

    package struct Refusal: Sendable, Hashable {
      package var reason: RejectReason?
      package var text: String

      package init(reason: RejectReason?, text: String) {
        self.reason = reason
        self.text = text
      }
    }

    package init(
      sequence: UInt32, terms: OrderTerms, amendment: Change?, stage: Stage, venueOrderID: String,
      filled: Quantity, venueFilled: Quantity, disputes: [String], isUnwanted: Bool,
      isDenied: Bool, isCancelUnderWay: Bool, rejection: Refusal?, executions: Set<String>
    ) {
      self.sequence = sequence
      self.terms = terms
      self.amendment = amendment
      self.stage = stage
      self.venueOrderID = venueOrderID
      self.filled = filled
      self.venueFilled = venueFilled
      self.disputes = disputes
      self.isUnwanted = isUnwanted
      self.isDenied = isDenied
      self.isCancelUnderWay = isCancelUnderWay
      self.rejection = rejection
      self.executions = executions
    }
  }

  package var memento: Memento {
    Memento(
      sequence: sequence, terms: terms,
      amendment: amendment.map {
        Memento.Change(version: $0.version, terms: $0.terms, isDoubted: $0.isDoubted)
      },
      stage: stage, venueOrderID: venueOrderID, filled: filled, venueFilled: venueFilled,
      disputes: disputes, isUnwanted: isUnwanted, isDenied: isDenied,
      isCancelUnderWay: isCancelUnderWay,
      rejection: rejection.map { Memento.Refusal(reason: $0.reason, text: $0.text) },
      executions: executions)
  }

  init(_ memento: Memento) {
    self.init(sequence: memento.sequence, terms: memento.terms)
    amendment = memento.amendment.map {
      Amendment(version: $0.version, terms: $0.terms, isDoubted: $0.isDoubted)
    }
    stage = memento.stage
    venueOrderID = memento.venueOrderID
    filled = memento.filled
    venueFilled = memento.venueFilled
    disputes = memento.disputes
    isUnwanted = memento.isUnwanted
    isDenied = memento.isDenied
    isCancelUnderWay = memento.isCancelUnderWay
    rejection = memento.rejection.map { Rejection(reason: $0.reason, text: $0.text) }
    executions = memento.executions
  }
}

extension RoutedOrder {
  /// The same for a parent.
  package struct Memento: Sendable, Hashable {
    package var parent: ParentOrder
    package var terms: OrderTerms
    package var children: [ChildLifecycle.Memento]
    package var filled: Quantity
    package var isCancelRequested: Bool
    package var replacement: Wish?
    package var lastReplaceVersion: UInt32
    package var isDone: Bool
    package var isReopened: Bool
    package var hasFilledSince: Bool

    package struct Wish: Sendable, Hashable {
      package var version: UInt32
      package var terms: OrderTerms

      package init(version: UInt32, terms: OrderTerms) {
        self.version = version
        self.terms = terms
      }
    }

    package init(
      parent: ParentOrder, terms: OrderTerms, children: [ChildLifecycle.Memento],
      filled: Quantity, isCancelRequested: Bool, replacement: Wish?, lastReplaceVersion: UInt32,
      isDone: Bool, isReopened: Bool, hasFilledSince: Bool
    ) {
      self.parent = parent
      self.terms = terms
      self.children = children
      self.filled = filled
      self.isCancelRequested = isCancelRequested
      self.replacement = replacement
      self.lastReplaceVersion = lastReplaceVersion
      self.isDone = isDone
      self.isReopened = isReopened
      self.hasFilledSince = hasFilledSince
    }
  }

  package var memento: Memento {
    Memento(
      parent: parent, terms: terms, children: children.map(\.memento), filled: filled,
      isCancelRequested: isCancelRequested,
      replacement: replacement.map { Memento.Wish(version: $0.version, terms: $0.terms) },
      lastReplaceVersion: lastReplaceVersion, isDone: isDone, isReopened: isReopened,
      hasFilledSince: hasFilledSince)
  }

  /// Nil when no order was ever like that.
  package init?(_ memento: Memento) {
    guard !memento.children.isEmpty,
      memento.children.enumerated().allSatisfy({ Int($1.sequence) == $0 + 1 })
    else { return nil }
    self.init(memento.parent)
    terms = memento.terms
    children = memento.children.map(ChildLifecycle.init)
    filled = memento.filled
    isCancelRequested = memento.isCancelRequested
    replacement = memento.replacement.map { Replacement(version: $0.version, terms: $0.terms) }
    lastReplaceVersion = memento.lastReplaceVersion
    isDone = memento.isDone
    isReopened = memento.isReopened
    hasFilledSince = memento.hasFilledSince
  }
}
