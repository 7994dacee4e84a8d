internal import CSimdJSON
internal import Glibc

/// A parsed text: strict RFC 8259, strict UTF-8, one value and nothing after it. Read-only, shared
/// by its values; strings and numbers stay slices of the text until asked for.
package struct JSONDocument: Sendable {
  let tree: JSONTree

  package init(parsing bytes: [UInt8], limits: JSONLimits = .standard) throws(JSONError) {
    self.tree = try JSONTree(bytes, limits)
  }

  package init(parsing text: String, limits: JSONLimits = .standard) throws(JSONError) {
    try self.init(parsing: Array(text.utf8), limits: limits)
  }

  package var root: JSONValue { JSONValue(tree: tree, index: 0) }

  /// The root's member, when the root is an object that has it.
  package subscript(_ key: String) -> JSONValue? { root[key] }
  /// The root's element, when the root is an array that long.
  package subscript(_ index: Int) -> JSONValue? { root[index] }
}

/// Parses one text after another into the same memory: for frames that come by the thousand.
///
/// The values of a text are good until the next one is parsed into the same reader only if nobody else
/// keeps them: a document that is kept takes the memory with it, and the reader takes new.
package struct JSONReader: ~Copyable {
  private var tree: JSONTree?
  private let limits: JSONLimits

  package init(limits: JSONLimits = .standard) { self.limits = limits }

  package mutating func parse(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
    if tree != nil, isKnownUniquelyReferenced(&tree), let tree {
      try tree.parse(bytes, limits)
      return JSONValue(tree: tree, index: 0)
    }
    let tree = try JSONTree(bytes, limits)
    self.tree = tree
    return JSONValue(tree: tree, index: 0)
  }
}

/// The text and its nodes in document order.
///
/// `@unchecked Sendable`: it is written by whoever alone refers to it, before anybody else does, and
/// freed by `deinit`.
final class JSONTree: @unchecked Sendable {
  private(set) var bytes: [UInt8]
  private var block: UnsafeMutablePointer<csimdjson_node>?
  private var capacity = 0

  /// Not empty: a text that could not be parsed makes no tree.
  var nodes: UnsafePointer<csimdjson_node> { UnsafePointer(block.unsafelyUnwrapped) }

  init(_ bytes: [UInt8], _ limits: JSONLimits) throws(JSONError) {
    self.bytes = []
    try parse(bytes, limits)
  }

  deinit { free(block) }

  func parse(_ bytes: [UInt8], _ limits: JSONLimits) throws(JSONError) {
    guard bytes.count <= limits.bytesMax else {
      throw .malformed("text longer than \(limits.bytesMax) bytes", offset: limits.bytesMax)
    }
    var offset = 0
    let status = bytes.withUnsafeBufferPointer { buffer in
      csimdjson_parse(
        buffer.baseAddress, buffer.count, UInt32(limits.depthMax), &block, &capacity, &offset)
    }
    guard status == CSIMDJSON_OK else { throw JSONError(status, offset: offset) }
    self.bytes = bytes
  }

  /// Compares a string node with text, without making a String unless it has escapes.
  func isString(_ index: Int, _ text: UnsafeBufferPointer<UInt8>) -> Bool {
    let node = nodes[index]
    if node.count == 0 {
      let length = Int(node.end - node.start)
      guard length == text.count, let base = text.baseAddress else { return length == text.count }
      return bytes.withUnsafeBytes { memcmp($0.baseAddress! + Int(node.start), base, length) == 0 }
    }
    return string(index).utf8.elementsEqual(text)
  }

  func text(_ start: UInt32, _ end: UInt32) -> String {
    bytes.withUnsafeBufferPointer { buffer in
      // Valid UTF-8, as the parser has checked: nothing is repaired here.
      String(decoding: buffer[Int(start)..<Int(end)], as: UTF8.self)
    }
  }

  func string(_ index: Int) -> String {
    let node = nodes[index]
    return node.count == 0 ? text(node.start, node.end) : unescaped(Int(node.start), Int(node.end))
  }

  /// The parser has checked every escape and that surrogates come in pairs.
  private func unescaped(_ start: Int, _ end: Int) -> String {
    var result: [UInt8] = []
    result.reserveCapacity(end - start)
    var at = start
    while at < end {
      guard bytes[at] == UInt8(ascii: "\\") else {
        result.append(bytes[at])
        at += 1
        continue
      }
      switch bytes[at + 1] {
      case UInt8(ascii: "b"): result.append(0x08)
      case UInt8(ascii: "f"): result.append(0x0c)
      case UInt8(ascii: "n"): result.append(0x0a)
      case UInt8(ascii: "r"): result.append(0x0d)
      case UInt8(ascii: "t"): result.append(0x09)
      case UInt8(ascii: "u"):
        var scalar = codeUnit(at + 2)
        if scalar >= 0xd800 && scalar <= 0xdfff {
          scalar = 0x10000 + (scalar - 0xd800) << 10 + (codeUnit(at + 8) - 0xdc00)
          at += 6
        }
        result += Array(String(Unicode.Scalar(scalar)!).utf8)
        at += 4
      default: result.append(bytes[at + 1])
      }
      at += 2
    }
    return String(decoding: result, as: UTF8.self)
  }

  private func codeUnit(_ at: Int) -> UInt32 {
    var unit: UInt32 = 0
    for byte in bytes[at..<at + 4] {
      let digit = byte <= UInt8(ascii: "9") ? byte - UInt8(ascii: "0") : (byte | 0x20) - 87
      unit = unit << 4 | UInt32(digit)
    }
    return unit
  }
}
