internal import CSimdJSON

/// The elements of an array, in order. `count` is known; reaching the n-th walks over those before
/// it.
package struct JSONArray: Sendable, Sequence {
  let tree: JSONTree
  let index: Int

  package var count: Int { Int(tree.nodes[index].count) }
  package var isEmpty: Bool { count == 0 }
  package var first: JSONValue? { self[0] }
  package var underestimatedCount: Int { count }

  package subscript(_ position: Int) -> JSONValue? {
    guard position >= 0, position < count else { return nil }
    var at = index + 1
    for _ in 0..<position { at = Int(tree.nodes[at].next) }
    return JSONValue(tree: tree, index: at)
  }

  package func makeIterator() -> Iterator {
    Iterator(tree: tree, at: index + 1, end: Int(tree.nodes[index].next))
  }

  package struct Iterator: IteratorProtocol {
    let tree: JSONTree
    var at: Int
    let end: Int

    package mutating func next() -> JSONValue? {
      guard at < end else { return nil }
      defer { at = Int(tree.nodes[at].next) }
      return JSONValue(tree: tree, index: at)
    }
  }
}
