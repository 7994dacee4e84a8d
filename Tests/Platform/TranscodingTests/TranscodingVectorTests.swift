import Calls
import Foundation
import JSON
import Testing

@testable import Transcoding

/// Cases restated from the tests of Envoy's library, grpc-gateway and http.proto, read from beside the
/// project when they are there. Where the three disagree, http.proto wins, then Envoy's library.
private let vectors: JSONArray? = {
  let file = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../../../shared/vectors/transcoding_cases.json").standardizedFileURL
  guard let data = try? Data(contentsOf: file) else { return nil }
  return try? JSONDocument(parsing: [UInt8](data))["cases"]?.array
}()

private func cases(_ kind: String) -> [JSONValue] {
  vectors.map { $0.filter { $0["kind"]?.isString(kind) ?? false } } ?? []
}

private struct Route {
  let id: String
  let method: String
  let template: String
}

private func routes(_ value: JSONValue) -> [Route] {
  (value["routes"]?.array).map { array in
    array.map {
      Route(
        id: $0["id"]?.string ?? "", method: $0["method"]?.string ?? "",
        template: $0["pattern"]?.string ?? "")
    }
  } ?? []
}

/// Most paths stand there; very long ones are described.
private func path(of value: JSONValue) -> String {
  if let path = value["path"]?.string { return path }
  guard let part = value["path_generator"] else { return "" }
  let middle = String(repeating: part["repeat"]?.string ?? "", count: part["count"]?.int ?? 0)
  return (part["prefix"]?.string ?? "") + middle + (part["suffix"]?.string ?? "")
}

private func table(_ routes: [Route]) throws -> RouteTable {
  try RouteTable(routes.map { ($0.method, $0.template) })
}

/// Options that ask for another behaviour than the one chosen here.
private let foreignOptions = [
  "MatchUnregisteredCustomVerb", "QueryParamUnescapePlus", "SystemParams",
  "DisablePathLengthFallback",
  "FailRegistrationOnDuplicate",
]

private func isForeign(_ value: JSONValue) -> Bool {
  let options = value["options"]
  if foreignOptions.contains(where: { options?[$0] != nil }) { return true }
  if let mode = options?["UrlUnescapeSpec"]?.string { return mode != "kAllCharactersExceptSlash" }
  if let mode = options?["UnescapingMode"]?.string {
    return mode != "UnescapingModeAllExceptReserved"
  }
  return false
}

@Suite(
  .enabled(
    if: vectors != nil,
    "SKIPPED: transcoding_cases.json is not at ../shared/vectors, nothing was checked here"))
struct `Transcoding vectors` {
  @Test func `GWY-01 paths match and bind as Envoy's library and grpc-gateway have it`() throws {
    var checked = 0
    for value in cases("match") where !isForeign(value) {
      let all = routes(value)
      // Envoy keeps every reserved escape in a variable of several segments, http.proto only %2F.
      if value["source"]?["test"]?.string?.hasPrefix("OnlyUnreservedChars") ?? false,
        value["options"]?["UrlUnescapeSpec"] == nil
      {
        continue
      }
      let (method, path) = (value["method"]!.string!, path(of: value))

      let expected = value["expect"]!
      // What is ambiguous there matches nothing; here it does not start.
      if Set(all.map(\.template)).count < all.count, expected["route"]?.isNull ?? false {
        #expect(throws: RouteError.self) { try table(all) }
        continue
      }

      let match = try table(all).match(method: method, path: path)

      #expect(
        match.map { all[$0.route].id } == expected["route"]?.string, "\(method) \(path.prefix(200))"
      )
      if let match, let bindings = expected["bindings"]?.array {
        let query = try #require(queryPairs(value["query"]?.string ?? ""))
        let found =
          match.bindings.map { [$0.field, $0.value] } + query.map { [$0.name, $0.value] }
        #expect(
          found == bindings.map { [$0[0]!.string!, $0[1]!.string!] }, "\(all) \(path.prefix(200))")
      }
      checked += 1
    }
    #expect(checked > 420)
  }

  @Test func `route tables answer as grpc-gateway's, with 405 for its 501`() throws {
    var checked = 0
    for value in cases("mux") where !isForeign(value) {
      let status = value["expect"]?["http_status"]?.int ?? 0
      let method = value["method"]!.string!
      let path = value["path"]!.string!
      let headers = value["headers"]?.object
      // Tunnelling GET through POST is a habit of grpc-gateway that is not shared here.
      if method == "POST",
        headers?["Content-Type"]?.isString("application/x-www-form-urlencoded") ?? false,
        !routes(value).contains(where: { $0.method == "POST" })
      {
        continue
      }
      if headers?["X-HTTP-Method-Override"] != nil { continue }
      let all = routes(value)
      let table = try table(all)

      let match = try table.match(method: method, path: path)

      switch status {
      case 200:
        let found = match.map { "\(all[$0.route].method) \(all[$0.route].template)" }
        #expect(found == value["expect"]?["matched"]?.string, "\(path)")
      case 501: #expect(match == nil && !table.allowedMethods(path: path).isEmpty, "\(path)")
      case 404: #expect(match == nil, "\(path)")
      default: continue
      }
      checked += 1
    }
    #expect(checked >= 15)
  }

  @Test func `templates that are refused elsewhere are refused here`() {
    for value in cases("template_invalid") {
      let text = value["pattern"]?.string ?? ""
      // grpc-gateway's parser meant this one to end before its end.
      if text == "/v1endpoint" { continue }
      #expect(throws: RouteError.self, "\(text)") { try PathTemplate(text) }
    }
  }

  @Test func `valid templates are taken apart as elsewhere`() throws {
    for value in cases("template_valid") {
      let text = value["pattern"]!.string!
      // Only grpc-gateway takes a trailing colon, or a colon inside a variable.
      if text == "/v1/{name}:" || text.contains("wi:th") { continue }
      let template = try PathTemplate(text)
      let expected = value["expect"]!
      if let segments = expected["segments"]?.array {
        let found = template.segments.map { segment in
          switch segment {
          case .literal(let text): text
          case .any: "*"
          case .rest: "**"
          }
        }
        #expect(found == segments.map { $0.string! }, "\(text)")
      }
      if let verb = expected["verb"]?.string { #expect(template.verb == verb, "\(text)") }
      for (variable, wanted) in zip(
        template.variables, expected["variables"]?.array?.map { $0 } ?? [])
      {
        #expect(variable.field == wanted["field"]?.string)
        #expect(variable.start == wanted["start"]?.int)
        let end = wanted["end"]!.int!
        // Envoy counts from one past the end, so its -1 is 0 here.
        #expect(variable.end == (end < 0 ? end + 1 : end), "\(text)")
      }
    }
    for value in cases("template_tokens") {
      let template = try PathTemplate(value["pattern"]!.string!)
      #expect(template.verb == value["expect"]?["verb"]?.string)
    }
  }

  @Test func `a second route for the same requests is refused`() {
    for value in cases("duplicate_registration") {
      #expect(throws: RouteError.self) { try table(routes(value)) }
    }
  }
}
