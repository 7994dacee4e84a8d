/// Rules that can be broken on purpose, to see that the storm finds out: each case is a guard put back
/// as it was before the fault was mended, or taken away.
///
/// A build without `MUTANTS` in its environment has none of them: `isOn` is false there, and what
/// stands behind it is not compiled in. With it, one is chosen by its name when the program begins.
package enum Mutant: String, Sendable, CaseIterable {
  /// A second request under the name of an order in flight passes the gate unasked (A1).
  case provisionalUnasked = "A1"
  /// An execution is known by its id alone, whichever order it is of (A3).
  case executionWithoutOrder = "A3"
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
