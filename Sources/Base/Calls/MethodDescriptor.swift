package enum CallShape: UInt8, Sendable, Hashable {
  case unary
  case clientStreaming
  case serverStreaming
  case bidirectionalStreaming

  package var requestsStream: Bool { self == .clientStreaming || self == .bidirectionalStreaming }
  package var responsesStream: Bool { self == .serverStreaming || self == .bidirectionalStreaming }
}

/// What a caller must be allowed to do, as written in the proto: `(shrivenquant.options.v1.scope)`.
package enum RequiredScope: Sendable, Hashable {
  /// Anyone, without credentials (health, metrics, login, JWKS).
  case anonymous
  /// Any authenticated user or service of the mesh.
  case authenticated
  /// A user whose token carries this scope (or a service of the mesh calling on a user's behalf).
  case scope(String)
  /// Only services of the mesh (client certificate), never a user.
  case mesh
}

/// A method as the contract states it; generated, one static value per RPC.
///
/// Every call carries one from hand to hand, so it is a reference to its texts, not the texts.
package struct MethodDescriptor: Sendable, Hashable {
  private let terms: Terms

  private final class Terms: Sendable, Hashable {
    let service: String
    let name: String
    let path: String
    let shape: CallShape
    let scope: RequiredScope
    let isIdempotent: Bool
    let request: String
    let response: String
    let routes: [HTTPRoute]
    let pathHash: Int

    init(
      service: String, name: String, shape: CallShape, scope: RequiredScope, isIdempotent: Bool,
      request: String, response: String, routes: [HTTPRoute]
    ) {
      self.service = service
      self.name = name
      self.path = "/\(service)/\(name)"
      self.shape = shape
      self.scope = scope
      self.isIdempotent = isIdempotent
      self.request = request
      self.response = response
      self.routes = routes
      pathHash = path.hashValue
    }

    static func == (left: Terms, right: Terms) -> Bool {
      if left === right { return true }
      return left.path == right.path && left.shape == right.shape && left.scope == right.scope
        && left.isIdempotent == right.isIdempotent && left.request == right.request
        && left.response == right.response && left.routes == right.routes
        && left.service == right.service
    }

    func hash(into hasher: inout Hasher) { hasher.combine(pathHash) }
  }

  /// `shrivenquant.oms.v1.OrderService`
  package var service: String { terms.service }
  /// `GetOrder`
  package var name: String { terms.name }
  /// `/shrivenquant.oms.v1.OrderService/GetOrder`
  package var path: String { terms.path }
  package var shape: CallShape { terms.shape }
  package var scope: RequiredScope { terms.scope }
  /// A call that may be sent twice without effect; only these are retried.
  package var isIdempotent: Bool { terms.isIdempotent }
  /// Full names of the request and response messages.
  package var request: String { terms.request }
  package var response: String { terms.response }
  package var routes: [HTTPRoute] { terms.routes }

  package init(
    service: String, name: String, shape: CallShape, scope: RequiredScope, isIdempotent: Bool,
    request: String, response: String, routes: [HTTPRoute] = []
  ) {
    terms = Terms(
      service: service, name: name, shape: shape, scope: scope, isIdempotent: isIdempotent,
      request: request, response: response, routes: routes)
  }
}

/// A `google.api.http` binding, and the status of success (201 for creation, else 200).
package struct HTTPRoute: Sendable, Hashable {
  package let method: String
  /// `/v1/orders/{order_id}`
  package let template: String
  /// `*`, a field's name, or empty for no body.
  package let body: String
  /// A field of the response that alone is the JSON body, or empty for the whole message.
  package let responseBody: String
  package let successStatus: Int

  package init(
    method: String, template: String, body: String = "", responseBody: String = "",
    successStatus: Int = 200
  ) {
    self.method = method
    self.template = template
    self.body = body
    self.responseBody = responseBody
    self.successStatus = successStatus
  }
}
