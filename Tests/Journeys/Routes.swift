import Foundation

/// A REST route as the contracts announce it.
struct Route: Sendable {
  let method: String
  let path: String
  let isAnonymous: Bool

  func filled(order: String) -> String {
    path.replacingOccurrences(of: "{symbol}", with: "BTCUSDT")
      .replacingOccurrences(of: "{venue}", with: "binance")
      .replacingOccurrences(of: "{order_id}", with: order)
      .replacingOccurrences(of: "{strategy_id}", with: "mm-btcusdt")
  }
}

/// Every route that is written in Protos/.
enum Routes {
  static func all() throws -> [Route] {
    let folder = "\(Project.root)/Protos/shrivenquant"
    var routes: [Route] = []
    for case let file as String in FileManager.default.enumerator(atPath: folder) ?? .init()
    where file.hasSuffix(".proto") {
      let text = try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8)
      for call in text.components(separatedBy: "\n  rpc ").dropFirst() {
        routes += Self.routes(of: call.components(separatedBy: "\n  }")[0])
      }
    }
    guard routes.count > 20 else { throw Failure("only \(routes.count) routes in \(folder)") }
    return routes
  }

  private static func routes(of call: String) -> [Route] {
    let verb = /(get|put|post|delete|patch): "(\/[^"]*)"/
    return call.matches(of: verb).map { match in
      Route(
        method: match.output.1.uppercased(), path: String(match.output.2),
        isAnonymous: call.contains("scope) = \"anonymous\""))
    }
  }
}
