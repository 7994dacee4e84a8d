package import Calls
internal import JSON

/// Turns REST requests into the calls that the contracts bind them to, and answers into JSON.
package struct Transcoder: Sendable {
  private struct Bound: Sendable {
    let method: MethodDescriptor
    let route: HTTPRoute
    let request: MessageType
    let response: MessageType
  }

  private let bound: [Bound]
  private let table: RouteTable

  /// Refuses routes that conflict, and templates and bodies that name no field of their request.
  package init(methods: [MethodDescriptor]) throws(RouteError) {
    var bound: [Bound] = []
    for method in methods {
      for route in method.routes {
        let name = "\(route.method) \(route.template)"
        guard let request = Schema.contracts.message(named: method.request),
          let response = Schema.contracts.message(named: method.response)
        else { throw .unfit(name, "has messages that are not of the contracts") }
        guard !method.shape.requestsStream else {
          throw .unfit(name, "binds \(method.path), whose requests stream")
        }
        try Self.check(route, request, response, name)
        bound.append(
          Bound(method: method, route: route, request: request, response: response))
      }
    }
    self.bound = bound
    self.table = try RouteTable(bound.map { ($0.route.method, $0.route.template) })
  }

  private static func check(
    _ route: HTTPRoute, _ request: MessageType, _ response: MessageType, _ name: String
  ) throws(RouteError) {
    for variable in try PathTemplate(route.template).variables {
      guard let field = FieldBinder.field(variable.field, of: request), !field.isRepeated else {
        throw .unfit(name, "names \(variable.field), no single field of \(request.name)")
      }
    }
    if !route.body.isEmpty, route.body != "*", request.slot(named: route.body) == nil {
      throw .unfit(name, "has the body \(route.body), no field of \(request.name)")
    }
    if !route.responseBody.isEmpty, response.slot(named: route.responseBody) == nil {
      throw .unfit(name, "answers \(route.responseBody), no field of \(response.name)")
    }
  }

  /// The route of a request; `path` is raw, without or with its query. Nil: 404, or 405 when
  /// `allowedMethods` are.
  package func match(method: String, path: String) throws(RPCError) -> RouteMatch? {
    guard let match = try table.match(method: method, path: path) else { return nil }
    let found = bound[match.route]
    return RouteMatch(
      method: found.method, route: found.route, bindings: match.bindings, index: match.route)
  }

  package func allowedMethods(path: String) -> [String] { table.allowedMethods(path: path) }

  /// The request message: the body, then the query, then the path, each into its own fields.
  /// `query` is raw, without its question mark.
  package func requestBytes(
    _ match: RouteMatch, query: String, body: [UInt8]
  ) throws(RPCError) -> [UInt8] {
    let type = bound[match.index].request
    var binder = FieldBinder(try bodyMessage(match.route, type, body))
    let taken = match.bindings.map(\.field) + (match.route.body.isEmpty ? [] : [match.route.body])
    try binder.bindQuery(query, taken: taken)
    for binding in match.bindings { try binder.bindPath(binding) }
    return binder.message.encoded()
  }

  private func bodyMessage(
    _ route: HTTPRoute, _ type: MessageType, _ body: [UInt8]
  ) throws(RPCError) -> DynamicMessage {
    var message = DynamicMessage(type)
    if body.isEmpty { return message }
    switch route.body {
    case "": throw .invalid("body", "is not taken by \(route.method) \(route.template)")
    case "*": return try JSONInput.document(body, type)
    default:
      guard let slot = type.slot(named: route.body) else { return message }
      let json = try JSONInput.parse(body).root
      if json.isNull { return message }
      let field = type.fields[slot]
      message[slot] = try JSONInput.value(json, field, at: .root.field(field.jsonName))
      return message
    }
  }

  /// The JSON of a response message of a matched route.
  package func responseJSON(_ match: RouteMatch, _ bytes: [UInt8]) throws(RPCError) -> [UInt8] {
    let message = try JSONOutput.decode(bound[match.index].response, bytes)
    var writer = JSONWriter(reserving: bytes.count * 3 + 64)
    guard let slot = message.type.slot(named: match.route.responseBody) else {
      try JSONOutput.write(message, to: &writer)
      return writer.finished()
    }
    let field = message.type.fields[slot]
    if let value = message[slot] {
      try JSONOutput.write(value, field, to: &writer)
    } else {
      JSONOutput.writeDefault(field, to: &writer)
    }
    return writer.finished()
  }
}

/// A request's route and what its path says.
package struct RouteMatch: Sendable {
  package let method: MethodDescriptor
  package let route: HTTPRoute
  package let bindings: [RouteTable.Binding]
  let index: Int
}
