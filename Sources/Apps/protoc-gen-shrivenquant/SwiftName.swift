/// How protobuf names are spelled in Swift.
enum SwiftName {
  /// `shrivenquant.oms.v1` is `OmsV1`.
  static func namespace(_ package: String) -> String {
    package.split(separator: ".").filter { $0 != "shrivenquant" }.map { upperCamel(String($0)) }
      .joined()
  }

  /// `order_service` is `OrderService`; a name that is UpperCamel already stays.
  static func upperCamel(_ name: String) -> String {
    name.split(separator: "_").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
  }

  /// `exchange_time_ns` is `exchangeTimeNs`, `GetOrder` is `getOrder`.
  static func lowerCamel(_ name: String) -> String {
    let camel = upperCamel(name)
    return camel.prefix(1).lowercased() + camel.dropFirst()
  }

  static func property(_ name: String) -> String { escaped(lowerCamel(name)) }

  /// `SIDE_UNSPECIFIED` of `Side` is `unspecified`; `1M` stays behind its prefix, as no name begins
  /// with a digit.
  static func enumCase(_ value: String, of declaration: String) -> String {
    let prefix = upperSnake(declaration) + "_"
    var short = Substring(value)
    if value.hasPrefix(prefix) { short = value.dropFirst(prefix.count) }
    if short.first?.isNumber ?? true { short = Substring(value) }
    return escaped(lowerCamel(short.lowercased()))
  }

  /// A type's own name: some are taken by the language.
  static func type(_ name: String) -> String {
    switch name {
    case "Any": "AnyMessage"
    case "Type", "Self", "Protocol": name + "Message"
    default: name
    }
  }

  /// As protoc-c spells types in its symbols: `OrderEvent` is `order_event`, `JSONKey` is `jsonkey`.
  static func cSymbol(_ fullName: String) -> String {
    fullName.split(separator: ".").map(cSnake).joined(separator: "__")
  }

  private static func cSnake(_ name: Substring) -> String {
    var snake = ""
    var wasUpper = true
    for character in name {
      if character.isUppercase, !wasUpper { snake += "_" }
      wasUpper = character.isUppercase
      snake += character.lowercased()
    }
    return snake
  }

  private static func upperSnake(_ name: String) -> String {
    var snake = ""
    for character in name {
      if character.isUppercase, !snake.isEmpty { snake += "_" }
      snake += character.uppercased()
    }
    return snake
  }

  private static let keywords: Set<String> = [
    "as", "associatedtype", "break", "case", "catch", "class", "continue", "default", "defer",
    "deinit", "do", "else", "enum", "extension", "fallthrough", "false", "fileprivate", "for",
    "func",
    "guard", "if", "import", "in", "init", "inout", "internal", "is", "let", "nil", "operator",
    "package", "private", "protocol", "public", "repeat", "rethrows", "return", "self", "static",
    "struct", "subscript", "super", "switch", "throw", "throws", "true", "try", "typealias", "var",
    "where", "while",
  ]

  static func escaped(_ name: String) -> String { keywords.contains(name) ? "`\(name)`" : name }
}
