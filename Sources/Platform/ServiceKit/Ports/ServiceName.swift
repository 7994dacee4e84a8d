/// The kebab-case name of a service, on the wire and in the shell: `risk-manager`.
package struct ServiceName: Sendable, Hashable, Comparable, ExpressibleByStringLiteral {
  package let text: String

  package init(_ text: String) { self.text = text }
  package init(stringLiteral text: String) { self.text = text }

  package static func < (left: ServiceName, right: ServiceName) -> Bool { left.text < right.text }

  /// For names of metrics: `risk_manager`.
  package var snake: String { String(text.map { $0 == "-" ? "_" : $0 }) }
}

extension ServiceName: CustomStringConvertible {
  package var description: String { text }
}
