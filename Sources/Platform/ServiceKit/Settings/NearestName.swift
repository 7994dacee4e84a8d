/// The known name closest to a mistyped one, when it is close enough to be what was meant.
package func nearestName(to wrong: String, among known: some Sequence<String>) -> String? {
  let limit = max(2, wrong.utf8.count / 3)
  var best: (name: String, distance: Int)?
  for name in known {
    let distance = editDistance(wrong, name)
    if distance <= limit, distance < best?.distance ?? .max { best = (name, distance) }
  }
  return best?.name
}

/// `; did you mean "max_order_size"?`, or nothing.
package func suggestion(for wrong: String, among known: some Sequence<String>) -> String {
  nearestName(to: wrong, among: known).map { "; did you mean \"\($0)\"?" } ?? ""
}

/// Levenshtein's distance in bytes, a swap of neighbours counted as one step.
func editDistance(_ left: String, _ right: String) -> Int {
  let (left, right) = (Array(left.utf8), Array(right.utf8))
  guard !left.isEmpty, !right.isEmpty else { return max(left.count, right.count) }
  var older: [Int] = []
  var previous = Array(0...right.count)
  for row in 1...left.count {
    var current = [row]
    for column in 1...right.count {
      let same = left[row - 1] == right[column - 1]
      var least = min(
        previous[column] + 1, current[column - 1] + 1, previous[column - 1] + (same ? 0 : 1))
      if row > 1, column > 1, left[row - 1] == right[column - 2], left[row - 2] == right[column - 1]
      {
        least = min(least, older[column - 2] + 1)
      }
      current.append(least)
    }
    older = previous
    previous = current
  }
  return previous[right.count]
}
