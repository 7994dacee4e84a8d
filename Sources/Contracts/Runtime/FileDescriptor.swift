internal import Bytes

/// A file of the contracts as reflection hands it out: a serialized google.protobuf.FileDescriptorProto.
package struct FileDescriptor: Sendable {
  package struct Extension: Sendable, Hashable {
    /// The full name of the extended message.
    package let extendee: String
    package let number: Int32

    init(of extendee: String, number: Int32) {
      self.extendee = extendee
      self.number = number
    }
  }

  /// `shrivenquant/oms/v1/order.proto`
  package let name: String
  /// Names of the files it imports.
  package let dependencies: [String]
  package let extensions: [Extension]
  private let symbolText: String
  private let base64: String

  init(
    name: String, dependencies: [String], symbols: String, extensions: [Extension], base64: String
  ) {
    self.name = name
    self.dependencies = dependencies
    self.symbolText = symbols
    self.extensions = extensions
    self.base64 = base64
  }

  /// Full names of its messages, enums, services, methods and extensions.
  package var symbols: [Substring] { symbolText.split(separator: " ") }

  package var bytes: [UInt8] {
    do {
      return try Base64.standard.decode(base64)
    } catch {
      preconditionFailure("the generated descriptor of \(name) is damaged: \(error)")
    }
  }

  package static func named(_ name: String) -> FileDescriptor? { all.first { $0.name == name } }

  /// The file that declares a message, enum, service, method or extension.
  package static func declaring(_ symbol: String) -> FileDescriptor? {
    all.first { $0.symbols.contains(Substring(symbol)) }
  }

  package static func extending(_ message: String, number: Int32) -> FileDescriptor? {
    let wanted = Extension(of: message, number: number)
    return all.first { $0.extensions.contains(wanted) }
  }

  /// Numbers of all extensions of a message, ascending.
  package static func extensionNumbers(of message: String) -> [Int32] {
    all.flatMap(\.extensions).filter { $0.extendee == message }.map(\.number).sorted()
  }

  /// The file and all it imports, the imported first.
  package var withDependencies: [FileDescriptor] {
    var found: [FileDescriptor] = []
    func visit(_ file: FileDescriptor) {
      guard !found.contains(where: { $0.name == file.name }) else { return }
      for name in file.dependencies { if let next = Self.named(name) { visit(next) } }
      found.append(file)
    }
    visit(self)
    return found
  }
}
