internal import Chrono
internal import Loop
internal import Security
internal import ServiceKit
internal import Telemetry
internal import Venue
internal import Venues

enum CaptureCommand {
  static let command = Command(
    CommandForm(
      "capture", operands: "FILE", 1...1,
      summary: "Records a venue's public streams, frame by frame, into a new file.",
      options: MeshOptions.finding + [
        CommandForm.Option(
          "--venue", value: "VENUE",
          KnownVenue.allCases.map(\.rawValue).joined(separator: ", ") + " (default binance)"),
        CommandForm.Option(
          "--symbols", value: "LIST", "in our spelling (default: bitcoin, ether and solana)"),
        CommandForm.Option(
          "--live", "of the exchange itself (default: of this machine's venue-sim)"),
        CommandForm.Option("--for", value: "TIME", "ends after this time, such as 90s or 2h"),
        CommandForm.Option(
          "--bytes-max", value: "N", "ends when the file has this size (default 10 GiB)"),
      ],
      notes: """
          shrivenquant capture btc.sqr --symbols BTCUSDT --for 60s
          shrivenquant up --replay btc.sqr

        Zstandard over lines of text, every frame exactly as it was: `zstdcat FILE` shows it, \
        docs/recordings.md explains it. It is good up to the last second, also after a crash; \
        Ctrl-C ends it. No credentials are used. Exit code 1: nothing could be recorded, or the \
        disk is full.
        """)
  ) { arguments in
    let venue = try venue(arguments)
    let settings = try settings(arguments, venue)
    let limit = try limit(arguments)
    let bytesMax = try arguments.int("--bytes-max", in: 1 << 16...Int.max, default: 10 << 30)
    let path = absolutePath(arguments.operands[0])
    SignalWatch.block()
    return try onLoop { loop in
      let stop = StopWait()
      let signals = try SignalWatch(loop) { stop.received($0) }
      defer { signals.stop() }
      return try await record(
        venue, settings, to: path, limit: limit, bytesMax: bytesMax, until: stop, loop)
    }
  }

  private static func venue(_ arguments: Arguments) throws -> KnownVenue {
    let name = arguments.value("--venue") ?? "binance"
    guard let venue = KnownVenue(rawValue: name) else {
      let known = KnownVenue.allCases.map(\.rawValue)
      throw UsageError("there is no venue \(name)\(suggestion(for: name, among: known))")
    }
    return venue
  }

  private static func limit(_ arguments: Arguments) throws -> Duration? {
    guard let text = arguments.value("--for") else { return nil }
    guard let time = DurationText.parse(text), time > .zero else {
      throw UsageError("--for is \"\(text)\": a time such as 90s is expected")
    }
    return time
  }

  private static func settings(
    _ arguments: Arguments, _ venue: KnownVenue
  ) throws -> VenueSettings {
    let symbols =
      arguments.value("--symbols").map { $0.split(separator: ",").map(String.init) }
      ?? venue.symbolsStandard
    var address = venue.exchange
    var trust = Trust.system
    if !arguments.has("--live") {
      guard venue.isSimulated else {
        throw UsageError("venue-sim does not speak \(venue.rawValue): say --live")
      }
      let options = try MeshOptions(arguments)
      let port = try options.ports().port(of: "venue-sim") ?? 9443
      address = VenueAddress(
        restURL: "https://127.0.0.1:\(port)", streamHost: "127.0.0.1", streamPort: port)
      guard fileExists(options.state.authority) else {
        throw CommandError(
          "no mesh was brought up in \(options.state.path): `shrivenquant up`, or --live")
      }
      trust = .authorities(try readText(options.state.authority))
    }
    return VenueSettings(
      restURL: address.restURL, streamHost: address.streamHost, streamPort: address.streamPort,
      trust: trust, apiKey: "", secret: [], symbols: symbols)
  }

  private static func record(
    _ venue: KnownVenue, _ settings: VenueSettings, to path: String, limit: Duration?,
    bytesMax: Int, until stop: StopWait, _ loop: EventLoop
  ) async throws -> Int32 {
    let log = Log(LogSink(.descriptor(2), level: .warning), service: "capture")
    let recorder = FrameRecorder(path)
    var recorded = settings
    recorded.recorder = recorder
    let session = try venue.session(
      recorded, loop: loop, time: SystemTime(), log: log, metrics: MetricsRegistry())
    let instruments: [Instrument]
    do throws(VenueError) {
      instruments = try await session.loadInstruments()
    } catch {
      Terminal.complain(
        "\(venue.rawValue) at \(settings.restURL) does not list its instruments: \(error)")
      return 1
    }
    let missing = settings.symbols.filter { symbol in
      !instruments.contains { $0.symbol == symbol }
    }
    guard missing.isEmpty else {
      throw UsageError("\(venue.rawValue) does not list \(missing.joined(separator: ", "))")
    }
    try recorder.begin(venue: venue.rawValue, symbols: settings.symbols, at: SystemTime().now)
    await session.start(market: { _ in }, account: { _ in })
    Terminal.say("recording \(settings.symbols.joined(separator: ", ")) into \(path)")
    let end = limit.map { loop.uptime + $0 }
    let ending = loop.spawn {
      while !Task.isCancelled, recorder.failure == nil, recorder.packedBytes < bytesMax,
        end.map({ loop.uptime < $0 }) ?? true
      {
        let rest = end.map { $0 - loop.uptime } ?? .seconds(1)
        await loop.sleep(for: min(.seconds(1), max(.zero, rest)))
        recorder.flush()
      }
      stop.finish()
    }
    await stop.wait()
    ending.cancel()
    await session.stop()
    recorder.finish()
    if let failure = recorder.failure {
      Terminal.complain("\(failure)")
      return 1
    }
    Terminal.say(
      "\(recorder.frames) frames, \(recorder.bytes) bytes, \(recorder.packedBytes) in the file")
    return recorder.frames > 0 ? 0 : 1
  }
}
