internal import Calls
internal import Chrono
internal import Contracts
internal import Loop
internal import Security
internal import ServiceKit
internal import Transport

/// Tells the simulator, which holds its capture back, to begin once every service listens, so that no
/// message of it is missed; each new process of the simulator is told again.
///
/// `@unchecked Sendable`: confined to its loop.
final class ReplayStart: @unchecked Sendable {
  private let channel: NetworkChannel
  private let loop: EventLoop
  private let announce: (String) -> Void
  /// The simulator's process that was told, or is being told.
  private var told: Int32?
  private var telling: Task<Void, Never>?

  private static let retryWait = Duration.milliseconds(100)
  private static let requestTimeMax = Duration.seconds(2)

  init(
    port: Int, tls: TLSContext, loop: EventLoop, announce: @escaping (String) -> Void
  ) {
    channel = NetworkChannel(
      to: "venue-sim", at: [.tcp(host: "127.0.0.1", port: port)],
      options: ChannelOptions(tls: tls), loop: loop)
    self.loop = loop
    self.announce = announce
  }

  /// The simulator runs as this process; nil while it does not run.
  func simulatorIs(_ process: Int32?) {
    loop.assertInLoop()
    guard process != told else { return }
    stop()
    told = process
    guard process != nil else { return }
    telling = loop.spawn { [self] in await tell() }
  }

  func stop() {
    telling?.cancel()
    telling = nil
  }

  /// Until it has answered; it listens a moment after its process begins.
  private func tell() async {
    var problem = ""
    let client = SimulatorV1.SimulatorServiceClient(channel: channel)
    while !Task.isCancelled {
      var options = CallOptions()
      options.deadline = loop.uptime + Self.requestTimeMax
      do {
        _ = try await client.startReplay(SimulatorV1.StartReplayRequest(), options)
        return announce("the replay begins")
      } catch {
        // Unavailable: it does not listen yet.
        if error.code != .unavailable {
          say("the simulator does not begin the replay: \(error.message)", unless: &problem)
        }
      }
      await loop.sleep(for: Self.retryWait)
    }
  }

  /// Says a problem once, not at each attempt.
  private func say(_ line: String, unless said: inout String) {
    guard line != said, !Task.isCancelled else { return }
    said = line
    announce(line)
  }
}
