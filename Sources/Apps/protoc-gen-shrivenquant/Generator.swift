/// Turns protoc's CodeGeneratorRequest into files.
///
/// Parameter `swift` (the default) writes the Swift tree, `registry` the table of protoc-c's descriptors.
struct Generator {
  private let index: SchemaIndex
  private let parameter: String

  /// Files that say something of the contracts to tools and nothing to programs at run time.
  private static let descriptorOnly: Set<String> = [
    "google.api", "shrivenquant.options.v1", "google.protobuf.compiler",
  ]

  init(request bytes: [UInt8]) throws {
    // plugin.proto: parameter = 2, proto_file = 15.
    let request = try RawMessage(bytes)
    parameter = request.text(2)
    index = SchemaIndex(
      try request.all(15).map { try SchemaReader.read($0) }.sorted { $0.name < $1.name })
  }

  /// Path and content, in order of path.
  func files() throws -> [(path: String, content: String)] {
    switch parameter {
    case "registry": [("registry.c", RegistryWriter(index.files).text())]
    case "", "swift": try swiftFiles()
    default: throw GenerationError("unknown parameter \(parameter): swift or registry")
    }
  }

  private func swiftFiles() throws -> [(path: String, content: String)] {
    let typed = index.files.filter {
      !Self.descriptorOnly.contains($0.package) && $0.name != "google/protobuf/descriptor.proto"
    }
    var files: [(path: String, content: String)] = []
    for file in typed where !(file.messages.isEmpty && file.enums.isEmpty && file.services.isEmpty)
    {
      let namespace = SwiftName.namespace(file.package)
      let base = file.name.split(separator: "/").last!.split(separator: ".").first!
      let name = SwiftName.upperCamel(String(base))
      do {
        files.append(("\(namespace)/\(namespace)+\(name).swift", try swiftFile(file, namespace)))
      } catch let error as GenerationError {
        throw GenerationError("\(file.name): \(error.text)")
      }
    }
    files.append(("Namespaces.swift", namespaces(typed)))
    files.append(("ContractCatalog.swift", catalog(typed)))
    files.append(("FileDescriptor+All.swift", fileDescriptors()))
    return files.sorted { $0.path < $1.path }
  }

  private func swiftFile(_ file: FileSchema, _ namespace: String) throws -> String {
    var imports: [String] = []
    if !file.services.isEmpty { imports.append("package import Calls") }
    if !file.messages.isEmpty {
      imports.append("package import Wire")
    } else if !file.enums.isEmpty {
      // A conformance alone does not count as a use in a package declaration.
      imports.append("internal import Wire")
    }
    var out = SwiftText(imports: imports)
    for service in file.services {
      out.line()
      let writer = ServiceWriter(service, in: file, index)
      try out.block("extension \(namespace)") { try writer.write(&$0) }
      out.line()
      writer.writeMethods(namespace, &out)
    }
    for declaration in file.enums {
      out.line()
      out.block("extension \(namespace)") { EnumWriter(declaration).write(&$0) }
    }
    for message in file.messages {
      out.line()
      out.block("extension \(namespace)") { MessageWriter(message, index).write(&$0) }
    }
    return out.text
  }

  private func namespaces(_ files: [FileSchema]) -> String {
    var out = SwiftText(imports: [])
    for package in Set(files.map(\.package)).sorted() {
      out.line()
      out.line("/// Package `\(package)`.")
      out.line("package enum \(SwiftName.namespace(package)) {}")
    }
    return out.text
  }

  private func catalog(_ files: [FileSchema]) -> String {
    var out = SwiftText(imports: ["package import Calls", "package import Wire"])
    out.line()
    out.line("/// Everything that the contracts declare.")
    out.block("package enum ContractCatalog") { out in
      out.line("package static let methods: [Calls.MethodDescriptor] = [")
      for file in files {
        for service in file.services {
          out.line("  \(SwiftName.namespace(file.package)).\(service.name).methods,")
        }
      }
      out.line("].flatMap { $0 }")
      out.line()
      out.line("package static let messages: [any Message.Type] = [")
      for file in files { for message in file.messages { listMessages(message, &out) } }
      out.line("]")
    }
    return out.text
  }

  private func listMessages(_ message: MessageSchema, _ out: inout SwiftText) {
    out.line("  \(index.swiftType(message.fullName)).self,")
    for nested in message.messages { listMessages(nested, &out) }
  }

  private func fileDescriptors() -> String {
    var out = SwiftText(imports: [])
    out.line()
    out.block("extension FileDescriptor") { out in
      out.line("/// Every file of the contracts and what they import, in order of name.")
      out.line("package static let all: [FileDescriptor] = [")
      for file in index.files {
        out.line("  FileDescriptor(")
        out.line("    name: \(SwiftText.literal(file.name)),")
        let dependencies = file.dependencies.map(SwiftText.literal).joined(separator: ", ")
        out.line("    dependencies: [\(dependencies)],")
        out.line("    symbols: \(SwiftText.literal(symbols(file).joined(separator: " "))),")
        let extensions = file.extensions.map {
          "FileDescriptor.Extension(of: \(SwiftText.literal($0.extendee)), number: \($0.number))"
        }
        out.line("    extensions: [\(extensions.joined(separator: ", "))],")
        out.line("    base64: \"\(base64(file.descriptor))\"),")
      }
      out.line("]")
    }
    return out.text
  }

  /// Messages, enums, services, methods and extensions: what a reflection client asks for by name.
  private func symbols(_ file: FileSchema) -> [String] {
    var found: [String] = []
    func add(_ message: MessageSchema) {
      found.append(message.fullName)
      for nested in message.messages { add(nested) }
      found += message.enums.map(\.fullName)
    }
    for message in file.messages { add(message) }
    found += file.enums.map(\.fullName)
    found += file.extensions.map { "\(file.package).\($0.name)" }
    for service in file.services {
      found.append(service.fullName)
      found += service.methods.map { "\(service.fullName).\($0.name)" }
    }
    return found
  }
}

/// RFC 4648 section 4; only ever read back by our own strict decoder.
func base64(_ bytes: [UInt8]) -> String {
  let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  var text: [UInt8] = []
  for start in stride(from: 0, to: bytes.count, by: 3) {
    let group = bytes[start..<min(start + 3, bytes.count)]
    var bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    bits <<= UInt32(8 * (3 - group.count))
    for digit in 0..<4 {
      let isPadding = digit > group.count
      text.append(
        isPadding ? UInt8(ascii: "=") : alphabet[Int(bits >> UInt32(18 - 6 * digit) & 63)])
    }
  }
  return String(decoding: text, as: UTF8.self)
}
