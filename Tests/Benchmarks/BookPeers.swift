private import Glibc
import Units
import Venue

/// Order books of others, from PyPI, in a Python of their own; they get the levels that ours gets.
enum BookPeers {
  /// A library, and what a level costs in it.
  struct Peer {
    let library: String
    let version: String
    let nanoseconds: Double
  }

  private static let script = "\(Workspace.root)/Tests/Benchmarks/Peers/books.py"
  private static let environment = "\(Workspace.root)/.build/peers/python"
  private static let libraries = [
    (name: "nautilus_trader", version: "1.221.0"), (name: "hftbacktest", version: "2.4.4"),
  ]

  /// Those that can be installed and run here; a note for each that cannot.
  static func measure(_ capture: OrderBookCapture, rounds: Int = 5) -> [Peer] {
    do {
      let workspace = try Workspace("book-peers")
      try workspace.write(bytes(of: capture), to: "levels")
      return libraries.compactMap { library in
        do {
          let words = [
            try python(library.name, library.version), script, library.name,
            "\(workspace.path)/levels", String(rounds),
          ]
          let text = try Child.output(of: words, core: Cores.server)
          let samples = text.split(separator: "\n").compactMap { Double($0) }
          guard samples.count == rounds else { throw Broken("it said \(text)") }
          return Peer(
            library: library.name, version: library.version, nanoseconds: samples.min()!)
        } catch {
          note("  without \(library.name): \(error)")
          return nil
        }
      }
    } catch {
      note("  without peers: \(error)")
      return []
    }
  }

  /// The interpreter of an environment that has the library in this version.
  private static func python(_ name: String, _ version: String) throws -> String {
    let python = "\(environment)/bin/python3"
    let wanted = """
      import importlib.metadata, sys
      try: print(importlib.metadata.version("\(name)"))
      except importlib.metadata.PackageNotFoundError: print("none")
      """
    let isThere = access(python, X_OK) == 0
    if isThere,
      try Child.output(of: [python, "-c", wanted]) == "\(version)\n"
    {
      return python
    }
    note("  installing \(name) \(version) from PyPI, once")
    if !isThere {
      try Workspace.make(environment)
      _ = try Child.output(of: ["python3", "-m", "venv", environment])
    }
    _ = try Child.output(
      of: [
        python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "\(name)==\(version)",
      ])
    return python
  }

  /// As `books.py` reads them; a message without levels is left out.
  private static func bytes(of capture: OrderBookCapture) -> [UInt8] {
    var bytes: [UInt8] = []
    func put(_ number: Int64) {
      withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }
    func put(bids: [PriceLevel], asks: [PriceLevel]) {
      guard !(bids.isEmpty && asks.isEmpty) else { return }
      put(Int64(bids.count + asks.count))
      for (side, levels) in [(Int64(1), bids), (-1, asks)] {
        for level in levels {
          put(side)
          put(level.price.raw)
          put(level.quantity.raw)
        }
      }
    }
    put(bids: capture.snapshot.bids, asks: capture.snapshot.asks)
    for delta in capture.deltas { put(bids: delta.bids, asks: delta.asks) }
    return bytes
  }
}
