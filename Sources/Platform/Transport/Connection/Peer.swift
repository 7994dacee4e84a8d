/// Who is at the other end of a connection.
package struct Peer: Sendable, Hashable {
  /// `127.0.0.1:40112`, or `unix`.
  package var address: String
  package var isEncrypted: Bool
  /// It came back with a ticket of an earlier handshake.
  package var isResumed = false
  /// The service in the verified certificate's URI; nil without a certificate of the mesh.
  package var serviceName: String?
  /// The protocol agreed on in the TLS handshake.
  package var alpn: String?

  /// The address without its port.
  var host: String {
    guard let colon = address.lastIndex(of: ":") else { return address }
    return String(address[..<colon])
  }

  package init(
    address: String, isEncrypted: Bool = false, serviceName: String? = nil, alpn: String? = nil
  ) {
    self.address = address
    self.isEncrypted = isEncrypted
    self.serviceName = serviceName
    self.alpn = alpn
  }
}
