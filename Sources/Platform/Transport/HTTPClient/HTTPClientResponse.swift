/// What the peer answered, whole, of any status.
package struct HTTPClientResponse: Sendable {
  package let status: Int
  /// Names in lower case.
  package let headers: [HTTPHeader]
  package let body: [UInt8]

  package func header(_ name: String) -> String? { headers.first(name) }
}
