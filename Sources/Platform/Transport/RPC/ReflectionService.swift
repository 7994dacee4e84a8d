package import Calls
package import Contracts

/// `grpc.reflection.v1.ServerReflection`, and its older twin: what this port serves, for grpcurl and its
/// like.
package struct ReflectionService: GrpcReflectionV1.ServerReflectionHandler {
  /// Full names of the services on this port.
  private let services: [String]

  /// `serving` are the methods that the port serves, without this service's own.
  package init(serving methods: [ServerMethod]) {
    let names =
      methods.map(\.descriptor.service)
      + [GrpcReflectionV1.ServerReflection.name, GrpcReflectionV1alpha.ServerReflection.name]
    services = Set(names).sorted()
  }

  /// The methods of both versions of the protocol, which differ in their package name only.
  package var bothVersions: [ServerMethod] {
    let v1alpha = ServerMethod(
      GrpcReflectionV1alpha.ServerReflection.serverReflectionInfo, methods[0].handler)
    return methods + [v1alpha]
  }

  package func serverReflectionInfo(
    _ requests: Incoming<GrpcReflectionV1.ServerReflectionRequest>,
    _ responses: Outgoing<GrpcReflectionV1.ServerReflectionResponse>, _ context: ServerContext
  ) async throws {
    while let request = try await requests.next() {
      var response = GrpcReflectionV1.ServerReflectionResponse()
      response.validHost = request.host
      response.originalRequest = request
      response.messageResponse = answer(request)
      try await responses.send(response)
    }
  }

  private func answer(
    _ request: GrpcReflectionV1.ServerReflectionRequest
  ) -> GrpcReflectionV1.ServerReflectionResponse.MessageResponse {
    switch request.messageRequest {
    case .listServices: return listing
    case .fileByFilename(let name): return files(FileDescriptor.named(name), name)
    case .fileContainingSymbol(let symbol): return files(FileDescriptor.declaring(symbol), symbol)
    case .fileContainingExtension(let wanted):
      return files(
        FileDescriptor.extending(wanted.containingType, number: wanted.extensionNumber),
        "\(wanted.containingType) \(wanted.extensionNumber)")
    case .allExtensionNumbersOfType(let type):
      guard FileDescriptor.declaring(type) != nil else { return notFound(type) }
      var numbers = GrpcReflectionV1.ExtensionNumberResponse()
      numbers.baseTypeName = type
      numbers.extensionNumber = FileDescriptor.extensionNumbers(of: type)
      return .allExtensionNumbersResponse(numbers)
    case nil: return error(.invalidArgument, "an empty request")
    }
  }

  private var listing: GrpcReflectionV1.ServerReflectionResponse.MessageResponse {
    var list = GrpcReflectionV1.ListServiceResponse()
    list.service = services.map { name in
      var service = GrpcReflectionV1.ServiceResponse()
      service.name = name
      return service
    }
    return .listServicesResponse(list)
  }

  private func files(
    _ file: FileDescriptor?, _ wanted: String
  ) -> GrpcReflectionV1.ServerReflectionResponse.MessageResponse {
    guard let file else { return notFound(wanted) }
    var response = GrpcReflectionV1.FileDescriptorResponse()
    response.fileDescriptorProto = file.withDependencies.reversed().map(\.bytes)
    return .fileDescriptorResponse(response)
  }

  private func notFound(
    _ what: String
  ) -> GrpcReflectionV1.ServerReflectionResponse.MessageResponse {
    error(.notFound, "there is no \(what)")
  }

  private func error(
    _ code: StatusCode, _ message: String
  ) -> GrpcReflectionV1.ServerReflectionResponse.MessageResponse {
    var response = GrpcReflectionV1.ErrorResponse()
    response.errorCode = Int32(code.rawValue)
    response.errorMessage = message
    return .errorResponse(response)
  }
}
