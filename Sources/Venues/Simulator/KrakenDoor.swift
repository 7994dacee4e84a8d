internal import Chrono

/// Who comes in by Kraken's REST: nonces, and tokens for the private WebSocket.
struct KrakenDoor {
  private var nonces: [Int: UInt64] = [:]
  private var tokens: [String: (account: Int, until: Instant)] = [:]

  /// A token opens a connection for so long; the connection stays (docs: "Get Websockets Token").
  static let tokenLifetime = Duration.seconds(900)

  /// Each nonce of a key must be greater than the one before.
  mutating func accepts(_ nonce: UInt64, of account: Int) -> Bool {
    guard nonce > nonces[account] ?? 0 else { return false }
    nonces[account] = nonce
    return true
  }

  mutating func open(_ account: Int, now: Instant, _ random: inout FlowRandom) -> String {
    tokens = tokens.filter { $0.value.until > now }
    let token = random.token(length: 43)
    tokens[token] = (account, now + Self.tokenLifetime)
    return token
  }

  func account(of token: String, now: Instant) -> Int? {
    guard let found = tokens[token], found.until > now else { return nil }
    return found.account
  }
}
