package import Calls
package import Contracts

extension MarketV1.MarketServiceClient {
  /// Hands `learn` the instruments of every venue that has told them, and again as others come; returns
  /// when all have. So one venue that does not answer holds nobody up. `pause` is between questions.
  package func learnInstruments(
    _ options: CallOptions, pause: () async throws -> Void,
    _ learn: ([MarketV1.Instrument]) async throws -> Void
  ) async throws {
    while true {
      let told = try await listInstruments(.init(), options)
      try await learn(told.instruments)
      if told.unavailableVenues.isEmpty { return }
      try await pause()
      try Task.checkCancellation()
    }
  }
}
