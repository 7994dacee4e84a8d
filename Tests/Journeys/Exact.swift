/// The whole number that a decimal text is at a scale: `units("1.25", scale: 4)` is 12500. Nil for any
/// text that is not exactly one, such as one with more digits. The tests' own reading of money,
/// independent of the program's.
func units(_ text: String?, scale: Int) -> Int128? {
  guard let text else { return nil }
  let isNegative = text.hasPrefix("-")
  let parts = text.drop { $0 == "-" }.split(separator: ".", omittingEmptySubsequences: false)
  guard (1...2).contains(parts.count), !parts[0].isEmpty else { return nil }
  var fraction = parts.count == 2 ? String(parts[1]) : ""
  while fraction.count > scale, fraction.last == "0" { fraction.removeLast() }
  guard fraction.count <= scale else { return nil }
  fraction += String(repeating: "0", count: scale - fraction.count)
  guard let value = Int128(parts[0] + fraction) else { return nil }
  return isNegative ? -value : value
}
