package import Calls
package import ServiceKit
package import Transport

/// REST for people and programs: every annotated RPC of the mesh as JSON over HTTP.
package struct Gateway: ServiceDefinition {
  package static let name: ServiceName = "gateway"
  package static let summary = "REST and JSON for every annotated RPC of the mesh"
  package static let needs: [ServiceName] = ["discovery", "auth"]
  package static let facesPeople = true

  private let rest: RESTResponder

  package init(_ context: ServiceContext, _ config: Config) throws {
    rest = try RESTResponder(context, config)
  }

  /// None of its own: it speaks the contracts of others.
  package var methods: [ServerMethod] { [] }
  package var responder: (any HTTPResponder)? { rest }
}
