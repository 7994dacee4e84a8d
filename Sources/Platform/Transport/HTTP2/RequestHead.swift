internal import Calls
private import Glibc

/// The header fields of one HTTP/2 request, in memory that the connection's next one uses again.
///
/// A call whose fields are all the protocol's own makes no text of any of them. Confined to its
/// connection's loop.
final class RequestHead {
  /// Bytes of a name or value here.
  struct Piece {
    var start = 0
    var count = 0
  }

  private struct Field {
    var own: Own
    var isApplications: Bool
    /// Kept for fields that are not the protocol's own.
    var name: Piece
    var value: Piece
  }

  /// The protocol's own fields, whose names need not be kept.
  private enum Own: UInt8 {
    case none, pseudo, te, host, userAgent, connection, contentType, timeout, encoding
    case contentLength, transferEncoding, acceptedEncodings

    var name: String {
      switch self {
      case .none, .pseudo: ""
      case .te: "te"
      case .host: "host"
      case .userAgent: "user-agent"
      case .connection: "connection"
      case .contentType: "content-type"
      case .timeout: "grpc-timeout"
      case .encoding: "grpc-encoding"
      case .contentLength: "content-length"
      case .transferEncoding: "transfer-encoding"
      case .acceptedEncodings: "grpc-accept-encoding"
      }
    }
  }

  // Memory comes with the first field: a connection that only waits is 2 KB smaller.
  private var bytes = UnsafeMutablePointer<UInt8>(bitPattern: RequestHead.nowhere)!
  private var capacity = 0
  private var used = 0
  private var fields = UnsafeMutablePointer<Field>(bitPattern: RequestHead.nowhere)!
  private var fieldCapacity = 0
  private var fieldCount = 0
  private var method = Piece()
  private var authority = Piece()
  private var contentType = Piece()
  private var encoding = Piece()
  private var acceptedEncodings = Piece()
  private var te = Piece()
  private var timeout = Piece()
  private var traceParent = Piece()
  private var hasApplicationFields = false
  private(set) var path = Piece()
  private(set) var hasTimeout = false
  /// Counted as SETTINGS_MAX_HEADER_LIST_SIZE counts: names, values and 32 for each field.
  private(set) var countedBytes = 0

  /// What most requests need; more is given back with the next one.
  private static let usual = 1024
  private static let usualFields = 24
  /// An aligned address of no memory.
  private static let nowhere = 16

  deinit {
    if capacity > 0 { bytes.deallocate() }
    if fieldCapacity > 0 { fields.deallocate() }
  }

  /// For the next request.
  func reset() {
    if capacity > Self.usual {
      bytes.deallocate()
      bytes = .allocate(capacity: Self.usual)
      capacity = Self.usual
    }
    (used, fieldCount, countedBytes) = (0, 0, 0)
    (method, path, authority) = (Piece(), Piece(), Piece())
    (contentType, encoding, timeout, traceParent) = (Piece(), Piece(), Piece(), Piece())
    (acceptedEncodings, te) = (Piece(), Piece())
    (hasTimeout, hasApplicationFields) = (false, false)
  }

  /// Fields beyond `max` are counted and not kept.
  func add(
    _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>, max: Int
  ) {
    countedBytes += name.count + value.count + 32
    guard countedBytes <= max else { return }
    guard name.count > 0 else { return }
    if used + name.count + value.count > capacity { grow(by: name.count + value.count) }
    let value = keepWithoutBlanks(value)
    let own = sort(name, value)
    var field = Field(own: own, isApplications: false, name: Piece(), value: value)
    if own == .none {
      field.isApplications = isApplications(name)
      if field.isApplications { hasApplicationFields = true }
      field.name = keep(name.baseAddress!, name.count)
    }
    if fieldCount == fieldCapacity { growFields() }
    (fields + fieldCount).initialize(to: field)
    fieldCount += 1
  }

  @inline(__always)
  private func keep(_ text: UnsafePointer<UInt8>, _ count: Int) -> Piece {
    defer { used += count }
    memcpy(bytes + used, text, count)
    return Piece(start: used, count: count)
  }

  /// Without the white space that may surround a value (RFC 9110, section 5.5).
  @inline(__always)
  private func keepWithoutBlanks(_ value: UnsafeBufferPointer<UInt8>) -> Piece {
    func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
    guard let start = value.baseAddress, value.count > 0 else { return Piece() }
    var (first, end) = (0, value.count)
    while first < end, isBlank(start[first]) { first += 1 }
    while end > first, isBlank(start[end - 1]) { end -= 1 }
    return keep(start + first, end - first)
  }

  private func grow(by count: Int) {
    let larger = Swift.max(Self.usual, 2 * capacity, used + count)
    let moved = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
    if capacity > 0 {
      memcpy(moved, bytes, used)
      bytes.deallocate()
    }
    (bytes, capacity) = (moved, larger)
  }

  private func growFields() {
    let larger = Swift.max(Self.usualFields, 2 * fieldCapacity)
    let moved = UnsafeMutablePointer<Field>.allocate(capacity: larger)
    if fieldCapacity > 0 {
      moved.moveInitialize(from: fields, count: fieldCount)
      fields.deallocate()
    }
    (fields, fieldCapacity) = (moved, larger)
  }

  /// Remembers where the protocol's own fields are.
  private func sort(_ name: UnsafeBufferPointer<UInt8>, _ value: Piece) -> Own {
    if name[0] == UInt8(ascii: ":") {
      switch name.count {
      case 5: path = value
      case 7 where name[1] == UInt8(ascii: "m"): method = value
      case 10: authority = value
      default: break
      }
      return .pseudo
    }
    switch name.count {
    case 2 where Self.equals(name, "te"):
      te = value
      return .te
    case 4 where Self.equals(name, "host"): return .host
    case 10 where Self.equals(name, "user-agent"): return .userAgent
    case 10 where Self.equals(name, "connection"): return .connection
    case 11 where Self.equals(name, "traceparent"):
      traceParent = value
      return .none
    case 12 where Self.equals(name, "content-type"):
      contentType = value
      return .contentType
    case 12 where Self.equals(name, "grpc-timeout"):
      (timeout, hasTimeout) = (value, true)
      return .timeout
    case 13 where Self.equals(name, "grpc-encoding"):
      encoding = value
      return .encoding
    case 14 where Self.equals(name, "content-length"): return .contentLength
    case 17 where Self.equals(name, "transfer-encoding"): return .transferEncoding
    case 20 where Self.equals(name, "grpc-accept-encoding"):
      acceptedEncodings = value
      return .acceptedEncodings
    default: return .none
    }
  }

  private func isApplications(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
    let prefix: StaticString = "grpc-"
    guard name.count > 5, memcmp(name.baseAddress!, prefix.utf8Start, 5) == 0 else { return true }
    return Self.equals(name, "grpc-previous-rpc-attempts")
  }

  private static func equals(_ name: UnsafeBufferPointer<UInt8>, _ text: StaticString) -> Bool {
    name.count == text.utf8CodeUnitCount
      && memcmp(name.baseAddress!, text.utf8Start, name.count) == 0
  }

  // MARK: Asking

  /// Valid until the next request.
  func buffer(_ piece: Piece) -> UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(start: bytes + piece.start, count: piece.count)
  }

  private func text(_ piece: Piece) -> String { String(decoding: buffer(piece), as: UTF8.self) }

  private func equals(_ piece: Piece, _ text: StaticString) -> Bool {
    piece.count == text.utf8CodeUnitCount
      && memcmp(bytes + piece.start, text.utf8Start, piece.count) == 0
  }

  private func begins(_ piece: Piece, _ text: StaticString) -> Bool {
    piece.count >= text.utf8CodeUnitCount
      && memcmp(bytes + piece.start, text.utf8Start, text.utf8CodeUnitCount) == 0
  }

  var isPost: Bool { equals(method, "POST") }
  var isHead: Bool { equals(method, "HEAD") }
  var methodText: String { text(method) }
  var pathText: String { text(path) }
  var authorityText: String { text(authority) }
  var hasContentType: Bool { contentType.count > 0 }

  /// `application/grpc`, with `+proto` or the like after it.
  var isGRPC: Bool {
    guard begins(contentType, "application/grpc") else { return false }
    if contentType.count == 16 { return true }
    let next = bytes[contentType.start + 16]
    return next == UInt8(ascii: "+") || next == UInt8(ascii: ";")
  }

  /// Nil without one, and when it is malformed.
  var callTimeout: Duration? { hasTimeout ? CallTimeout.parse(buffer(timeout)) : nil }

  /// `te: trailers`: nobody on the way drops what a call ends with.
  var takesTrailers: Bool { equals(te, "trailers") }

  /// The caller reads gzip. The lists of gRPC's own clients need no look at their parts.
  var acceptsGzip: Bool {
    let list = acceptedEncodings
    guard list.count >= 4 else { return false }
    if equals(list, "identity,gzip") || equals(list, "gzip")
      || equals(list, "identity, deflate, gzip")
    {
      return true
    }
    return buffer(list).split(separator: UInt8(ascii: ",")).contains {
      trimmed($0).elementsEqual("gzip".utf8)
    }
  }

  var isGzip: Bool { equals(encoding, "gzip") }
  /// The encoding of messages when it is none that we know.
  var unknownEncoding: String? {
    encoding.count == 0 || isGzip || equals(encoding, "identity") ? nil : text(encoding)
  }

  /// The value of `traceparent`; empty without one.
  var traceParentBytes: UnsafeBufferPointer<UInt8> { buffer(traceParent) }

  /// The application's fields.
  var metadata: Metadata {
    var metadata = Metadata()
    guard hasApplicationFields else { return metadata }
    for index in 0..<fieldCount where fields[index].isApplications {
      MetadataCodec.add(text(fields[index].name), text(fields[index].value), to: &metadata)
    }
    return metadata
  }

  /// Everything that is not a pseudo-header; names are lower case, as HTTP/2 demands.
  var headers: [HTTPHeader] {
    (0..<fieldCount).compactMap { index in
      let field = fields[index]
      if field.own == .pseudo { return nil }
      return HTTPHeader(field.own == .none ? text(field.name) : field.own.name, text(field.value))
    }
  }
}
