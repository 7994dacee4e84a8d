internal import ServiceKit

/// The last lines of a child's log, for a message that says why it died.
func logTail(_ path: String, lines: Int) -> String {
  do {
    let bytes = try readFile(path)
    let text = String(decoding: bytes.suffix(16_384), as: UTF8.self)
    return text.split(separator: "\n").suffix(lines).map { "    \($0)" }.joined(separator: "\n")
  } catch {
    return "    (\(error))"
  }
}
