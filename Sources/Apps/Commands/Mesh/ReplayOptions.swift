internal import Recording
internal import ServiceKit
internal import VenueSimulator
internal import Venues

/// What a recorded capture's name and the options say about its playback.
enum ReplayOptions {
  /// `instant`, `realtime`, or a whole factor such as `10x`.
  static func speed(_ text: String) -> ReplaySpeed? {
    switch text {
    case "instant": return .instant
    case "realtime": return .realtime
    default:
      guard text.hasSuffix("x"), let factor = Int64(text.dropLast()), (1...10_000).contains(factor)
      else { return nil }
      return .times(factor)
    }
  }

  /// The market whose symbol stands in the file's name: BTCUSDT for `spot_btcusdt_20240808.gz`.
  static func symbol(ofCapture path: String, among symbols: [String]) -> String? {
    let name = (path.split(separator: "/").last ?? "").uppercased()
    return symbols.first { name.contains($0) }
  }

  /// The market of a capture that can be played: named, or told by the file's header, name or frames.
  static func market(of path: String, named: String?) throws -> ReplayedMarket {
    let header: RecordingHeader?
    let bytes = try readFile(path)
    do throws(RecordingError) {
      header = try Recording.header(of: bytes)
    } catch {
      throw CommandError("\(path): \(error)")
    }
    let recorded: RecordedMarkets?
    if let venue = header?.venue, VenueDialect(rawValue: venue) == nil {
      let known = VenueDialect.allCases.map(\.rawValue).joined(separator: ", ")
      throw CommandError("\(path) is a recording of \(venue): those of \(known) can be played")
    } else if header?.venue == VenueDialect.binance.rawValue {
      recorded = nil
    } else {
      recorded = try RecordedMarkets(path: path)
    }
    guard let recorded, recorded.dialect != .binance else {
      return ReplayedMarket(
        dialect: .binance, listed: try binance(path, named: named, header))
    }
    return try streamed(recorded, path, named: named, header)
  }

  private static func binance(
    _ path: String, named: String?, _ header: RecordingHeader?
  ) throws -> String {
    let symbols = SimulatedMarket.standard.map(\.symbol)
    if let named {
      guard symbols.contains(named) else {
        throw UsageError("no market \(named)\(suggestion(for: named, among: symbols))")
      }
      return named
    }
    let recorded = header?.symbols.first { symbols.contains($0) }
    guard let symbol = recorded ?? symbol(ofCapture: path, among: symbols) else {
      throw UsageError(
        "\(path) names none of \(symbols.joined(separator: ", ")): say --symbol SYMBOL")
    }
    return symbol
  }

  /// Of Kraken and OKX any market whose book begins in the recording.
  private static func streamed(
    _ recorded: RecordedMarkets, _ path: String, named: String?, _ header: RecordingHeader?
  ) throws -> ReplayedMarket {
    let markets = recorded.symbols.map { ReplayedMarket(dialect: recorded.dialect, listed: $0) }
    guard !markets.isEmpty else {
      throw CommandError("\(path) has no snapshot of a book of \(recorded.dialect)")
    }
    if let named {
      guard let market = markets.first(where: { $0.listed == named || $0.symbol == named }) else {
        let known = markets.map(\.symbol)
        throw UsageError("no market \(named)\(suggestion(for: named, among: known)) in \(path)")
      }
      return market
    }
    let told = header?.symbols.lazy.compactMap { name in
      markets.first { $0.symbol == name }
    }.first
    guard let market = told ?? (markets.count == 1 ? markets[0] : nil) else {
      throw UsageError(
        "\(path) has \(markets.map(\.symbol).joined(separator: ", ")): say --symbol SYMBOL")
    }
    return market
  }
}

/// A market that a recording is played for.
struct ReplayedMarket: Sendable, Hashable {
  let dialect: VenueDialect
  /// By the venue's own name: `BTC/USD` at Kraken.
  let listed: String

  /// In our spelling: `BTCUSD`.
  var symbol: String { String(listed.filter { $0 != "/" && $0 != "-" }) }

  /// What a mesh is told to hear it, weaker than any `--set`: its exchange alone, and the market where
  /// that is none of the usual ones.
  var settings: [SettingsSources.Flag] {
    guard let venue = KnownVenue(rawValue: dialect.rawValue) else { return [] }
    var flags = [SettingsSources.Flag(path: "market-connector.venues", text: venue.rawValue)]
    if !venue.symbolsStandard.contains(symbol) {
      flags.append(
        SettingsSources.Flag(
          path: "market-connector.\(venue.rawValue)_symbols",
          text: (venue.symbolsStandard + [symbol]).joined(separator: ",")))
    }
    return flags
  }
}
