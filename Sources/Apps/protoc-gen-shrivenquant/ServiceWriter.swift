/// Writes a service: its descriptors, the protocol that a server fills, and the client.
struct ServiceWriter {
  private let service: ServiceSchema
  private let index: SchemaIndex
  private let options: MethodOptions

  init(_ service: ServiceSchema, in file: FileSchema, _ index: SchemaIndex) {
    self.service = service
    self.index = index
    self.options = MethodOptions(file: file, index: index)
  }

  func write(_ out: inout SwiftText) throws {
    try writeDescriptors(&out)
    out.line()
    writeHandler(&out)
    out.line()
    writeClient(&out)
  }

  private func shape(_ method: MethodSchema) -> String {
    switch (method.requestsStream, method.responsesStream) {
    case (false, false): "unary"
    case (true, false): "clientStreaming"
    case (false, true): "serverStreaming"
    case (true, true): "bidirectionalStreaming"
    }
  }

  private func writeDescriptors(_ out: inout SwiftText) throws {
    out.comment(service.comment)
    try out.block("package enum \(service.name)") { out in
      out.line("package static let name = \(SwiftText.literal(service.fullName))")
      for method in service.methods {
        out.line(
          "package static let \(SwiftName.property(method.name)) = Calls.MethodDescriptor(")
        out.line(
          "  service: name, name: \(SwiftText.literal(method.name)), shape: .\(shape(method)),")
        let scope = try options.scope(method, of: service)
        out.line("  scope: \(scope), isIdempotent: \(method.isIdempotent),")
        out.line("  request: \(SwiftText.literal(method.input)),")
        let routes = try options.routes(method)
        let end = routes.isEmpty ? ")" : ","
        out.line("  response: \(SwiftText.literal(method.output))\(end)")
        if !routes.isEmpty {
          out.line("  routes: [")
          for route in routes { out.line("    \(route),") }
          out.line("  ])")
        }
      }
      out.line()
      let names = service.methods.map { SwiftName.property($0.name) }
      out.line("/// In the order of the contract.")
      out.line("package static let methods = [")
      for name in names { out.line("  \(name),") }
      out.line("]")
    }
  }

  private func writeHandler(_ out: inout SwiftText) {
    out.line("/// What a server of \(service.name) does, one function per method.")
    out.block("package protocol \(service.name)Handler: Sendable") { out in
      for method in service.methods {
        out.comment(method.comment)
        let (request, response) = (index.swiftType(method.input), index.swiftType(method.output))
        let name = SwiftName.property(method.name)
        let first =
          method.requestsStream
          ? "_ requests: Calls.Incoming<\(request)>" : "_ request: \(request)"
        let second = method.responsesStream ? ", _ responses: Calls.Outgoing<\(response)>" : ""
        let result = method.responsesStream ? "" : " -> \(response)"
        out.line("func \(name)(")
        out.line("  \(first)\(second), _ context: Calls.ServerContext")
        out.line(") async throws\(result)")
      }
    }
  }

  /// Extensions stand at file scope.
  func writeMethods(_ namespace: String, _ out: inout SwiftText) {
    out.block("extension \(namespace).\(service.name)Handler") { out in
      out.line("/// The methods as a server registers them.")
      out.block("package var methods: [Calls.ServerMethod]") { out in
        out.line("[")
        for method in service.methods {
          let name = SwiftName.property(method.name)
          let descriptor = "\(namespace).\(service.name).\(name)"
          out.line("  .\(shape(method))(\(descriptor), self.\(name)),")
        }
        out.line("]")
      }
    }
  }

  private func writeClient(_ out: inout SwiftText) {
    out.line("/// Calls \(service.name) over a channel.")
    out.block("package struct \(service.name)Client: Sendable") { out in
      out.line("package let channel: any Calls.Channel")
      out.line()
      out.line("package init(channel: any Calls.Channel) { self.channel = channel }")
      for method in service.methods {
        out.line()
        out.comment(method.comment)
        let (request, response) = (index.swiftType(method.input), index.swiftType(method.output))
        let name = SwiftName.property(method.name)
        let streams = method.requestsStream || method.responsesStream
        let first = method.requestsStream ? "" : "_ request: \(request), "
        let result = streams ? "ClientCall<\(request), \(response)>" : response
        out.line("package func \(name)(")
        out.line("  \(first)_ options: Calls.CallOptions = Calls.CallOptions()")
        out.block(") async throws(Calls.RPCError) -> \(result)") { out in
          let descriptor = "\(service.name).\(name)"
          if !streams {
            out.line(
              "try await channel.unary(\(descriptor), request, options, as: \(response).self)")
          } else if method.requestsStream {
            out.line("ClientCall(try await channel.open(\(descriptor), options))")
          } else {
            out.line(
              "try await ClientCall.serverStreaming(channel, \(descriptor), request, options)")
          }
        }
      }
    }
  }
}
