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
package struct MethodDescriptor: Sendable, Hashable {
  /// `shrivenquant.oms.v1.OrderService`
  package let service: String
  /// `GetOrder`
  package let name: String
  /// `/shrivenquant.oms.v1.OrderService/GetOrder`
  package let path: String
  package let shape: CallShape
  package let scope: RequiredScope
  /// A call that may be sent twice without effect; only these are retried.
  package let isIdempotent: Bool
  /// Full names of the request and response messages.
  package let request: String
  package let response: String
  package let routes: [HTTPRoute]

  package init(
    service: String, name: String, shape: CallShape, scope: RequiredScope, isIdempotent: Bool,
    request: String, response: String, routes: [HTTPRoute] = []
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
