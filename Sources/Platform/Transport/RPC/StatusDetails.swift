internal import Calls
internal import Wire

/// `google.rpc.Status` with the details we know (google/rpc/status.proto, error_details.proto), as
/// carried in `grpc-status-details-bin`.
enum StatusDetails {
  private static let badRequest = "type.googleapis.com/google.rpc.BadRequest"
  private static let errorInfo = "type.googleapis.com/google.rpc.ErrorInfo"
  private static let retryInfo = "type.googleapis.com/google.rpc.RetryInfo"

  static func encode(_ error: RPCError) -> [UInt8] {
    var status = Fields()
    status.number(1, UInt64(error.code.rawValue))
    status.text(2, error.message)
    for detail in error.details {
      let (url, value) = packed(detail)
      var any = Fields()
      any.text(1, url)
      any.bytes(2, value)
      status.bytes(3, any.encoded)
    }
    return status.encoded
  }

  private static func packed(_ detail: ErrorDetail) -> (String, [UInt8]) {
    var fields = Fields()
    switch detail {
    case .badRequest(let violations):
      for violation in violations {
        var entry = Fields()
        entry.text(1, violation.field)
        entry.text(2, violation.problem)
        fields.bytes(1, entry.encoded)
      }
      return (badRequest, fields.encoded)
    case .errorInfo(let reason, let domain, let metadata):
      fields.text(1, reason)
      fields.text(2, domain)
      for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
        var entry = Fields()
        entry.text(1, key)
        entry.text(2, value)
        fields.bytes(3, entry.encoded)
      }
      return (errorInfo, fields.encoded)
    case .retryInfo(let delay):
      let (seconds, attoseconds) = delay.components
      var duration = Fields()
      duration.number(1, UInt64(bitPattern: seconds))
      duration.number(2, UInt64(bitPattern: attoseconds / 1_000_000_000))
      fields.bytes(1, duration.encoded)
      return (retryInfo, fields.encoded)
    case .other(let url, let value):
      return (url, value)
    }
  }

  /// Nil when the bytes are not a google.rpc.Status; details that cannot be read are kept as bytes.
  static func decode(_ bytes: [UInt8]) -> [ErrorDetail]? {
    var details: [ErrorDetail] = []
    let whole = forEachField(bytes) { field, value in
      guard field == 3 else { return }
      var (url, content) = ("", [UInt8]())
      let read = forEachField(value) { field, value in
        if field == 1 { url = String(decoding: value, as: UTF8.self) }
        if field == 2 { content = value }
      }
      if read { details.append(unpacked(url, content)) }
    }
    return whole ? details : nil
  }

  private static func unpacked(_ url: String, _ value: [UInt8]) -> ErrorDetail {
    var detail: ErrorDetail?
    switch url {
    case badRequest: detail = violations(value)
    case errorInfo: detail = information(value)
    case retryInfo: detail = retry(value)
    default: break
    }
    return detail ?? .other(typeURL: url, value: value)
  }

  private static func violations(_ bytes: [UInt8]) -> ErrorDetail? {
    var found: [FieldViolation] = []
    let whole = forEachField(bytes) { field, value in
      if field == 1, let (name, problem) = pair(value) {
        found.append(FieldViolation(field: name, problem: problem))
      }
    }
    return whole ? .badRequest(found) : nil
  }

  private static func information(_ bytes: [UInt8]) -> ErrorDetail? {
    var (reason, domain) = ("", "")
    var metadata: [String: String] = [:]
    let whole = forEachField(bytes) { field, value in
      switch field {
      case 1: reason = String(decoding: value, as: UTF8.self)
      case 2: domain = String(decoding: value, as: UTF8.self)
      case 3: if let (key, value) = pair(value) { metadata[key] = value }
      default: break
      }
    }
    return whole ? .errorInfo(reason: reason, domain: domain, metadata: metadata) : nil
  }

  private static func retry(_ bytes: [UInt8]) -> ErrorDetail? {
    var delay = Duration.zero
    let whole = forEachField(bytes) { field, value in
      guard field == 1 else { return }
      var (seconds, nanoseconds) = (Int64(0), Int64(0))
      _ = value.withUnsafeBytes { bytes in
        var reader = WireReader(bytes)
        do throws(WireError) {
          while case let tag = try reader.tag(), tag != 0 {
            switch tag {
            case 1 << 3: seconds = try reader.int64()
            case 2 << 3: nanoseconds = try reader.int64()
            default: try reader.skip(tag)
            }
          }
          return true
        } catch {
          return false
        }
      }
      delay = .seconds(seconds) + .nanoseconds(nanoseconds)
    }
    return whole ? .retryInfo(delay: delay) : nil
  }

  private static func pair(_ bytes: [UInt8]) -> (String, String)? {
    var (first, second) = ("", "")
    let whole = forEachField(bytes) { field, value in
      if field == 1 { first = String(decoding: value, as: UTF8.self) }
      if field == 2 { second = String(decoding: value, as: UTF8.self) }
    }
    return whole ? (first, second) : nil
  }

  /// Visits the length-delimited fields; false when the bytes are malformed.
  private static func forEachField(_ bytes: [UInt8], _ visit: (UInt32, [UInt8]) -> Void) -> Bool {
    bytes.withUnsafeBytes { bytes in
      var reader = WireReader(bytes)
      do throws(WireError) {
        while case let tag = try reader.tag(), tag != 0 {
          if tag & 7 == 2 { visit(tag >> 3, try reader.bytes()) } else { try reader.skip(tag) }
        }
        return true
      } catch {
        return false
      }
    }
  }
}

/// Fields of a small message, written in order.
private struct Fields {
  private(set) var encoded: [UInt8] = []

  mutating func number(_ field: UInt64, _ value: UInt64) {
    guard value != 0 else { return }
    varint(field << 3)
    varint(value)
  }

  mutating func text(_ field: UInt64, _ value: String) { bytes(field, Array(value.utf8)) }

  mutating func bytes(_ field: UInt64, _ value: [UInt8]) {
    varint(field << 3 | 2)
    varint(UInt64(value.count))
    encoded += value
  }

  private mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      encoded.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    encoded.append(UInt8(rest))
  }
}
