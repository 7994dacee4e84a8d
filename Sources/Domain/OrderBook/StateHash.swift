/// A 64-bit hash that is the same in every process, for comparing states and tapes; unlike
/// `Hasher`, which is seeded anew at each start. Not for keys from outside.
package struct StateHash: Sendable {
  package private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  package init() {}

  /// One round of the splitmix64 finaliser over the running value and the word.
  package mutating func combine(_ word: UInt64) {
    var mixed = (value ^ word) &+ 0x9e37_79b9_7f4a_7c15
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    value = mixed ^ (mixed >> 31)
  }

  package mutating func combine(_ number: Int64) { combine(UInt64(bitPattern: number)) }
}
