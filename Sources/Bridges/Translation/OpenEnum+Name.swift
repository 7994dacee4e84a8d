package import Wire

extension OpenEnum {
  /// The name as in the contract, for logs and for text columns: `PARTIALLY_FILLED`; the number when
  /// this version of the schema does not name it.
  package var name: String {
    let text = "\(self)"
    guard !text.hasPrefix("unrecognized") else { return "\(rawValue)" }
    var name = ""
    for character in text {
      if character.isUppercase { name += "_" }
      name += character.uppercased()
    }
    return name
  }
}
