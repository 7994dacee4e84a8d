package import Bytes
package import Chrono
package import Orders
package import Units
package import Venue

/// Values of the domain in snapshots: raw numbers, which mean what their instrument says. Whoever
/// changes what is written here raises the forms of those snapshots that hold it.
extension ByteWriter {
  package mutating func write(_ flag: Bool) { write(UInt8(flag ? 1 : 0)) }

  package mutating func write(_ text: String) { writeCounted(text) }

  package mutating func write(_ text: String?) {
    write(text != nil)
    if let text { writeCounted(text) }
  }

  package mutating func write(_ terms: OrderTerms) {
    write(terms.price != nil)
    if let price = terms.price { write(price.raw) }
    write(terms.quantity.raw)
  }

  package mutating func write(_ terms: OrderTerms?) {
    write(terms != nil)
    if let terms { write(terms) }
  }

  package mutating func write(_ time: Instant) { write(time.nanoseconds) }

  package mutating func write(_ texts: Set<String>) {
    write(UInt32(texts.count))
    for text in texts.sorted() { writeCounted(text) }
  }

  package mutating func write(_ notional: Notional) { write(notional.raw) }

  /// Its raw value; 0 for none.
  package mutating func write(_ reason: RejectReason?) { write(reason?.rawValue ?? 0) }
}

/// A snapshot says something that cannot be.
package struct SnapshotFault: Error, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }
}

extension ByteReader {
  package mutating func readFlag() throws -> Bool {
    switch try read(UInt8.self) {
    case 0: false
    case 1: true
    case let other: throw SnapshotFault("\(other) where a flag was expected")
    }
  }

  package mutating func readOptionalText() throws -> String? {
    try readFlag() ? readCountedText() : nil
  }

  package mutating func readTerms() throws -> OrderTerms {
    let price = try readFlag() ? Price(try read(Int64.self)) : nil
    return OrderTerms(price: price, quantity: Quantity(try read(Int64.self)))
  }

  package mutating func readOptionalTerms() throws -> OrderTerms? {
    try readFlag() ? readTerms() : nil
  }

  package mutating func readTime() throws -> Instant {
    Instant(nanoseconds: try read(Int64.self))
  }

  package mutating func readTexts() throws -> Set<String> {
    var texts: Set<String> = []
    for _ in 0..<(try read(UInt32.self)) { texts.insert(try readCountedText()) }
    return texts
  }

  /// A u32 count, then so many.
  package mutating func readMany<Element>(
    _ read: (inout ByteReader) throws -> Element
  ) throws -> [Element] {
    let count = Int(try self.read(UInt32.self))
    var elements: [Element] = []
    elements.reserveCapacity(min(count, remaining))
    for _ in 0..<count { elements.append(try read(&self)) }
    return elements
  }

  package mutating func readNotional() throws -> Notional { Notional(try read(Int128.self)) }

  package mutating func readQuantity() throws -> Quantity { Quantity(try read(Int64.self)) }

  package mutating func readReason() throws -> RejectReason? {
    let raw = try read(UInt8.self)
    if raw == 0 { return nil }
    return try known(RejectReason(rawValue: raw), raw)
  }

  package mutating func readEnum<Value: RawRepresentable>(
    _ type: Value.Type
  ) throws -> Value where Value.RawValue == UInt8 {
    let raw = try read(UInt8.self)
    return try known(Value(rawValue: raw), raw)
  }

  private func known<Value>(_ value: Value?, _ raw: UInt8) throws -> Value {
    guard let value else { throw SnapshotFault("\(raw) is no \(Value.self)") }
    return value
  }
}
