internal import CSimdJSON

/// The members of an object in the order of the text. A name may stand there twice: lookup finds
/// the first, iteration shows both, `duplicateName` tells.
package struct JSONObject: Sendable, Sequence {
  let tree: JSONTree
  let index: Int

  package struct Member: Sendable {
    let tree: JSONTree
    let index: Int

    package var name: String { tree.string(index) }
    package var value: JSONValue { JSONValue(tree: tree, index: index + 1) }

    /// True when the name is `text`; makes no String.
    package func isNamed(_ text: String) -> Bool {
      var text = text
      return text.withUTF8 { tree.isString(index, $0) }
    }
  }

  package var count: Int { Int(tree.nodes[index].count) }
  package var isEmpty: Bool { count == 0 }
  package var underestimatedCount: Int { count }

  package subscript(_ name: String) -> JSONValue? {
    var name = name
    return name.withUTF8 { find($0) }
  }

  /// A name that stands in the object more than once, if any.
  package var duplicateName: String? {
    if count < 2 { return nil }
    var seen = Set<String>(minimumCapacity: count)
    for member in self where !seen.insert(member.name).inserted { return member.name }
    return nil
  }

  private func find(_ name: UnsafeBufferPointer<UInt8>) -> JSONValue? {
    let nodes = tree.nodes
    let end = Int(nodes[index].next)
    var at = index + 1
    while at < end {
      if tree.isString(at, name) { return JSONValue(tree: tree, index: at + 1) }
      at = Int(nodes[at + 1].next)
    }
    return nil
  }

  package func makeIterator() -> Iterator {
    Iterator(tree: tree, at: index + 1, end: Int(tree.nodes[index].next))
  }

  package struct Iterator: IteratorProtocol {
    let tree: JSONTree
    var at: Int
    let end: Int

    package mutating func next() -> Member? {
      guard at < end else { return nil }
      defer { at = Int(tree.nodes[at + 1].next) }
      return Member(tree: tree, index: at)
    }
  }
}
