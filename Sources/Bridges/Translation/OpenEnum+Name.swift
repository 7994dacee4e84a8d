private import Synchronization
package import Wire

extension OpenEnum {
  /// The name as in the contract, for logs and for text columns: `PARTIALLY_FILLED`; the number when
  /// this version of the schema does not name it.
  package var name: String {
    let number = rawValue
    return knownNames.withLock { names in
      let key = NameKey(type: ObjectIdentifier(Self.self), number: number)
      if let known = names[key] { return known }
      let (name, isNamed) = Self.spelled(self)
      // What peers make up is not kept.
      if isNamed { names[key] = name }
      return name
    }
  }

  private static func spelled(_ value: Self) -> (name: String, isNamed: Bool) {
    let text = "\(value)"
    guard !text.hasPrefix("unrecognized") else { return ("\(value.rawValue)", false) }
    var name = ""
    for character in text {
      if character.isUppercase { name += "_" }
      name += character.uppercased()
    }
    return (name, true)
  }
}

private struct NameKey: Hashable {
  let type: ObjectIdentifier
  let number: Int32
}

/// Reflection spells a name in 2 us, and several of them are on every order's way: each is spelled once.
private let knownNames = Mutex<[NameKey: String]>([:])
