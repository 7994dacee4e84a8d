internal import Chrono

/// The keys of private streams: one live key an account, good for an hour from its last use.
struct ListenKeys {
  private struct Key {
    let text: String
    var expires: Instant
  }

  private var keys: [Int: Key] = [:]
  private let lifetime: Duration

  init(lifetime: Duration) { self.lifetime = lifetime }

  /// The account's live key, extended, or a new one made from `random`.
  mutating func open(
    account: Int, now: Instant, random: inout FlowRandom
  ) -> String {
    if let key = keys[account], key.expires > now {
      keys[account]?.expires = now + lifetime
      return key.text
    }
    let text = random.token(length: 60)
    keys[account] = Key(text: text, expires: now + lifetime)
    return text
  }

  mutating func extend(_ text: String, account: Int, now: Instant) throws(DialectError) {
    guard let key = keys[account], key.text == text, key.expires > now else {
      throw .invalidListenKey
    }
    keys[account]?.expires = now + lifetime
  }

  mutating func close(_ text: String, account: Int) throws(DialectError) {
    guard keys[account]?.text == text else { throw .invalidListenKey }
    keys[account] = nil
  }

  /// Whose private stream this key opens.
  func account(of text: some StringProtocol, now: Instant) -> Int? {
    keys.first { $0.value.text == text && $0.value.expires > now }?.key
  }
}

extension FlowRandom {
  /// Letters and digits, as Binance makes its ids.
  mutating func token(length: Int) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
    let bytes = (0..<length).map { _ in alphabet[Int(below(Int64(alphabet.count)))] }
    return String(decoding: bytes, as: UTF8.self)
  }
}
