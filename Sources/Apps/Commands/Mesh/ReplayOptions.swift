internal import Recording
internal import ServiceKit
internal import VenueSimulator

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

  /// The market of a capture that can be played: named, or told by the file's header or name.
  static func market(of path: String, named: String?, among symbols: [String]) throws -> String {
    let header: RecordingHeader?
    let bytes = try readFile(path)
    do throws(RecordingError) {
      header = try Recording.header(of: bytes)
    } catch {
      throw CommandError("\(path): \(error)")
    }
    if let venue = header?.venue, venue != "binance" {
      throw CommandError("\(path) is a recording of \(venue): those of binance can be played")
    }
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
}
