import Seeds

/// Damage as callers, disks and networks do it: bytes changed, lost, doubled, swapped, and words of
/// the format put where they do not belong.
struct Mutation {
  var random: SeededGenerator
  let words: [[UInt8]]
  /// Longer inputs are cut.
  static let bytesMax = 16_384

  mutating func damaged(_ input: [UInt8], beside other: [UInt8]) -> [UInt8] {
    var bytes = input
    for _ in 0...Int.random(in: 0...4, using: &random) { damage(&bytes, other) }
    if bytes.count > Self.bytesMax { bytes.removeLast(bytes.count - Self.bytesMax) }
    return bytes
  }

  private mutating func damage(_ bytes: inout [UInt8], _ other: [UInt8]) {
    let place = Int.random(in: 0...bytes.count, using: &random)
    let length = min(bytes.count - place, 1 << Int.random(in: 0...6, using: &random))
    switch Int.random(in: 0..<9, using: &random) {
    case 0 where place < bytes.count: bytes[place] = .random(in: 0...255, using: &random)
    case 1 where place < bytes.count: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case 2: bytes.removeSubrange(place..<place + length)
    case 3: bytes.insert(contentsOf: bytes[place..<place + length], at: place)
    case 4:
      if let word = words.randomElement(using: &random) {
        bytes.insert(contentsOf: word, at: place)
      }
    case 5:
      if let word = words.randomElement(using: &random) {
        bytes.replaceSubrange(place..<min(bytes.count, place + word.count), with: word)
      }
    case 6:
      let from = Int.random(in: 0...other.count, using: &random)
      bytes.replaceSubrange(place..<bytes.count, with: other[from...])
    case 7:
      let count = Int.random(in: 1...300, using: &random)
      let byte = bytes.isEmpty ? 0x5b : bytes[min(place, bytes.count - 1)]
      bytes.insert(contentsOf: repeatElement(byte, count: count), at: place)
    default: bytes.insert(.random(in: 0...255, using: &random), at: place)
    }
  }
}
