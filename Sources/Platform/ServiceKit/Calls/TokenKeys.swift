internal import Bytes
package import Calls
internal import Chrono
internal import Contracts
internal import Loop
package import Security
private import Synchronization

/// Checks bearer tokens with auth's public keys, which are fetched when first needed, again after
/// `refresh`, and at once (but not more often than every second) for a key id that is not known.
///
/// While auth is away the keys that are held go on serving: signatures do not age, tokens do. In a
/// process that keeps them fresh nobody waits for a fetch while there are keys: the kill switch may be
/// behind the call.
///
/// A token that was found good is looked up from then on, until it expires or another set of keys comes:
/// its signature says the same every time.
package final class TokenKeys: TokenVerifier {
  package typealias Fetch = @Sendable () async throws -> JSONWebKeySet

  private let issuer: String
  private let refresh: Duration
  private let seenMax: Int
  private let time: any TimeSource
  private let loop: EventLoop
  private let state = Mutex(State())

  private struct State {
    var keys: JSONWebKeySet?
    var fetched: Uptime?
    var tried: Uptime?
    var fetch: Fetch?
    var fetching: Task<String?, Never>?
    /// Somebody sees to their age.
    var isKept = false
    /// Tokens that were found good with `keys`.
    var seen: [String: UserIdentity] = [:]
  }

  private static let retryPause = Duration.seconds(1)

  /// `seenMax`: tokens that are looked up; at the limit all are forgotten and checked once more.
  init(
    issuer: String, refresh: Duration, seenMax: Int, time: any TimeSource, loop: EventLoop
  ) {
    self.loop = loop
    self.seenMax = seenMax
    self.issuer = issuer
    self.refresh = refresh
    self.time = time
  }

  /// Where the keys come from. A service gets them from auth over RPC unless it says otherwise here,
  /// as auth itself does.
  package func fetch(_ fetch: @escaping Fetch) {
    state.withLock { state in
      state.fetch = fetch
      state.keys = nil
      state.seen = [:]
      state.fetched = nil
      state.tried = nil
    }
  }

  package func verify(_ token: String) async throws(RPCError) -> UserIdentity {
    let keys = try await current()
    if let user = seen(token) { return user }
    do throws(TokenError) {
      return try check(token, keys)
    } catch .unknownKey(let id) {
      guard let fresh = await refetched(), fresh[id] != nil else {
        throw unauthenticated("\(TokenError.unknownKey(id))")
      }
      do throws(TokenError) {
        return try check(token, fresh)
      } catch {
        throw unauthenticated("\(error)")
      }
    } catch {
      throw unauthenticated("\(error)")
    }
  }

  private func check(_ token: String, _ keys: JSONWebKeySet) throws(TokenError) -> UserIdentity {
    let claims = try JSONWebToken.verify(token, now: time.now) { keys[$0] }
    guard let claims = TokenClaims(claims), claims.issuer == issuer else {
      throw .malformed("not issued by \(issuer)")
    }
    remember(token, claims.user, keys)
    return claims.user
  }

  /// Whose a token is that was checked before with the keys that are held.
  private func seen(_ token: String) -> UserIdentity? {
    let now = time.now
    return state.withLock { state in
      guard let user = state.seen[token] else { return nil }
      if now < user.expires + JSONWebToken.leeway { return user }
      state.seen[token] = nil
      return nil
    }
  }

  private func remember(_ token: String, _ user: UserIdentity, _ keys: JSONWebKeySet) {
    state.withLock { state in
      guard state.keys == keys else { return }
      if state.seen.count >= seenMax { state.seen.removeAll(keepingCapacity: true) }
      state.seen[token] = user
    }
  }

  private func unauthenticated(_ why: String) -> RPCError { RPCError(.unauthenticated, why) }

  /// Fetches the keys when there are none or they are old; for a process that wants them before they are
  /// needed, when auth may be gone, and calls this more often than every `refresh`: nobody else then waits
  /// for a fetch while there are keys. False when that failed.
  package func keepFresh() async -> Bool {
    let (held, fetched) = state.withLock { state in
      state.isKept = true
      return (state.keys, state.fetched)
    }
    if held != nil, let fetched, time.uptime - fetched < refresh / 2 { return true }
    return await fetchNow() == nil
  }

  /// The keys held, fetched first when there are none or they are old.
  private func current() async throws(RPCError) -> JSONWebKeySet {
    let (held, fetched, isKept) = state.withLock { ($0.keys, $0.fetched, $0.isKept) }
    if let held, isKept { return held }
    if let held, let fetched, time.uptime - fetched < refresh { return held }
    let problem = await fetchNow()
    if let keys = state.withLock({ $0.keys }) { return keys }
    throw RPCError(.unavailable, "tokens cannot be checked: \(problem ?? "no keys")")
  }

  /// Keys newer than the ones that did not have the id, nil when it is too early to ask again.
  private func refetched() async -> JSONWebKeySet? {
    let tried = state.withLock { $0.tried }
    if let tried, time.uptime - tried < Self.retryPause { return state.withLock { $0.keys } }
    _ = await fetchNow()
    return state.withLock { $0.keys }
  }

  /// One fetch at a time; what went wrong, if anything did.
  private func fetchNow() async -> String? {
    let task = state.withLock { state -> Task<String?, Never>? in
      if let fetching = state.fetching { return fetching }
      guard let fetch = state.fetch else { return nil }
      state.tried = time.uptime
      let task = Task(executorPreference: loop) { await self.run(fetch) }
      state.fetching = task
      return task
    }
    guard let task else { return "no source of keys" }
    return await task.value
  }

  private func run(_ fetch: Fetch) async -> String? {
    let result: Result<JSONWebKeySet, any Error>
    do { result = .success(try await fetch()) } catch { result = .failure(error) }
    return state.withLock { state in
      state.fetching = nil
      switch result {
      case .success(let keys):
        if state.keys != keys { state.seen = [:] }
        state.keys = keys
        state.fetched = time.uptime
        return nil
      case .failure(let error):
        return "\(error)"
      }
    }
  }
}

/// Auth's key set over RPC.
enum AuthKeys {
  static func fetch(
    from channel: any Channel, deadline: Uptime
  ) async throws -> JSONWebKeySet {
    let answer = try await AuthV1.AuthServiceClient(channel: channel).getKeySet(
      AuthV1.GetKeySetRequest(), CallOptions(deadline: deadline))
    var keys: [String: VerifyingKey] = [:]
    for key in answer.keys where key.kty == "OKP" && key.crv == "Ed25519" {
      keys[key.kid] = try VerifyingKey(raw: try Base64.url.decode(key.x))
    }
    return JSONWebKeySet(keys)
  }
}
