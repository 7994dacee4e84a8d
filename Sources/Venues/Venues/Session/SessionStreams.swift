internal import Loop
internal import Telemetry

/// A venue that can be asked for its time.
protocol VenueClock: Sendable {
  func compareClocks() async throws(VenueFailure)
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

  private func compareClocks() async {
    while !Task.isCancelled {
      await loop.sleep(for: Self.clockInterval)
      if Task.isCancelled { return }
      do throws(VenueFailure) {
        try await clock.compareClocks()
      } catch {
        log.warning("the venue did not tell its time", ["error": .text("\(error)")])
      }
    }
  }
}
