import Foundation
import JSON

/// What curl brought back.
struct Answer: Sendable, CustomStringConvertible {
  let status: Int
  /// Names in lower case.
  let headers: [String: String]
  let text: String
  /// Nil when the body is no JSON.
  let json: JSONDocument?

  subscript(_ key: String) -> JSONValue? { json?[key] }
  func text(_ key: String) -> String? { json?[key]?.string }

  /// The field that a refusal names.
  var field: String? { details("fieldViolations")?[0]?["field"]?.string }
  /// The reason of a refusal, such as MAX_NOTIONAL.
  var reason: String? { details("reason")?.string }
  var actual: String? { details("metadata")?["actual"]?.string }
  var limit: String? { details("metadata")?["limit"]?.string }
  var message: String { json?["error"]?["message"]?.string ?? "" }

  private func details(_ member: String) -> JSONValue? {
    for detail in json?["error"]?["details"]?.array?.map({ $0 }) ?? [] {
      if let found = detail[member] { return found }
    }
    return nil
  }

  var description: String { "\(status) \(text.prefix(2000))" }
}

/// Requests by curl.
enum REST {
  static func get(_ url: String, token: String? = nil) async throws -> Answer {
    try await send("GET", url, token: token)
  }

  /// `body` goes through a file, as it may be longer than a command line.
  static func send(
    _ method: String, _ url: String, _ body: String? = nil, token: String? = nil,
    type: String = "application/json", _ more: [String] = []
  ) async throws -> Answer {
    let mark = "\n--answer--\n"
    var words = ["-sS", "-m", "30", "-X", method, "-w", mark + "%{http_code}\n%{header_json}"]
    if let token { words += ["-H", "Authorization: Bearer \(token)"] }
    var file: String?
    defer { if let file { try? FileManager.default.removeItem(atPath: file) } }
    if let body {
      let path = temporaryFile("json")
      try body.write(toFile: path, atomically: false, encoding: .utf8)
      file = path
      words += ["-H", "Content-Type: \(type)", "--data-binary", "@\(path)"]
    }
    let ended = try await run("curl", words + more + [url])
    guard let cut = ended.output.range(of: mark, options: .backwards) else {
      throw Failure("curl \(method) \(url): \(ended.all)")
    }
    let text = String(ended.output[..<cut.lowerBound])
    let rest = ended.output[cut.upperBound...].split(separator: "\n", maxSplits: 1)
    let headers = try JSONDocument(parsing: rest.count > 1 ? String(rest[1]) : "{}")
    var found: [String: String] = [:]
    for member in headers.root.object?.map({ $0 }) ?? [] {
      found[member.name.lowercased()] = member.value[0]?.string
    }
    return Answer(
      status: Int(rest.first ?? "") ?? 0, headers: found, text: text,
      json: try? JSONDocument(parsing: text))
  }
}

/// Requests to the gateway on behalf of a user; the trader, unless said otherwise.
extension Mesh {
  func get(_ path: String, as user: String = "trader") async throws -> Answer {
    try await REST.get(url("gateway", path), token: token(user))
  }

  func send(
    _ method: String, _ path: String, _ body: String? = nil, as user: String = "trader"
  ) async throws -> Answer {
    try await REST.send(method, url("gateway", path), body, token: token(user))
  }

  /// A POST whose members are all strings.
  func post(
    _ path: String, _ members: KeyValuePairs<String, String> = [:], as user: String = "trader"
  ) async throws -> Answer {
    try await send("POST", path, Self.object(members), as: user)
  }

  static func object(_ members: KeyValuePairs<String, String>) -> String {
    var writer = JSONWriter()
    writer.beginObject()
    for (name, value) in members { writer.member(name, value) }
    writer.endObject()
    return writer.text
  }
}
