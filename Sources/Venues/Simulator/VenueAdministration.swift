/// The simulated exchanges from behind: what is to go wrong, and what they know themselves.
package struct VenueAdministration: Sendable {
  let shells: [VenueDialect: VenueShell]

  /// Held playbacks begin.
  package func startReplays() async {
    for shell in shells.values { await shell.startReplays() }
  }

  package func inject(_ fault: VenueFault, at dialect: VenueDialect = .binance)
    async throws(FaultError)
  {
    try await shell(dialect).inject(fault)
  }

  /// A market's book as the exchange itself has it, best first.
  package func book(
    of symbol: String, at dialect: VenueDialect, levelsMax: Int
  ) async throws(FaultError) -> ExchangeBook {
    let shell = try shell(dialect)
    guard let book = await shell.inspect({ $0.book(of: symbol, levelsMax: levelsMax) }) else {
      throw FaultError("symbol", "is \(symbol), which \(dialect) does not trade")
    }
    return book
  }

  /// What an account has and has open, as the exchange itself knows it.
  package func account(
    _ apiKey: String, at dialect: VenueDialect
  ) async throws(FaultError) -> ExchangeAccount {
    let shell = try shell(dialect)
    guard let account = await shell.inspect({ $0.account(apiKey) }) else {
      throw FaultError("api_key", "is no account of \(dialect)")
    }
    return account
  }

  private func shell(_ dialect: VenueDialect) throws(FaultError) -> VenueShell {
    guard let shell = shells[dialect] else {
      throw FaultError("venue", "is \(dialect), which is not simulated here")
    }
    return shell
  }
}
