internal import Calls
internal import Contracts
internal import Loop
internal import ServiceKit
internal import SharedRing
internal import Telemetry
internal import TickRing

/// Where the prices of this process come from; as in `tick_ring`.
enum TickRingUse: String, CaseIterable, Sendable {
  /// From the ring while its writer lives, else from the orderbook's stream.
  case auto
  /// From the ring alone.
  case on
  /// From the stream alone.
  case off
}

enum PriceSource: String, CaseIterable, Sendable {
  case ring
  case stream
}

/// Follows the one source of prices that there is now. When it ends, no price is to be trusted until
/// the next one has told it: nobody trades on a price that stands still because its source is gone.
struct PriceFollower: Sendable {
  let use: TickRingUse
  let feed: TickFeed
  let desk: TradingDesk
  let context: ServiceContext
  /// Holds once a source has told.
  let told: ReadinessBoard.Requirement

  /// How long until a ring that was not there is looked for again.
  private static let searchInterval = Duration.milliseconds(200)

  init(_ config: Config, _ desk: TradingDesk, _ context: ServiceContext) {
    use = config.tickRing.use
    feed = TickFeed(
      RingPlace(TickRingFile.name, in: context.state.run), config, context.loop, context.metrics)
    self.desk = desk
    self.context = context
    told = context.readiness.require("tops", reason: "no source of prices has told")
  }

  func run() {
    context.spawn("follow prices") {
      // Prices of instruments that are not known yet would be lost.
      while await !desk.hasGate { await context.loop.sleep(for: .milliseconds(20)) }
      guard use != .off else { return try await followStream() }
      while !Task.isCancelled {
        if feed.open() {
          await followRing()
        } else if use == .auto {
          try await followStreamUntilRing()
        } else {
          told.fail("tick_ring is on, and there is no ring to read: \(feed.absence)")
          await context.loop.sleep(for: Self.searchInterval)
        }
      }
    }
  }

  private func followRing() async {
    context.log.info("prices come from the ring of ticks")
    var hasTold = false
    while let batch = await feed.next() {
      await desk.take(batch)
      if !hasTold, !batch.ticks.isEmpty {
        told.hold()
        hasTold = true
      }
    }
    feed.close("the service is stopping")
    await desk.loseTops()
    if Task.isCancelled { return }
    context.log.warning("the ring of ticks is lost", ["reason": .text(feed.absence)])
  }

  private func followStream() async throws {
    let orderbook = OrderbookV1.OrderbookServiceClient(channel: context.channel(to: "orderbook"))
    do {
      var options = CallOptions()
      options.waitsForReady = true
      let stream = try await orderbook.streamTops(.init(), options)
      defer { stream.cancel() }
      while let top = try await stream.next() {
        await desk.take(top)
        told.hold()
      }
      throw RPCError(.unavailable, "the orderbook ended its stream")
    } catch {
      await desk.loseTops()
      throw error
    }
  }

  /// Returns when there is a ring.
  private func followStreamUntilRing() async throws {
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await followStream() }
      tasks.addTask {
        while !Task.isCancelled {
          await context.loop.sleep(for: Self.searchInterval)
          if feed.isThere { return }
        }
      }
      defer { tasks.cancelAll() }
      try await tasks.next()
    }
  }
}
