internal import Loop
internal import Security
internal import ServiceKit
internal import Transport

/// Tells the simulator, which holds its capture back, to begin once every service listens, so that no
/// message of it is missed; each new process of the simulator is told again.
///
/// `@unchecked Sendable`: confined to its loop.
final class ReplayStart: @unchecked Sendable {
  private let url: String
  private let client: HTTPClient
  private let loop: EventLoop
  private let announce: (String) -> Void
  /// The simulator's process that was told, or is being told.
  private var told: Int32?
  private var telling: Task<Void, Never>?

  private static let retryWait = Duration.milliseconds(100)
  private static let requestTimeMax = Duration.seconds(2)

  init(
    port: Int, authority: String, loop: EventLoop, announce: @escaping (String) -> Void
  ) throws(FileError) {
    let authority = String(decoding: try readFile(authority), as: UTF8.self)
    url = "https://127.0.0.1:\(port)/sim/v1/replay:start"
    client = HTTPClient(loop: loop, trust: .authorities(authority))
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
    while !Task.isCancelled {
      var request = HTTPClientRequest(method: "POST", url: url, timeout: Self.requestTimeMax)
      request.maySendTwice = true
      do throws(HTTPClientError) {
        let response = try await client.send(request)
        if response.status == 200 { return announce("the replay begins") }
        say("the simulator does not begin the replay: status \(response.status)", unless: &problem)
      } catch {
        // A refused connection: it does not listen yet.
        if error.kind != .connect {
          say("the simulator cannot be told to begin the replay: \(error)", unless: &problem)
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
