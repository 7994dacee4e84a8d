package struct UnknownFields: Sendable, Equatable { package init() {} }
package struct WireWriter { package init() {} }
package struct WireReader { package init() {} }
package enum WireError: Error { case truncated }
extension Message {
  package func encoded() -> [UInt8] { [] }
  package init(decoding: [UInt8]) throws(WireError) { self.init() }
}
