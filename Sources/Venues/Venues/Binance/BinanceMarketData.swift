internal import Chrono
internal import JSON
internal import Loop
internal import OrderBook
internal import Security
internal import Telemetry
internal import Transport
internal import Venue

/// Binance's public streams of all instruments over one WebSocket, kept connected.
///
/// Books come from the stream; REST is asked for a snapshot when a connection is new and when a
/// book has lost its place, never otherwise. While a snapshot is on its way deltas are kept, and
/// published after it one by one, so that a hearer sees every state of the book.
///
/// `@unchecked Sendable`: its state is touched on the loop only, where all its tasks run.
final class BinanceMarketData: @unchecked Sendable {
  private let settings: VenueSettings
  private let rest: BinanceREST
  private let codec: BinanceCodec
  private let instruments: [Instrument]
  private let tls: TLSContext
  private let loop: EventLoop
  private let time: any TimeSource
  private let log: Log
  private let outlet: EventOutlet<MarketEvent>

  private var feeds: [BookFeed] = []
  private var delay: ReconnectDelay
  private var socket: WebSocket?
  private var task: Task<Void, Never>?
  private var isStopped = false
  /// Counts connections, so that a snapshot asked for on an earlier one is not used.
  private var epoch = 0

  /// One instrument's book and the deltas that wait for its snapshot.
  private final class BookFeed {
    let instrument: Instrument
    let book = SequencedBook()
    var kept: [BookDelta] = []
    var isFetching = false

    init(_ instrument: Instrument) { self.instrument = instrument }

    func keep(_ delta: BookDelta) {
      kept.append(delta)
      if kept.count > book.bufferMax { kept.removeFirst() }
    }
  }

  init(
    _ settings: VenueSettings, rest: BinanceREST, instruments: [Instrument], tls: TLSContext,
    loop: EventLoop, time: any TimeSource, log: Log,
    hearer: @escaping @Sendable (MarketEvent) async -> Void
  ) {
    self.settings = settings
    self.rest = rest
    self.codec = BinanceCodec(instruments)
    self.instruments = instruments
    self.tls = tls
    self.loop = loop
    self.time = time
    self.log = log
    self.outlet = EventOutlet(hearer)
    self.delay = ReconnectDelay(settings)
    self.feeds = instruments.map(BookFeed.init)
  }

  func start() {
    loop.assertInLoop()
    task = loop.spawn { [self] in await run() }
  }

  func stop() async {
    isStopped = true
    socket?.startClosing(.normal)
    task?.cancel()
    await task?.value
    task = nil
  }

  private var target: String {
    let names = instruments.flatMap { instrument in
      let symbol = instrument.venueSymbol.lowercased()
      return ["\(symbol)@depth@100ms", "\(symbol)@trade", "\(symbol)@bookTicker"]
    }
    return "/stream?streams=" + names.joined(separator: "/")
  }

  private func run() async {
    while !isStopped {
      let reason = await connection()
      socket = nil
      let stale = feeds.filter { !$0.book.isStale }.map {
        MarketEvent.stale($0.instrument.id, reason: reason)
      }
      for feed in feeds {
        feed.book.reset()
        feed.kept = []
      }
      await outlet.put(stale)
      guard !isStopped else { return }
      log.warning("the public stream ended", ["reason": .text(reason)])
      await loop.sleep(for: delay.take())
    }
  }

  /// One connection from its making to its end; returns why it ended.
  private func connection() async -> String {
    do throws(WebSocketError) {
      var limits = WebSocketLimits.standard
      // A delta after a long silence of the venue's engine holds thousands of levels.
      limits.messageMax = 8 << 20
      let socket = try await WebSocketClient.connect(
        host: settings.streamHost, port: settings.streamPort, target: target, tls: tls, loop: loop,
        limits: limits, timeout: settings.requestTimeout)
      self.socket = socket
      epoch += 1
      rest.counters.connections.increment()
      if epoch > 1 { rest.counters.reconnections.increment() }
      if isStopped { socket.startClosing(.normal) }
      while let message = try await socket.receive() {
        delay.proven()
        await receive(message.bytes)
      }
      return "closed by the venue"
    } catch {
      return error.description
    }
  }

  private func receive(_ bytes: [UInt8]) async {
    rest.counters.messages.increment()
    do throws(JSONError) {
      switch try codec.decode(bytes, received: time.now) {
      case .depth(let delta): await receive(delta)
      case .trade(let trade): await outlet.put([.trade(trade)])
      case .top(let top): await outlet.put([.top(top)])
      case .other: break
      }
    } catch {
      rest.counters.malformed.increment()
      log.error("a message cannot be read", ["error": .text(error.description)])
    }
  }

  // MARK: Books

  private func receive(_ delta: BookDelta) async {
    let feed = feeds[Int(delta.instrument.index)]
    let wasStale = feed.book.isStale
    switch feed.book.apply(delta) {
    case .applied: await outlet.put([.delta(delta)])
    case .dropped: break
    case .buffered: feed.keep(delta)
    case .recovered: preconditionFailure("a delta does not recover a book")
    case .requestSnapshot(let reason):
      if reason != .crossed { feed.keep(delta) }
      fetchSnapshot(feed, after: .zero)
      guard !wasStale else { return }
      rest.counters.gaps.increment()
      log.warning(
        "a book lost its place",
        ["symbol": .text(feed.instrument.symbol), "reason": .text(reason.reason)])
      await outlet.put([.stale(feed.instrument.id, reason: reason.reason)])
    }
  }

  private func fetchSnapshot(_ feed: BookFeed, after wait: Duration) {
    guard !feed.isFetching else { return }
    feed.isFetching = true
    let (epoch, index) = (epoch, Int(feed.instrument.id.index))
    loop.spawn { [self] in await snapshot(index, epoch: epoch, after: wait) }
  }

  private func snapshot(_ index: Int, epoch: Int, after wait: Duration) async {
    let feed = feeds[index]
    if wait > .zero { await loop.sleep(for: wait) }
    var retry = ReconnectDelay(settings)
    while !isStopped, epoch == self.epoch {
      do throws(BinanceFailure) {
        rest.counters.snapshots.increment()
        let body = try await rest.body(
          "GET", "/api/v3/depth",
          [("symbol", feed.instrument.venueSymbol), ("limit", String(settings.depthMax))], .open)
        guard epoch == self.epoch else { break }
        feed.isFetching = false
        await apply(body, to: feed)
        return
      } catch {
        log.warning(
          "no snapshot yet",
          ["symbol": .text(feed.instrument.symbol), "error": .text("\(error)")])
        await loop.sleep(for: retry.take())
      }
    }
    feed.isFetching = false
    // A new connection may have asked while this one's answer was on its way.
    if !isStopped, feed.book.isStale, !feed.kept.isEmpty { fetchSnapshot(feed, after: .zero) }
  }

  private func apply(_ body: [UInt8], to feed: BookFeed) async {
    let snapshot: BookSnapshot
    do throws(JSONError) {
      snapshot = try codec.snapshot(body, of: feed.instrument, received: time.now)
    } catch {
      rest.counters.malformed.increment()
      log.error("a snapshot cannot be read", ["error": .text(error.description)])
      fetchSnapshot(feed, after: settings.reconnectMin)
      return
    }
    switch feed.book.apply(snapshot) {
    case .recovered:
      let rest = feed.kept.filter { $0.lastUpdateID > snapshot.updateID }
      feed.kept = []
      await outlet.put([.snapshot(snapshot)] + rest.map { .delta($0) })
    case .requestSnapshot:
      // Older than the kept deltas: the venue's REST cache lags its stream, so a moment later.
      fetchSnapshot(feed, after: settings.reconnectMin)
    case .applied, .buffered, .dropped: break
    }
  }
}
