internal import Chrono
internal import JSON

extension JSONValue {
  /// A member that tells a time in milliseconds since 1970, as a number or as text; an error for
  /// what is no time of this century or the next.
  func instant(milliseconds name: String) throws(JSONError) -> Instant {
    let value = try member(name)
    guard let milliseconds = value.scaled(0), let instant = Instant(venueMilliseconds: milliseconds)
    else { throw .unexpected("\(name) is \(value), no time in milliseconds") }
    return instant
  }
}

extension Instant {
  /// Nil for what is before 1970 or after 2255: no time, and more than nanoseconds can hold.
  init?(venueMilliseconds milliseconds: Int64) {
    guard milliseconds >= 0, milliseconds < 9_000_000_000_000 else { return nil }
    self.init(milliseconds: milliseconds)
  }
}
