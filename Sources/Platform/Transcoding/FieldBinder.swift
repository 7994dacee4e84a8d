internal import Calls

/// Sets fields of a request by their dotted paths, as URLs name them.
struct FieldBinder {
  private(set) var message: DynamicMessage
  /// Fields that the query has set, so that a second value of a single field is refused.
  private var given: Set<String> = []

  init(_ message: DynamicMessage) { self.message = message }

  /// The field at a dotted path through single messages; nil when there is none.
  static func field(_ path: String, of type: MessageType) -> FieldType? {
    var type = type
    let names = path.split(separator: ".", omittingEmptySubsequences: false)
    for (index, name) in names.enumerated() {
      guard let slot = type.slot(named: String(name)) else { return nil }
      let field = type.fields[slot]
      if index == names.count - 1 { return field }
      guard case .message(let next) = field.kind, !field.isRepeated else { return nil }
      type = Schema.contracts.messages[next]
    }
    return nil
  }

  /// What the body says of the same field must be the same, or nothing: which of two was meant nobody
  /// can tell.
  mutating func bindPath(_ binding: RouteTable.Binding) throws(RPCError) {
    try bind(binding.field, binding.value)
  }

  /// `a=1&b.c=2&list=x&list=y`. What the path or the body gives, and unknown names, are refused.
  mutating func bindQuery(_ query: String, taken: [String]) throws(RPCError) {
    guard let pairs = queryPairs(query) else {
      throw .invalid("query", "has a malformed percent escape")
    }
    for (name, value) in pairs {
      guard let field = Self.field(name, of: message.type) else {
        throw .invalid(name, "is not a field of \(message.type.name) that a query can set")
      }
      if let taker = taken.first(where: { Self.covers($0, name) }) {
        let giver = taker == "*" ? "body" : "path or the body"
        throw .invalid(name, "is not taken from the query: the \(giver) gives it")
      }
      let canonical = Self.canonical(name)
      guard field.isRepeated || given.insert(canonical).inserted else {
        throw .invalid(name, "is given twice")
      }
      try bind(name, value)
    }
  }

  /// One spelling for `orderId` and `order_id`.
  private static func canonical(_ path: String) -> String {
    path.split(separator: ".").map { lowerCamel(String($0)) }.joined(separator: ".")
  }

  private static func covers(_ taken: String, _ path: String) -> Bool {
    let (taken, path) = (canonical(taken), canonical(path))
    return taken == "*" || path == taken || path.hasPrefix("\(taken).")
  }

  private mutating func bind(_ path: String, _ text: String) throws(RPCError) {
    let names = path.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    try Self.set(names[...], text, in: &message, at: .root)
  }

  private static func set(
    _ names: ArraySlice<String>, _ text: String, in message: inout DynamicMessage,
    at path: FieldPath
  ) throws(RPCError) {
    guard let name = names.first, let slot = message.type.slot(named: name) else {
      throw .invalid(path.name, "has no such field")
    }
    let field = message.type.fields[slot]
    let at = path.field(field.jsonName)
    if let rival = message.rival(of: slot) {
      throw .invalid(at.name, "excludes \(message.type.fields[rival].jsonName), which is given too")
    }
    if names.count > 1, case .message(let index) = field.kind {
      var nested = DynamicMessage(Schema.contracts.messages[index])
      if case .message(let known)? = message[slot] { nested = known }
      try set(names.dropFirst(), text, in: &nested, at: at)
      message[slot] = .message(nested)
      return
    }
    let value = try FieldText.value(text, as: field, at: at)
    if !field.isRepeated, let known = message[slot], known.contradicts(value) {
      throw .invalid(at.name, "is \(text.prefix(64)) in the path, and another in the body")
    }
    message[slot] = field.isRepeated ? .list(message.elements(slot) + [value]) : value
  }
}

extension DynamicValue {
  /// Whether both are given, and differ. A scalar that is its type's default counts as not given.
  fileprivate func contradicts(_ other: DynamicValue) -> Bool {
    switch (self, other) {
    case (.signed(let left), .signed(let right)): left != 0 && left != right
    case (.unsigned(let left), .unsigned(let right)): left != 0 && left != right
    case (.real(let left), .real(let right)): left != 0 && left != right
    case (.bool(let left), .bool(let right)): left && !right
    case (.text(let left), .text(let right)): !left.isEmpty && left != right
    case (.bytes(let left), .bytes(let right)): !left.isEmpty && left != right
    case (.enumeration(let left), .enumeration(let right)): left != 0 && left != right
    default: true
    }
  }
}
