internal import Calls
internal import Chrono
internal import Contracts
internal import Loop
internal import Wire

/// Asks the server of one connection how it is, for as long as the connection takes calls
/// (gRFC A17). Confined to the loop.
///
/// `@unchecked Sendable`: everything is touched on the channel's loop.
final class HealthWatch: @unchecked Sendable {
  enum Status {
    /// Nothing heard yet: the connection takes no calls.
    case unknown
    case serving
    case notServing
  }

  private(set) var status = Status.unknown
  private let connection: HTTP2ClientConnection
  private let channel: ChannelCore
  private let service: String
  private let changed: () -> Void
  private var call: ClientCall?
  private var attempts: ConnectionAttempts
  private var hasEnded = false
  /// A server that ends each watch after an answer must not keep the loop busy.
  private static let pauseMin = Duration.milliseconds(10)
  private var chance = SystemRandomNumberGenerator()

  init(
    _ connection: HTTP2ClientConnection, _ channel: ChannelCore, service: String,
    changed: @escaping () -> Void
  ) {
    self.connection = connection
    self.channel = channel
    self.service = service
    self.changed = changed
    attempts = ConnectionAttempts(channel.options.backoff)
  }

  /// One attempt, and others after it until the watch is ended or the server has no such service.
  func begin() {
    guard !hasEnded else { return }
    attempts.began(channel.loop.uptime, chance: Double.random(in: 0..<1, using: &chance))
    let call = ClientCall(
      GrpcHealthV1.Health.watch, CallOptions(), deadline: nil, channel, isPinned: true)
    var request = GrpcHealthV1.HealthCheckRequest()
    request.service = service
    do throws(RPCError) {
      try call.sendWhole(request.encoded())
    } catch {
      ended(error)
      return
    }
    // A connection that takes no more calls is about to end this watch.
    guard channel.begin(call, on: connection) else { return }
    self.call = call
    channel.loop.spawn { await self.follow(call) }
  }

  private func follow(_ call: ClientCall) async {
    do throws(RPCError) {
      while let message = try await call.next() {
        let answer: GrpcHealthV1.HealthCheckResponse = try decodeMessage(message)
        attempts.reset()
        become(answer.status == .serving ? .serving : .notServing)
      }
      ended(nil)
    } catch {
      ended(error)
    }
  }

  private func ended(_ error: RPCError?) {
    call?.cancel()
    call = nil
    guard !hasEnded else { return }
    if error?.code == .unimplemented {
      become(.serving)
      return
    }
    become(.notServing)
    // Soon when the server had answered before, else after a backoff.
    let next = max(attempts.notBefore, channel.loop.uptime + Self.pauseMin)
    channel.loop.schedule(at: next) { [weak self] in self?.begin() }
  }

  private func become(_ status: Status) {
    guard !hasEnded, self.status != status else { return }
    self.status = status
    changed()
  }

  func end() {
    hasEnded = true
    call?.cancel()
    call = nil
  }
}
