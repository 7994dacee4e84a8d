internal import Calls
internal import Chrono
internal import Contracts
internal import Loop
internal import Transport

/// Asks a port over plaintext gRPC how it is, as Kubernetes does.
enum HealthProbe {
  enum Finding: Sendable, Hashable {
    case serving
    case notServing
    case unreachable(String)

    var text: String {
      switch self {
      case .serving: "SERVING"
      case .notServing: "NOT_SERVING"
      case .unreachable: "UNREACHABLE"
      }
    }
  }

  static func ask(
    _ address: Address, service: String = "", within limit: Duration, loop: EventLoop
  ) async -> Finding {
    var options = ChannelOptions()
    options.connectTimeout = limit
    let channel = NetworkChannel(to: "health", at: [address], options: options, loop: loop)
    defer { channel.close() }
    var request = GrpcHealthV1.HealthCheckRequest()
    request.service = service
    do {
      let answer = try await GrpcHealthV1.HealthClient(channel: channel).check(
        request, CallOptions(deadline: loop.uptime + limit))
      return answer.status == .serving ? .serving : .notServing
    } catch {
      // An answer with another status is a server that speaks, and says no.
      switch error.code {
      case .unavailable, .deadlineExceeded, .cancelled: return .unreachable(error.message)
      default: return .notServing
      }
    }
  }

  /// Whether anything accepts connections there.
  static func accepts(_ address: Address, within limit: Duration, loop: EventLoop) async -> Bool {
    do {
      let connection = try await Connector.connect(
        address, tls: nil, loop: loop, deadline: loop.uptime + limit)
      connection.abort()
      return true
    } catch {
      return false
    }
  }
}

/// Runs `body` on a loop of the calling thread until it returns.
func onLoop(_ body: @escaping @Sendable (EventLoop) async throws -> Int32) throws -> Int32 {
  let loop = EventLoop(name: "main")
  let result = LoopResult()
  loop.execute {
    _ = loop.spawn {
      do {
        result.value = .success(try await body(loop))
      } catch {
        result.value = .failure(error)
      }
      loop.stop()
    }
  }
  loop.run()
  return try result.value.get()
}

/// `@unchecked Sendable`: written on the loop's thread, read there after the loop has ended.
private final class LoopResult: @unchecked Sendable {
  var value: Result<Int32, any Error> = .success(1)
}
