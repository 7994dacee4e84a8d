import Calls
import Contracts
import Testing
import Wire

@Suite struct `Text in requests` {
  private func fields<M: Message>(_ message: M) -> [String] {
    do throws(RPCError) {
      let read: M = try decodeRequest(message.encoded())
      #expect(read == message)
      return []
    } catch {
      #expect(error.code == .invalidArgument, "\(error)")
      for case .badRequest(let violations) in error.details { return violations.map(\.field) }
      return ["?"]
    }
  }

  @Test func `GWY-07 NUL is refused wherever it stands, with the field named`() {
    #expect(fields(RiskV1.EngageKillSwitchRequest.with { $0.reason = "a\0b" }) == ["reason"])
    #expect(fields(RiskV1.SetSymbolLimitsRequest.with { $0.symbol = "BTC\0" }) == ["symbol"])
    #expect(fields(AuthV1.IssueTokenRequest.with { $0.username = "\0" }) == ["username"])
    var accept = OmsV1.AcceptOrderRequest()
    accept.order = OmsV1.Order.with {
      $0.clientOrderId = "c\0"
      $0.account = "ma\u{1}in"
    }
    #expect(fields(accept) == ["order.clientOrderId", "order.account"])
  }

  @Test(arguments: ["\u{1}", "\n", "\t", "\u{1B}[2J", "\u{7F}"])
  func `GWY-07 a name holds no control character, a sentence its lines`(text: String) {
    #expect(fields(RiskV1.SetSymbolLimitsRequest.with { $0.symbol = "BTC" + text }) == ["symbol"])
    #expect(fields(RiskV1.EngageKillSwitchRequest.with { $0.reason = "why" + text }) == [])
  }

  @Test func `GWY-07 other text passes, and what is no request is read as ever`() throws {
    for text in ["", "BTCUSDT", "naïve — 日本 😀", "\u{80}\u{A0}"] {
      #expect(fields(RiskV1.SetSymbolLimitsRequest.with { $0.symbol = text }) == [])
    }
    let old = RiskV1.KillSwitch.with { $0.reason = "an old record's \0" }
    #expect(try RiskV1.KillSwitch(decoding: old.encoded()) == old)
  }
}
