/// Writes JSON text front to back, with commas and escapes in their places.
///
/// Misuse (a value where a name belongs, a container left open) is a bug and traps.
package struct JSONWriter: Sendable {
  private enum Place: UInt8 {
    case firstElement, element, firstName, name, value
  }

  package private(set) var bytes: [UInt8] = []
  private var places: [Place] = []
  private var isDone = false

  package init(reserving capacity: Int = 256) { bytes.reserveCapacity(capacity) }

  /// The whole text. Precondition: every container is closed.
  package func finished() -> [UInt8] {
    precondition(isDone && places.isEmpty, "JSON text is unfinished")
    return bytes
  }

  package var text: String { String(decoding: finished(), as: UTF8.self) }

  // MARK: Containers

  package mutating func beginObject() {
    beginValue()
    bytes.append(UInt8(ascii: "{"))
    places.append(.firstName)
  }

  package mutating func endObject() {
    let place = places.popLast()
    precondition(place == .firstName || place == .name, "no JSON object to end here")
    bytes.append(UInt8(ascii: "}"))
    isDone = places.isEmpty
  }

  package mutating func beginArray() {
    beginValue()
    bytes.append(UInt8(ascii: "["))
    places.append(.firstElement)
  }

  package mutating func endArray() {
    let place = places.popLast()
    precondition(place == .firstElement || place == .element, "no JSON array to end here")
    bytes.append(UInt8(ascii: "]"))
    isDone = places.isEmpty
  }

  /// An object whose members are written by `body`.
  package mutating func object<E: Error>(
    _ body: (inout JSONWriter) throws(E) -> Void
  ) throws(E) {
    beginObject()
    try body(&self)
    endObject()
  }

  package mutating func array<E: Error>(
    _ body: (inout JSONWriter) throws(E) -> Void
  ) throws(E) {
    beginArray()
    try body(&self)
    endArray()
  }

  package mutating func name(_ name: String) {
    switch places.last {
    case .firstName: break
    case .name: bytes.append(UInt8(ascii: ","))
    default: preconditionFailure("the JSON member name \(name) is not inside an object")
    }
    quote(name)
    bytes.append(UInt8(ascii: ":"))
    places[places.count - 1] = .value
  }

  // MARK: Values

  // Concrete types beside the generic ones: another module's call of a generic is not specialised
  // and takes ten times as long.

  package mutating func string(_ value: String) {
    beginValue()
    quote(value)
  }

  package mutating func string(_ value: Substring) { string(String(value)) }

  package mutating func integer(_ value: Int64) {
    beginValue()
    append(value.magnitude, isNegative: value < 0)
  }

  package mutating func integer(_ value: UInt64) {
    beginValue()
    append(value, isNegative: false)
  }

  package mutating func integer(_ value: Int) { integer(Int64(value)) }

  package mutating func integer(_ value: some BinaryInteger) {
    if value < 0 { integer(Int64(value)) } else { integer(UInt64(value)) }
  }

  /// A number as text. Precondition: `[0-9+-.eE]` only; the caller's numbers come from integers.
  package mutating func number(text: some StringProtocol) {
    beginValue()
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
        UInt8(ascii: "+"), UInt8(ascii: "e"), UInt8(ascii: "E"):
        bytes.append(byte)
      default: preconditionFailure("\(text) is not a JSON number")
      }
    }
  }

  /// The shortest text that reads back as the same Double, for statistics, never for money.
  /// What JSON cannot say (NaN, infinities) is written as proto3 does, as a string.
  package mutating func double(_ value: Double) {
    guard value.isFinite else {
      string(value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity")
      return
    }
    beginValue()
    let text = value.description
    bytes.append(contentsOf: (text.hasSuffix(".0") ? text.dropLast(2) : text[...]).utf8)
  }

  package mutating func bool(_ value: Bool) {
    beginValue()
    bytes.append(contentsOf: (value ? "true" : "false").utf8)
  }

  package mutating func null() {
    beginValue()
    bytes.append(contentsOf: "null".utf8)
  }

  /// A value of another document, as it stands there.
  package mutating func value(_ value: JSONValue) {
    beginValue()
    bytes.append(contentsOf: value.source)
  }

  /// Text that already is one JSON value.
  package mutating func raw(_ json: some Collection<UInt8>) {
    beginValue()
    bytes.append(contentsOf: json)
  }

  // MARK: Members

  package mutating func member(_ name: String, _ value: String) {
    self.name(name)
    string(value)
  }

  package mutating func member(_ name: String, _ value: Substring) {
    self.name(name)
    string(value)
  }

  package mutating func member(_ name: String, _ value: Int) {
    self.name(name)
    integer(value)
  }

  package mutating func member(_ name: String, _ value: Int64) {
    self.name(name)
    integer(value)
  }

  package mutating func member(_ name: String, _ value: some BinaryInteger) {
    self.name(name)
    integer(value)
  }

  package mutating func member(_ name: String, _ value: Bool) {
    self.name(name)
    bool(value)
  }

  package mutating func member(_ name: String, number text: some StringProtocol) {
    self.name(name)
    number(text: text)
  }

  package mutating func member(_ name: String, double value: Double) {
    self.name(name)
    double(value)
  }

  package mutating func member<E: Error>(
    _ name: String, object body: (inout JSONWriter) throws(E) -> Void
  ) throws(E) {
    self.name(name)
    try object(body)
  }

  package mutating func member<E: Error>(
    _ name: String, array body: (inout JSONWriter) throws(E) -> Void
  ) throws(E) {
    self.name(name)
    try array(body)
  }

  // MARK: Bytes

  private mutating func beginValue() {
    guard let place = places.last else {
      precondition(!isDone, "a JSON text holds one value")
      isDone = true
      return
    }
    switch place {
    case .firstElement: places[places.count - 1] = .element
    case .element: bytes.append(UInt8(ascii: ","))
    case .value: places[places.count - 1] = .name
    case .firstName, .name: preconditionFailure("a JSON object's value needs a name before it")
    }
  }

  private mutating func append(_ magnitude: UInt64, isNegative: Bool) {
    var digits = (UInt64(0), UInt64(0), UInt64(0))
    withUnsafeMutableBytes(of: &digits) { buffer in
      var at = buffer.count
      var rest = magnitude
      repeat {
        at -= 1
        buffer[at] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
        rest /= 10
      } while rest > 0
      if isNegative {
        at -= 1
        buffer[at] = UInt8(ascii: "-")
      }
      bytes.append(contentsOf: buffer[at...])
    }
  }

  private mutating func quote(_ text: String) {
    var text = text
    bytes.append(UInt8(ascii: "\""))
    text.withUTF8 { buffer in
      // Most text has nothing to escape: what lies between two escapes is copied at once.
      var start = 0
      for at in 0..<buffer.count {
        let byte = buffer[at]
        if byte >= 0x20 && byte != 0x22 && byte != 0x5c { continue }
        bytes.append(contentsOf: buffer[start..<at])
        escape(byte)
        start = at + 1
      }
      bytes.append(contentsOf: buffer[start...])
    }
    bytes.append(UInt8(ascii: "\""))
  }

  private mutating func escape(_ byte: UInt8) {
    switch byte {
    case 0x22: bytes += [0x5c, 0x22]
    case 0x5c: bytes += [0x5c, 0x5c]
    case 0x08: bytes += [0x5c, UInt8(ascii: "b")]
    case 0x0c: bytes += [0x5c, UInt8(ascii: "f")]
    case 0x0a: bytes += [0x5c, UInt8(ascii: "n")]
    case 0x0d: bytes += [0x5c, UInt8(ascii: "r")]
    case 0x09: bytes += [0x5c, UInt8(ascii: "t")]
    case 0..<0x20:
      let digits = Array("0123456789abcdef".utf8)
      bytes += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    default: bytes.append(byte)
    }
  }
}
