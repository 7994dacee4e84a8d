import Contracts
import Wire

extension FuzzTarget {
  /// What decodes encodes again, to bytes that decode as the same; the first byte chooses the message.
  static let codec = FuzzTarget(
    name: "codec", seeds: messages.indices.map { [UInt8($0)] + sample.encoded() },
    words: [
      "\u{0A}\u{00}", "\u{08}\u{7F}", "\u{12}\u{02}\u{08}\u{01}", "\u{1A}", "\u{0B}\u{0C}", "\0",
    ]
  ) { bytes in
    guard let first = bytes.first else { return Verdict(signature: "empty") }
    return messages[Int(first) % messages.count](Array(bytes.dropFirst()))
  }

  private static var sample: OmsV1.OrderEvent {
    var order = OmsV1.Order()
    order.orderId = "0000000000001"
    order.price = TypeV1.Decimal.with {
      $0.units = -5_000_000
      $0.scale = 2
    }
    order.status = .partiallyFilled
    order.createdAt = .with { $0.seconds = 1_700_000_000 }
    var event = OmsV1.OrderEvent()
    event.order = order
    event.sequence = .max
    event.kind = .fill
    return event
  }

  private static let messages: [@Sendable ([UInt8]) -> Verdict] = [
    check(OmsV1.OrderEvent.self), check(OmsV1.JournalRecord.self),
    check(ExecutionV1.JournalRecord.self), check(MarketV1.MarketEvent.self),
    check(OmsV1.ListOrdersResponse.self), check(OrderbookV1.Book.self),
    check(RiskV1.Limits.self), check(DiscoveryV1.WatchResponse.self), check(GoogleRpc.Status.self),
    check(GoogleRpc.ErrorInfo.self),
  ]

  private static func check<M: Message & Equatable>(_: M.Type) -> @Sendable ([UInt8]) -> Verdict {
    { bytes in
      do throws(WireError) {
        let message = try M(decoding: bytes)
        let encoded = message.encoded()
        let again = try M(decoding: encoded)
        let isSame = again == message && again.encoded() == encoded
        return Verdict(
          signature: "\(M.self) \(min(8, encoded.count))",
          fault: isSame ? nil : "\(M.self) does not come back as it was")
      } catch {
        return Verdict(signature: "\(M.self) \(kind(error))")
      }
    }
  }
}
