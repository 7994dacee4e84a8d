/// Where in a request a value stands, as error bodies name it: `orders[2].price`.
struct FieldPath: CustomStringConvertible {
  private(set) var description = ""

  static let root = FieldPath()

  func field(_ name: String) -> FieldPath {
    var path = self
    path.description += description.isEmpty ? name : ".\(name)"
    return path
  }

  func element(_ position: Int) -> FieldPath {
    var path = self
    path.description += "[\(position)]"
    return path
  }

  /// What to call it in a sentence: the whole body has no name.
  var name: String { description.isEmpty ? "body" : description }
}
