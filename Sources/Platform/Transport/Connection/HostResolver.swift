internal import Chrono
internal import Glibc
internal import Loop
private import Synchronization

/// What looking up host names may use up.
struct HostResolverLimits: Sendable {
  /// Threads that wait for a name server at once; further names wait for one of them.
  var threadsMax = 4
  /// Names that wait or are looked up; more fail at once.
  var namesMax = 256
  /// How long an answer is good for, and how long a failure.
  var freshness = Duration.seconds(30)
  var failureFreshness = Duration.seconds(1)
  /// Answers kept; when there are more, all are forgotten.
  var answersMax = 1024

  init() {}
}

/// Finds the addresses of host names without keeping a loop waiting: `getaddrinfo` blocks, so threads
/// of its own call it. They end when nothing is left to look up. Whoever asks limits how long it
/// waits; an answer that comes later is kept for the next.
final class HostResolver: Sendable {
  typealias Answer = Result<[SocketAddress], TransportError>

  static let shared = HostResolver()

  private struct State {
    var answers: [String: (answer: Answer, until: Uptime)] = [:]
    var waiters: [String: [@Sendable (Answer) -> Void]] = [:]
    var queue: [String] = []
    var threads = 0
  }

  private let limits: HostResolverLimits
  private let time: any TimeSource
  private let lookUp: @Sendable (String) -> Answer
  private let state = Mutex(State())

  init(
    _ limits: HostResolverLimits = HostResolverLimits(), time: any TimeSource = SystemTime(),
    lookUp: @escaping @Sendable (String) -> Answer = HostResolver.ask
  ) {
    self.limits = limits
    self.time = time
    self.lookUp = lookUp
  }

  /// Asks the system, and alternates between the kinds of addresses, so that a broken IPv6 or IPv4
  /// costs one attempt.
  static func ask(_ host: String) -> Answer {
    do throws(TransportError) {
      return .success(
        alternating(try SocketAddress.resolve(host: host, port: 0, passive: false)))
    } catch {
      return .failure(error)
    }
  }

  static func alternating(_ found: [SocketAddress]) -> [SocketAddress] {
    guard let family = found.first?.family else { return [] }
    let (same, other) = (found.filter { $0.family == family }, found.filter { $0.family != family })
    var mixed: [SocketAddress] = []
    for index in 0..<max(same.count, other.count) {
      if index < same.count { mixed.append(same[index]) }
      if index < other.count { mixed.append(other[index]) }
    }
    return mixed
  }

  /// The addresses of a place, told at once when they are known without asking anybody, else on some
  /// thread.
  func addresses(of address: Address, _ tell: @escaping @Sendable (Answer) -> Void) {
    switch address {
    case .unix(let path):
      do throws(TransportError) {
        tell(.success([try SocketAddress.local(path)]))
      } catch {
        tell(.failure(error))
      }
    case .tcp(let host, let port):
      if let known = Self.numeric(host, port) { return tell(.success(known)) }
      look(for: host) { answer in
        tell(
          answer.map { found in
            found.map { address in
              var address = address
              address.port = port
              return address
            }
          })
      }
    }
  }

  /// The same as a call that waits until `deadline` at most. Call on the loop.
  func addresses(
    of address: Address, loop: EventLoop, deadline: Uptime
  ) async throws(TransportError) -> [SocketAddress] {
    let answer = await withCheckedContinuation {
      (continuation: CheckedContinuation<Answer, Never>) in
      let first = FirstAnswer(continuation)
      let timer = loop.schedule(at: deadline) {
        first.give(.failure(TransportError("\(address) was not resolved in time")))
      }
      addresses(of: address) { answer in
        loop.onLoop {
          loop.cancel(timer)
          first.give(answer)
        }
      }
    }
    return try answer.get()
  }

  private static func numeric(_ host: String, _ port: Int) -> [SocketAddress]? {
    do throws(TransportError) {
      return try SocketAddress.resolve(
        host: host, port: port, passive: false, onlyNumbers: true)
    } catch {
      return nil
    }
  }

  private enum Step {
    case answered(Answer)
    case waiting(startsThread: Bool)
  }

  private func look(for host: String, _ tell: @escaping @Sendable (Answer) -> Void) {
    let now = time.uptime
    let step = state.withLock { state -> Step in
      if let known = state.answers[host], now < known.until { return .answered(known.answer) }
      if state.waiters[host] != nil {
        state.waiters[host]!.append(tell)
        return .waiting(startsThread: false)
      }
      guard state.waiters.count < limits.namesMax else {
        return .answered(.failure(TransportError("too many host names are being looked up")))
      }
      state.waiters[host] = [tell]
      state.queue.append(host)
      guard state.threads < limits.threadsMax else { return .waiting(startsThread: false) }
      state.threads += 1
      return .waiting(startsThread: true)
    }
    switch step {
    case .answered(let answer): tell(answer)
    case .waiting(let startsThread): if startsThread { startThread() }
    }
  }

  private func startThread() {
    var thread = pthread_t()
    let box = Unmanaged.passRetained(self)
    let code = pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<HostResolver>.fromOpaque(argument!).takeRetainedValue().work()
        return nil
      }, box.toOpaque())
    precondition(code == 0, "no thread for host names: errno \(code)")
    pthread_detach(thread)
  }

  /// On a thread of its own, until nothing waits.
  private func work() {
    while true {
      let next = state.withLock { state -> String? in
        guard !state.queue.isEmpty else {
          state.threads -= 1
          return nil
        }
        return state.queue.removeFirst()
      }
      guard let host = next else { return }
      let answer = lookUp(host)
      let freshness =
        if case .success = answer { limits.freshness } else { limits.failureFreshness }
      let until = time.uptime + freshness
      let waiters = state.withLock { state in
        if state.answers.count >= limits.answersMax { state.answers = [:] }
        state.answers[host] = (answer, until)
        return state.waiters.removeValue(forKey: host) ?? []
      }
      for tell in waiters { tell(answer) }
    }
  }
}

/// A continuation that the first of an answer and a timer resumes.
///
/// `@unchecked Sendable`: touched on its loop only.
private final class FirstAnswer: @unchecked Sendable {
  private var continuation: CheckedContinuation<HostResolver.Answer, Never>?

  init(_ continuation: CheckedContinuation<HostResolver.Answer, Never>) {
    self.continuation = continuation
  }

  func give(_ answer: HostResolver.Answer) {
    continuation?.resume(returning: answer)
    continuation = nil
  }
}
