/// A gRPC service as its .proto states it: its calls and their routes, by reading the text.
struct ProtoService: Sendable {
  /// With its package: `shrivenquant.oms.v1.OrderService`.
  let fullName: String
  var calls: [String] = []
  /// `GET /v1/orders/{order_id}`
  var routes: [String] = []

  private static let verbs = ["get", "post", "put", "patch", "delete"]

  static func all() throws -> [ProtoService] {
    try Tree.files("Protos/shrivenquant", ["proto"]).flatMap { read($0.lines) }
  }

  static func read(_ lines: [Substring]) -> [ProtoService] {
    var package = ""
    var services: [ProtoService] = []
    for line in lines {
      let words = line.split { $0 == " " || $0 == "(" || $0 == ";" }
      guard let first = words.first, !line.hasPrefix("//") else { continue }
      if first == "package", words.count > 1 { package = String(words[1]) }
      if first == "service", words.count > 1 {
        services.append(ProtoService(fullName: "\(package).\(words[1])"))
      }
      guard var service = services.popLast() else { continue }
      if first == "rpc", words.count > 1 { service.calls.append(String(words[1])) }
      service.routes += routes(line)
      services.append(service)
    }
    return services
  }

  private static func routes(_ line: Substring) -> [String] {
    let parts = line.split(separator: "\"", omittingEmptySubsequences: false)
    guard parts.count >= 3 else { return [] }
    return stride(from: 0, to: parts.count - 1, by: 2).compactMap { index in
      let label = parts[index].split { $0 == " " || $0 == "{" }.last ?? ""
      guard label.hasSuffix(":"), verbs.contains(String(label.dropLast())) else { return nil }
      return "\(label.dropLast().uppercased()) \(parts[index + 1])"
    }
  }
}
