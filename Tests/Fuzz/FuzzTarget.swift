/// A reader of what others wrote, and what must hold of it for any bytes at all.
struct FuzzTarget: Sendable {
  /// What became of one input.
  struct Verdict: Sendable {
    /// What kind of end it was; an input with a new one is kept as a starting point.
    var signature: String
    /// A promise that was broken.
    var fault: String?
  }

  let name: String
  let seeds: [[UInt8]]
  /// Pieces that mean something to the format.
  let words: [String]
  let run: @Sendable ([UInt8]) -> Verdict

  static func all() async throws -> [FuzzTarget] {
    [
      http1, try await http2Server(), http2Client, grpcFrames, metadata, webSocket, names, json,
      codec, toml, okx, venueBinance, venueKraken,
      try await journal(),
    ]
  }

  /// An error's text without the numbers in it, so that each kind of error is one signature.
  static func kind(_ error: any Error) -> String {
    String("\(error)".filter { $0.isLetter || $0 == " " }.prefix(80))
  }
}
