import Calls
import Chrono
import Glibc
import Loop
import Transport

extension FuzzTarget {
  /// Whatever a server says, a call ends: with an answer, or with an error that says something.
  static let http2Client: FuzzTarget = {
    let loop = EventLoop(name: "fuzzed client")
    _ = loop.start()
    return FuzzTarget(
      name: "http2-client", seeds: clientSeeds,
      words: [
        "\0\0\0\u{04}\0\0\0\0\0", "\0\0\0\u{01}\u{05}\0\0\0\u{01}",
        "\0\0\u{04}\u{03}\0\0\0\0\u{01}", "\0\0\u{08}\u{07}\0\0\0\0\0",
        "grpc-status", "grpc-message",
      ]
    ) { bytes in call(answeredBy: bytes, loop) }
  }()

  private static func call(answeredBy bytes: [UInt8], _ loop: EventLoop) -> Verdict {
    let (socket, port) = LoopbackSocket.listening()
    var listener: LoopbackSocket? = socket
    let outcome = CallOutcome()
    Task(executorPreference: loop) {
      let channel = NetworkChannel(
        to: "fuzz", at: [.tcp(host: "127.0.0.1", port: port)], options: ChannelOptions(),
        loop: loop)
      // What waits for another connection, for there is none, ends soon.
      let options = CallOptions(deadline: loop.uptime + .milliseconds(300))
      do throws(RPCError) {
        let answer = try await channel.unary(fuzzedMethod("Echo", .unary), [1, 2, 3], options)
        outcome.end("answered \(min(answer.count, 3))", isTold: true)
      } catch {
        outcome.end("\(error.code) \(kind(error))", isTold: !error.message.isEmpty)
      }
      channel.close()
    }
    guard let server = listener?.accepted() else {
      return Verdict(signature: "", fault: "the client does not connect")
    }
    listener = nil
    // A client calls when it has seen settings. Bytes that begin with an odd one come before them.
    if bytes.first.map({ $0 & 1 == 0 }) ?? true {
      server.send(Frames.settings)
      guard server.readsCall() else {
        return Verdict(signature: "", fault: "the client does not call")
      }
    }
    server.sendAndFinish(bytes)
    guard let (text, isTold) = outcome.wait() else {
      return Verdict(signature: "", fault: "the call does not end")
    }
    return Verdict(
      signature: text,
      fault: isTold || text.hasPrefix("answered") || said(in: bytes)
        ? nil
        : "an error that says nothing: \(text)")
  }

  /// The server's own status may come without words.
  private static func said(in bytes: [UInt8]) -> Bool {
    String(decoding: bytes, as: UTF8.self).contains("grpc-s")
  }

  private static let clientSeeds: [[UInt8]] = {
    let head = Frames.fields([(":status", "200"), ("content-type", "application/grpc")])
    let status = Frames.fields([("grpc-status", "0")])
    let failure = Frames.fields([
      (":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "5"),
      ("grpc-message", "no%20such thing"), ("x-more-bin", "AAEC"),
    ])
    return [
      Frames.settings + Frames.settingsTaken + Frames.frame(1, 4, 1, head)
        + Frames.frame(0, 0, 1, framed([9, 9])) + Frames.frame(1, 5, 1, status),
      Frames.settings + Frames.frame(1, 5, 1, failure),
      Frames.settings + Frames.frame(1, 5, 1, Frames.fields([(":status", "503")])),
      Frames.settings + Frames.frame(1, 4, 1, head) + Frames.frame(3, 0, 1, [0, 0, 0, 11]),
      Frames.settings + Frames.frame(7, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]),
      Frames.frame(4, 0, 0, [0, 3, 0, 0, 0, 0]) + Frames.frame(6, 0, 0, [1, 2, 3, 4, 5, 6, 7, 8]),
      Frames.settings + Frames.frame(1, 4, 1, head)
        + Frames.frame(0, 8, 1, [2] + framed([1]) + [0, 0])
        + Frames.frame(8, 0, 0, [0, 0, 1, 0]) + Frames.frame(1, 5, 1, status),
      Array("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".utf8),
    ]
  }()
}

/// Handed from the loop's thread to the one that waits. `@unchecked Sendable`: a lock guards it.
private final class CallOutcome: @unchecked Sendable {
  private var lock = pthread_mutex_t()
  private var ended = pthread_cond_t()
  private var outcome: (String, Bool)?

  init() {
    pthread_mutex_init(&lock, nil)
    pthread_cond_init(&ended, nil)
  }

  func end(_ text: String, isTold: Bool) {
    pthread_mutex_lock(&lock)
    outcome = (text, isTold)
    pthread_cond_signal(&ended)
    pthread_mutex_unlock(&lock)
  }

  /// At most five seconds.
  func wait() -> (String, Bool)? {
    var until = timespec()
    clock_gettime(CLOCK_REALTIME, &until)
    until.tv_sec += 5
    pthread_mutex_lock(&lock)
    defer { pthread_mutex_unlock(&lock) }
    while outcome == nil, pthread_cond_timedwait(&ended, &lock, &until) == 0 {}
    return outcome
  }
}
