/// Reads what a method's options say: who may call, and its HTTP routes.
struct MethodOptions {
  let file: FileSchema
  let index: SchemaIndex

  /// google/api/annotations.proto.
  private static let http: UInt32 = 72_295_728

  func scope(_ method: MethodSchema, of service: ServiceSchema) throws -> String {
    let scope = index.methodOption("shrivenquant.options.v1.scope").map {
      method.options?.text($0) ?? ""
    }
    switch scope ?? "" {
    case "anonymous": return ".anonymous"
    case "authenticated": return ".authenticated"
    case "mesh": return ".mesh"
    case "":
      guard !file.package.hasPrefix("shrivenquant.") else {
        throw GenerationError(
          "\(service.fullName).\(method.name) has no (shrivenquant.options.v1.scope): who may call it?"
        )
      }
      // Health says only whether the process serves; other foreign services tell more.
      return file.package == "grpc.health.v1" ? ".anonymous" : ".authenticated"
    case let name: return ".scope(\(SwiftText.literal(name)))"
    }
  }

  /// Swift expressions of `HTTPRoute`, the main binding first.
  func routes(_ method: MethodSchema) throws -> [String] {
    guard let options = method.options, !options.all(Self.http).isEmpty else { return [] }
    let rule = try options.message(Self.http)
    let number = index.methodOption("shrivenquant.options.v1.success_status")
    let status = number.flatMap { options.number($0) } ?? 200
    var routes = [try route(rule, status, method)]
    for additional in try rule.messages(11) { routes.append(try route(additional, status, method)) }
    return routes
  }

  private func route(_ rule: RawMessage, _ status: Int64, _ method: MethodSchema) throws -> String {
    let verbs: [(UInt32, String)] = [
      (2, "GET"), (3, "PUT"), (4, "POST"), (5, "DELETE"), (6, "PATCH"),
    ]
    var found = verbs.compactMap { number, verb in
      rule.all(number).isEmpty ? nil : (verb: verb, template: rule.text(number))
    }
    if !rule.all(8).isEmpty {
      let custom = try rule.message(8)
      found.append((custom.text(1), custom.text(2)))
    }
    guard let (verb, template) = found.last else {
      throw GenerationError("\(method.name): its google.api.http names no path")
    }
    var arguments = [
      "method: \(SwiftText.literal(verb))", "template: \(SwiftText.literal(template))",
    ]
    if !rule.text(7).isEmpty { arguments.append("body: \(SwiftText.literal(rule.text(7)))") }
    if !rule.text(12).isEmpty {
      arguments.append("responseBody: \(SwiftText.literal(rule.text(12)))")
    }
    if status != 200 { arguments.append("successStatus: \(status)") }
    return "Calls.HTTPRoute(\(arguments.joined(separator: ", ")))"
  }
}
