package import Calls
package import Chrono

extension GoogleProtobuf.Timestamp {
  package init(_ instant: Instant) {
    self.init()
    let (quotient, remainder) = instant.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
    // Protobuf counts nanos forward from the second, also before 1970.
    self.seconds = remainder < 0 ? quotient - 1 : quotient
    self.nanos = Int32(remainder < 0 ? remainder + 1_000_000_000 : remainder)
  }
}

extension Instant {
  /// Refuses nanos outside a second and times that 64-bit nanoseconds cannot hold (1677 to 2262).
  package init(_ timestamp: GoogleProtobuf.Timestamp, field: String) throws(RPCError) {
    guard (0..<1_000_000_000).contains(timestamp.nanos) else {
      throw .invalid(field, "has nanos outside 0 to 999999999")
    }
    let (product, overflow) = timestamp.seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, carried) = product.addingReportingOverflow(Int64(timestamp.nanos))
    guard !overflow, !carried else { throw .invalid(field, "is outside the years 1678 to 2261") }
    self.init(nanoseconds: sum)
  }

  /// Nil when the timestamp is absent.
  package init?(_ timestamp: GoogleProtobuf.Timestamp?, field: String) throws(RPCError) {
    guard let timestamp else { return nil }
    try self.init(timestamp, field: field)
  }
}

extension GoogleProtobuf.Duration {
  package init(_ duration: Swift.Duration) {
    self.init()
    let (seconds, attoseconds) = duration.components
    self.seconds = seconds
    self.nanos = Int32(attoseconds / 1_000_000_000)
  }
}

extension Swift.Duration {
  /// Refuses nanos whose sign differs from the seconds' or that exceed a second.
  package init(_ duration: GoogleProtobuf.Duration, field: String) throws(RPCError) {
    let nanos = Int64(duration.nanos)
    guard abs(nanos) < 1_000_000_000,
      duration.seconds == 0 || nanos == 0
        || (duration.seconds < 0) == (nanos < 0)
    else { throw .invalid(field, "has nanos that do not fit its seconds") }
    self.init(secondsComponent: duration.seconds, attosecondsComponent: nanos * 1_000_000_000)
  }
}
