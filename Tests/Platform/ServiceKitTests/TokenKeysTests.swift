import Calls
import Chrono
import JSON
import Loop
import Security
import Synchronization
import TestKit
import Testing

@testable import ServiceKit

@Suite struct `Bearer tokens` {
  /// Keys that are fetched from here, a clock, and what was fetched.
  private final class Issuer: Sendable {
    static let lifetime = Duration.seconds(1_000)

    let time = SimulatedTime()
    let keys = Mutex<[String: VerifyingKey]>([:])
    let tokens: TokenKeys

    init(_ loop: EventLoop, seenMax: Int = 100) {
      tokens = TokenKeys(
        issuer: "here", refresh: .seconds(10), seenMax: seenMax, time: time, loop: loop)
      tokens.fetch { [weak self] in JSONWebKeySet(self?.keys.withLock { $0 } ?? [:]) }
    }

    func publish(_ id: String, _ key: SigningKey?) {
      keys.withLock { $0[id] = key?.publicKey }
    }

    func token(_ name: String, by key: SigningKey, _ id: String = "k1") -> String {
      let user = UserIdentity(
        id: name, name: name, roles: [], scopes: ["orders.read"],
        expires: SimulatedTime().now + Self.lifetime)
      let claims = TokenClaims(issuer: "here", user: user, issued: .epoch)
      return JSONWebToken.sign(key: key, keyID: id) { claims.write(into: &$0) }
    }

    func accepts(_ token: String) async -> Bool {
      do throws(RPCError) {
        _ = try await tokens.verify(token)
        return true
      } catch {
        #expect(error.code == .unauthenticated)
        return false
      }
    }
  }

  @Test func `AUTH-01 a token that was good before is refused once it has expired`() async throws {
    try await withLoop { loop in
      let issuer = Issuer(loop)
      let key = try SigningKey.generate()
      issuer.publish("k1", key)
      let token = issuer.token("ada", by: key)
      for _ in 1...3 { #expect(await issuer.accepts(token)) }

      issuer.time.advance(by: Issuer.lifetime + JSONWebToken.leeway)

      #expect(await !issuer.accepts(token))
    }
  }

  @Test func `AUTH-01 a token that was good before is refused once its key is withdrawn`()
    async throws
  {
    try await withLoop { loop in
      let issuer = Issuer(loop)
      let (old, new) = (try SigningKey.generate(), try SigningKey.generate())
      issuer.publish("k1", old)
      let token = issuer.token("ada", by: old)
      #expect(await issuer.accepts(token))
      issuer.publish("k1", nil)
      issuer.publish("k2", new)
      #expect(await issuer.accepts(token), "the keys are fetched every ten seconds")

      issuer.time.advance(by: .seconds(10))

      #expect(await !issuer.accepts(token))
      #expect(await issuer.accepts(issuer.token("ada", by: new, "k2")))
    }
  }

  @Test func `AUTH-01 a byte changed in a token that was good before is found`() async throws {
    try await withLoop { loop in
      let issuer = Issuer(loop)
      let key = try SigningKey.generate()
      issuer.publish("k1", key)
      let token = issuer.token("ada", by: key)
      #expect(await issuer.accepts(token))
      for index in stride(from: 0, to: token.utf8.count, by: 7) {
        var bytes = Array(token.utf8)
        bytes[index] = bytes[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
        let changed = String(decoding: bytes, as: UTF8.self)
        #expect(await !issuer.accepts(changed), "byte \(index)")
      }
    }
  }

  @Test func `AUTH-01 more tokens than are remembered are checked again`() async throws {
    try await withLoop { loop in
      let issuer = Issuer(loop, seenMax: 2)
      let key = try SigningKey.generate()
      issuer.publish("k1", key)
      for _ in 1...2 {
        for name in ["ada", "bob", "cat", "dan", "eve"] {
          let user = try await issuer.tokens.verify(issuer.token(name, by: key))
          #expect(user.name == name)
        }
      }
    }
  }
}
