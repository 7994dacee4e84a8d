import Transport

/// What the server under test is started with.
struct EchoServerOptions {
  static let usage =
    "ADDRESS [--journal FOLDER] [--tls CERTIFICATE KEY] [--spin MICROSECONDS]"

  let address: Address
  /// Where it accepts orders; nil when it does not.
  private(set) var journal: String?
  /// PEM files; nil for plaintext only.
  private(set) var credentials: (certificate: String, key: String)?
  private(set) var spin = Duration.zero

  init?(_ arguments: [String]) {
    guard let text = arguments.first, let address = Address(text) else { return nil }
    self.address = address
    var rest = arguments.dropFirst()
    while let word = rest.popFirst() {
      switch word {
      case "--journal":
        guard let folder = rest.popFirst() else { return nil }
        journal = folder
      case "--tls":
        guard let certificate = rest.popFirst(), let key = rest.popFirst() else { return nil }
        credentials = (certificate, key)
      case "--spin":
        guard let count = rest.popFirst().flatMap({ Int($0) }), count >= 0 else { return nil }
        spin = .microseconds(count)
      default: return nil
      }
    }
  }
}
