import ServiceKit

extension FuzzTarget {
  /// A file of settings is read, or refused with a line.
  static let toml = FuzzTarget(
    name: "toml",
    seeds: [
      """
      [mesh]
      listen_host = "127.0.0.1"
      lease = "5s"  # short

      [risk-manager]
      max_order_size = 10
      limits = { BTCUSDT = 2.5, ETHUSDT = [1, 2, 3] }
      """,
      "[[venues]]\nname = 'binance'\nsince = 2026-01-31T23:59:59.5Z\n[[venues]]\nname = \"\"\"a\nb\"\"\"\n",
    ].map { Array($0.utf8) },
    words: [
      "[", "]", "[[", "]]", "=", "\"", "\"\"\"", "'''", "#", "\n", "\r", "{", "}", ",", ".", "inf",
      "nan", "0x", "0b", "1_000", "1979-05-27", "\\u0000", "\\U0010FFFF", "true", "a.b.c", "\0",
    ]
  ) { bytes in
    do throws(SettingsError) {
      let file = try TOMLFile(parsing: bytes, name: "mesh.toml")
      let isSound = file.entries.allSatisfy { $0.line > 0 }
      return Verdict(
        signature: "\(file.entries.count) entries", fault: isSound ? nil : "an entry has no line")
    } catch {
      let isTold = error.problems.allSatisfy { !$0.isEmpty }
      return Verdict(
        signature: kind(error), fault: isTold ? nil : "a refusal says nothing")
    }
  }
}
