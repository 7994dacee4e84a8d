internal import Chrono
internal import Loop
internal import Telemetry
internal import Venue

/// A venue that can be asked for its time.
protocol VenueClock: Sendable {
  func compareClocks() async throws(VenueFailure)
  /// The circuit breaker lets requests through to see whether the venue is back.
  var isOnProbation: Bool { get }
}

/// The streams of one session, begun and ended together, and the question for the venue's time that
/// is asked again while they live.
///
/// `@unchecked Sendable`: its state is touched on the loop only.
final class SessionStreams: @unchecked Sendable {
  private let loop: EventLoop
  private let clock: any VenueClock
  private let log: Log
  private var streams: [PublicStream] = []
  private var account: PrivateStream?
  private var clockCheck: Task<Void, Never>?

  private static let clockInterval = Duration.seconds(30)
  /// And so often while the circuit breaker is half-open: the question is as good a probe as any, and
  /// orders need not be the first.
  private static let probeInterval = Duration.seconds(1)

  init(_ loop: EventLoop, clock: any VenueClock, log: Log) {
    self.loop = loop
    self.clock = clock
    self.log = log
  }

  /// `make` is called on the loop.
  func start(
    _ make: @escaping @Sendable () -> (streams: [PublicStream], account: PrivateStream?)
  ) async {
    await withCheckedContinuation { continuation in
      loop.onLoop { [self] in
        precondition(streams.isEmpty, "the session has been started already")
        (streams, account) = make()
        account?.start()
        for stream in streams { stream.start() }
        clockCheck = loop.spawn { [self] in await compareClocks() }
        continuation.resume()
      }
    }
  }

  func stop() async {
    await withCheckedContinuation { continuation in
      loop.onLoop { [self] in
        let (streams, account, clockCheck) = (self.streams, self.account, self.clockCheck)
        self.streams = []
        self.account = nil
        self.clockCheck = nil
        clockCheck?.cancel()
        loop.spawn {
          for stream in streams { await stream.stop() }
          await account?.stop()
          await clockCheck?.value
          continuation.resume()
        }
      }
    }
  }

  /// Asks for a book anew, on the stream that carries it; from anywhere.
  func resynchronise(_ instrument: InstrumentID, reason: String) {
    loop.onLoop { [self] in
      for stream in streams {
        loop.spawn { await stream.resynchronise(instrument, reason: reason) }
      }
    }
  }

  private func compareClocks() async {
    var due = loop.uptime + Self.clockInterval
    while !Task.isCancelled {
      await loop.sleep(for: Self.probeInterval)
      if Task.isCancelled { return }
      guard loop.uptime >= due || clock.isOnProbation else { continue }
      due = loop.uptime + Self.clockInterval
      do throws(VenueFailure) {
        try await clock.compareClocks()
      } catch {
        log.warning("the venue did not tell its time", ["error": .text("\(error)")])
      }
    }
  }
}
