/// Decodes `%XX`; nil when an escape is malformed or the bytes are not UTF-8.
///
/// `keepingSlash` leaves `%2F` as it is: http.proto's rule for variables of several segments.
func percentDecoded(_ text: Substring, keepingSlash: Bool = false) -> String? {
  guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
  var bytes: [UInt8] = []
  var rest = text.utf8
  while let byte = rest.popFirst() {
    guard byte == UInt8(ascii: "%") else {
      bytes.append(byte)
      continue
    }
    guard let first = rest.popFirst(), let second = rest.popFirst(),
      let high = hexadecimal(first), let low = hexadecimal(second)
    else { return nil }
    let decoded = high << 4 | low
    if keepingSlash, decoded == UInt8(ascii: "/") {
      bytes += [byte, first, second]
    } else {
      bytes.append(decoded)
    }
  }
  return String(validating: bytes, as: UTF8.self)
}

/// `a=1&b.c=2`, decoded; nil when an escape is malformed. A plus sign is a plus sign.
func queryPairs(_ query: String) -> [(name: String, value: String)]? {
  var pairs: [(name: String, value: String)] = []
  for pair in query.split(separator: "&") {
    let name = pair.prefix { $0 != "=" }
    let value = pair[name.endIndex...].dropFirst()
    guard let name = percentDecoded(name), let value = percentDecoded(value) else { return nil }
    pairs.append((name, value))
  }
  return pairs
}

func hexadecimal(_ byte: UInt8) -> UInt8? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
  default: nil
  }
}
