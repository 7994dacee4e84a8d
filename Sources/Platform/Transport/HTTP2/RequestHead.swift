internal import Calls

/// The header fields of one HTTP/2 request, sorted as they arrive.
struct RequestHead {
  var method = ""
  var path = ""
  var authority = ""
  var contentType = ""
  var timeout: Duration?
  var hasMalformedTimeout = false
  var encoding = ""
  var acceptsTrailers = false
  var traceParent: String?
  /// Everything that is not a pseudo-header; names are lower case, as HTTP/2 demands.
  var fields: [HTTPHeader] = []
  /// Counted as SETTINGS_MAX_HEADER_LIST_SIZE counts: names, values and 32 for each field.
  private(set) var bytes = 0

  /// `application/grpc`, with `+proto` or the like after it.
  var isGRPC: Bool {
    guard contentType.hasPrefix("application/grpc") else { return false }
    let rest = contentType.utf8.dropFirst(16).first
    return rest == nil || rest == UInt8(ascii: "+") || rest == UInt8(ascii: ";")
  }

  mutating func add(
    _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>, max: Int
  ) {
    bytes += name.count + value.count + 32
    guard bytes <= max else { return }
    let text = String(decoding: value, as: UTF8.self)
    if name.first == UInt8(ascii: ":") {
      switch name.count {
      case 5: path = text
      case 7 where name[1] == UInt8(ascii: "m"): method = text
      case 10: authority = text
      default: break
      }
      return
    }
    let key = String(decoding: name, as: UTF8.self)
    switch key {
    case "content-type": contentType = text
    case "te": acceptsTrailers = text == "trailers"
    case "grpc-timeout":
      timeout = CallTimeout.parse(value)
      hasMalformedTimeout = timeout == nil
    case "grpc-encoding": encoding = text
    case "traceparent": traceParent = text
    default: break
    }
    fields.append(HTTPHeader(key, text))
  }

  var metadata: Metadata {
    var metadata = Metadata()
    for field in fields where !MetadataCodec.isReserved(field.name) {
      MetadataCodec.add(field.name, field.value, to: &metadata)
    }
    return metadata
  }
}
