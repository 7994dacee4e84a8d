internal import JSON
internal import Transport

/// What is to go wrong, as told over `POST /sim/v1/faults`. Counts run down as faults happen.
package struct VenueFaults: Sendable, Hashable {
  /// New orders and cancels that are carried out but never answered.
  package var dropOrderAcknowledgements = 0
  /// Requests answered 429 before they are looked at.
  package var tooManyRequests = 0
  /// Order requests that are carried out and answered 504, execution status unknown.
  package var gatewayTimeouts = 0
  /// Order requests answered 500 and not carried out, which the client cannot know.
  package var internalErrors = 0
  /// Added to the venue's clock, in milliseconds.
  package var clockSkewMilliseconds: Int64 = 0
  /// By symbol: depth messages that are lost on the way to everyone.
  package var depthGaps: [String: Int] = [:]
  /// By symbol: trading is halted.
  package var halted: Set<String> = []

  package init() {}

  mutating func takes(_ count: WritableKeyPath<VenueFaults, Int>) -> Bool {
    guard self[keyPath: count] > 0 else { return false }
    self[keyPath: count] -= 1
    return true
  }

  mutating func losesDepth(of symbol: String) -> Bool {
    guard let count = depthGaps[symbol], count > 0 else { return false }
    depthGaps[symbol] = count - 1
    return true
  }
}

/// Streams that are cut at once by a fault.
package enum StreamScope: String, Sendable, Hashable, CaseIterable {
  case publicStreams = "public"
  case privateStreams = "private"
}

extension VenueFaults {
  /// Applies an order for faults; returns the streams to cut. The body is one JSON object:
  /// `{"dropOrderAcknowledgements":1,"depthGap":"BTCUSDT","disconnect":"public","halt":"ETHUSDT"}`.
  mutating func apply(
    _ body: [UInt8], symbols: Set<String>
  ) throws(DialectError) -> Set<StreamScope> {
    let document: JSONDocument
    do throws(JSONError) {
      document = try JSONDocument(parsing: body)
    } catch {
      throw DialectError(-1135, "Invalid JSON Request: \(error)")
    }
    guard let object = document.root.object else {
      throw DialectError(-1135, "Invalid JSON Request")
    }
    var cut: Set<StreamScope> = []
    for member in object {
      switch member.name {
      case "dropOrderAcknowledgements": dropOrderAcknowledgements = try count(member)
      case "tooManyRequests": tooManyRequests = try count(member)
      case "gatewayTimeouts": gatewayTimeouts = try count(member)
      case "internalErrors": internalErrors = try count(member)
      case "clockSkewMilliseconds":
        guard let skew = member.value.int64 else { throw .missing(member.name) }
        clockSkewMilliseconds = skew
      case "depthGap": depthGaps[try symbol(member, symbols), default: 0] += 1
      case "halt": halted.insert(try symbol(member, symbols))
      case "resume": halted.remove(try symbol(member, symbols))
      case "disconnect":
        guard let text = member.value.string else { throw .missing(member.name) }
        cut =
          text == "all"
          ? Set(StreamScope.allCases) : Set([StreamScope(rawValue: text)].compactMap(\.self))
        guard !cut.isEmpty else { throw .missing(member.name) }
      default: throw DialectError(-1103, "An unknown parameter was sent: \(member.name)")
      }
    }
    return cut
  }

  private func count(_ member: JSONObject.Member) throws(DialectError) -> Int {
    guard let count = member.value.int, count >= 0 else { throw .missing(member.name) }
    return count
  }

  private func symbol(
    _ member: JSONObject.Member, _ symbols: Set<String>
  ) throws(DialectError) -> String {
    guard let symbol = member.value.string, symbols.contains(symbol) else { throw .invalidSymbol }
    return symbol
  }
}
