/// One JSON object under construction, on one line.
struct LogLine {
  // A value longer than this is cut: a line is for reading, and one line must not fill a pipe.
  static let textMax = 2048

  private var bytes: [UInt8]

  init() {
    bytes = []
    bytes.reserveCapacity(256)
    bytes.append(UInt8(ascii: "{"))
  }

  mutating func add(_ name: String, _ value: LogValue) {
    if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
    quote(name)
    bytes.append(UInt8(ascii: ":"))
    switch value {
    case .text(let text): quote(text)
    case .integer(let integer): bytes.append(contentsOf: String(integer).utf8)
    case .boolean(let isTrue): bytes.append(contentsOf: (isTrue ? "true" : "false").utf8)
    // JSON has no spelling for NaN and the infinities.
    case .number(let number) where number.isFinite: bytes.append(contentsOf: "\(number)".utf8)
    case .number(let number): quote("\(number)")
    }
  }

  func finished() -> [UInt8] { bytes + [UInt8(ascii: "}"), UInt8(ascii: "\n")] }

  private mutating func quote(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    var count = 0
    for scalar in text.unicodeScalars {
      count += UTF8.width(scalar)
      if count > Self.textMax {
        bytes.append(contentsOf: "…".utf8)
        break
      }
      escape(scalar)
    }
    bytes.append(UInt8(ascii: "\""))
  }

  private mutating func escape(_ scalar: Unicode.Scalar) {
    switch scalar {
    case "\"": bytes.append(contentsOf: #"\""#.utf8)
    case "\\": bytes.append(contentsOf: #"\\"#.utf8)
    case "\n": bytes.append(contentsOf: #"\n"#.utf8)
    case "\r": bytes.append(contentsOf: #"\r"#.utf8)
    case "\t": bytes.append(contentsOf: #"\t"#.utf8)
    case "\u{0}"..<"\u{20}", "\u{7f}":
      let digits = String(scalar.value, radix: 16)
      bytes.append(contentsOf: #"\u"#.utf8)
      bytes.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: 4 - digits.utf8.count))
      bytes.append(contentsOf: digits.utf8)
    default: UTF8.encode(scalar)?.forEach { bytes.append($0) }
    }
  }
}
