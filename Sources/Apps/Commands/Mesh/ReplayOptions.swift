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

  /// The first of the symbols that one of our own recordings says it is of.
  static func recordedSymbol(_ path: String, among symbols: [String]) throws -> String? {
    let header = try Recording(readFile(path)).header
    return header?.symbols.first { symbols.contains($0) }
  }
}
