package import Chrono

/// One thing that happened on a recorded connection.
package struct RecordedFrame: Sendable, Hashable {
  package enum Kind: Sendable, Hashable {
    /// The connection is up; the bytes are its address.
    case opened
    /// It has ended; the bytes say why.
    case closed
    /// A whole message that the client sent.
    case sent
    /// A whole message that it received.
    case received
    /// A successful answer to a REST request.
    case answered(target: String)
  }

  /// By the recorder's clock.
  package var time: Instant
  /// Which of the recorder's connections, from 0.
  package var connection: Int
  package var kind: Kind
  package var bytes: [UInt8]

  package init(time: Instant, connection: Int, kind: Kind, bytes: [UInt8]) {
    self.time = time
    self.connection = connection
    self.kind = kind
    self.bytes = bytes
  }
}

/// What a recording is of.
package struct RecordingHeader: Sendable, Hashable {
  /// `binance`; empty when the format does not tell.
  package var venue: String
  package var symbols: [String]
  package var begun: Instant

  package init(venue: String, symbols: [String], begun: Instant) {
    self.venue = venue
    self.symbols = symbols
    self.begun = begun
  }
}

/// Why a recording cannot be read.
package struct RecordingError: Error, Sendable, Hashable, CustomStringConvertible {
  /// From 1; 0 for the file as a whole.
  package var line: Int
  package var problem: String

  package init(line: Int, _ problem: String) {
    self.line = line
    self.problem = problem
  }

  package var description: String { line == 0 ? problem : "line \(line): \(problem)" }
}
