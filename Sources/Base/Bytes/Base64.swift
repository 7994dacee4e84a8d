/// RFC 4648 base64, strict: one text for one value, so that two texts never mean the same signature.
package enum Base64: Sendable {
  /// `+` and `/`, padded to four with `=` (section 4).
  case standard
  /// `-` and `_`, never padded (section 5, as JWT uses it).
  case url

  package func encode(_ bytes: some Collection<UInt8>) -> String {
    let alphabet = self == .standard ? Self.standardAlphabet : Self.urlAlphabet
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    var held: UInt32 = 0
    var bits: UInt32 = 0
    for byte in bytes {
      held = held << 8 | UInt32(byte)
      bits += 8
      while bits >= 6 {
        bits -= 6
        text.append(alphabet[Int(held >> bits & 63)])
      }
    }
    if bits > 0 { text.append(alphabet[Int(held << (6 - bits) & 63)]) }
    if self == .standard {
      while text.count % 4 != 0 { text.append(UInt8(ascii: "=")) }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Refuses foreign characters, wrong padding and bits that do not belong to a byte.
  package func decode(_ text: some StringProtocol) throws(Base64Error) -> [UInt8] {
    try decode(Array(text.utf8))
  }

  package func decode(_ text: [UInt8]) throws(Base64Error) -> [UInt8] {
    let digits = try withoutPadding(text)
    guard digits.count % 4 != 1 else { throw .wrongLength(text.count) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 4 * 3 + 2)
    var held: UInt32 = 0
    var bits: UInt32 = 0
    for (offset, digit) in digits.enumerated() {
      guard let value = value(of: digit) else { throw .foreignCharacter(offset: offset) }
      held = held << 6 | value
      bits += 6
      if bits >= 8 {
        bits -= 8
        bytes.append(UInt8(truncatingIfNeeded: held >> bits))
      }
    }
    guard held & (1 << bits - 1) == 0 else { throw .strayBits }
    return bytes
  }

  private func withoutPadding(_ text: [UInt8]) throws(Base64Error) -> ArraySlice<UInt8> {
    guard self == .standard else { return text[...] }
    guard text.count % 4 == 0 else { throw .wrongLength(text.count) }
    let padding = text.suffix(2).reversed().prefix { $0 == UInt8(ascii: "=") }.count
    return text.dropLast(padding)
  }

  private func value(of digit: UInt8) -> UInt32? {
    switch digit {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(digit - UInt8(ascii: "A"))
    case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(digit - UInt8(ascii: "a")) + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(digit - UInt8(ascii: "0")) + 52
    case UInt8(ascii: "+") where self == .standard, UInt8(ascii: "-") where self == .url: 62
    case UInt8(ascii: "/") where self == .standard, UInt8(ascii: "_") where self == .url: 63
    default: nil
    }
  }

  private static let letters = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
  private static let standardAlphabet = letters + Array("+/".utf8)
  private static let urlAlphabet = letters + Array("-_".utf8)
}

package enum Base64Error: Error, Hashable {
  case wrongLength(Int)
  case foreignCharacter(offset: Int)
  /// The last digit carries bits beyond the last byte.
  case strayBits
}
