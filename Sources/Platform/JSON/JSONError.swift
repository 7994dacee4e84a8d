internal import CSimdJSON

/// Text that is not JSON, or JSON that is not what was expected.
package enum JSONError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Not JSON, or beyond a limit: what is wrong, at which byte of the text.
  case malformed(String, offset: Int)
  /// JSON, but a member is missing or of another kind: `bids[3].price is not a string`.
  case unexpected(String)

  package var description: String {
    switch self {
    case .malformed(let problem, let offset): "\(problem) at byte \(offset)"
    case .unexpected(let problem): problem
    }
  }

  init(_ status: csimdjson_status, offset: Int) {
    self = .malformed(Self.problem(status), offset: offset)
  }

  private static func problem(_ status: csimdjson_status) -> String {
    switch status {
    case CSIMDJSON_EMPTY: "nothing but white space"
    case CSIMDJSON_TOO_LONG: "text too long"
    case CSIMDJSON_TOO_DEEP: "nested too deeply"
    case CSIMDJSON_BAD_UTF8: "invalid UTF-8"
    case CSIMDJSON_UNCLOSED_STRING: "string without end"
    case CSIMDJSON_CONTROL_IN_STRING: "control character in a string"
    case CSIMDJSON_BAD_ESCAPE: "invalid escape"
    case CSIMDJSON_BAD_NUMBER: "invalid number"
    case CSIMDJSON_BAD_LITERAL: "unknown word"
    case CSIMDJSON_EXPECTED_VALUE: "a value was expected"
    case CSIMDJSON_EXPECTED_KEY: "a member name was expected"
    case CSIMDJSON_EXPECTED_COLON: "a colon was expected"
    case CSIMDJSON_EXPECTED_COMMA: "a comma or the closing bracket was expected"
    case CSIMDJSON_TRAILING: "more text after the value"
    case CSIMDJSON_UNFINISHED: "unfinished text"
    default: "no memory"
    }
  }
}
