/// Reading with one `try` each: a missing or unsuitable member is an error that names it.
extension JSONValue {
  package func member(_ name: String) throws(JSONError) -> JSONValue {
    guard let object else {
      throw .unexpected("\(kind.name) where an object with \(name) was expected")
    }
    guard let value = object[name] else { throw .unexpected("\(name) is missing") }
    return value
  }

  package func string(_ name: String) throws(JSONError) -> String {
    try expect(name, "a string") { $0.string }
  }

  /// The text of a string or number member, for `Decimal(parsing:)` and the like.
  package func stringOrNumberText(_ name: String) throws(JSONError) -> String {
    try expect(name, "a string or a number") { $0.stringOrNumberText }
  }

  package func numberText(_ name: String) throws(JSONError) -> String {
    try expect(name, "a number") { $0.numberText }
  }

  package func int64(_ name: String) throws(JSONError) -> Int64 {
    try expect(name, "an integer of 64 bits") { $0.int64 }
  }

  package func uint64(_ name: String) throws(JSONError) -> UInt64 {
    try expect(name, "an unsigned integer of 64 bits") { $0.uint64 }
  }

  package func bool(_ name: String) throws(JSONError) -> Bool {
    try expect(name, "a Boolean") { $0.bool }
  }

  package func array(_ name: String) throws(JSONError) -> JSONArray {
    try expect(name, "an array") { $0.array }
  }

  package func object(_ name: String) throws(JSONError) -> JSONObject {
    try expect(name, "an object") { $0.object }
  }

  /// The n-th element, for exchanges that send rows as arrays: `["0.10", "5"]`.
  package func element(_ position: Int) throws(JSONError) -> JSONValue {
    guard let array else { throw .unexpected("\(kind.name) where an array was expected") }
    guard let value = array[position] else {
      throw .unexpected("an array of \(array.count) has no element \(position)")
    }
    return value
  }

  private func expect<T>(
    _ name: String, _ what: String, _ read: (JSONValue) -> T?
  ) throws(JSONError) -> T {
    let value = try member(name)
    guard let result = read(value) else {
      throw .unexpected("\(name) is \(value.kind.name), not \(what)")
    }
    return result
  }
}
