import Foundation
import Storm
import Testing

@Suite(.serialized) struct `A storm` {
  /// Where services make the few folders that they make.
  private static func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    let folder = NSTemporaryDirectory() + "storm-test-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return try body(folder)
  }

  private static func settings(_ seed: UInt64, _ faults: Set<StormFault>) -> StormSettings {
    var settings = StormSettings(seed: seed)
    settings.duration = .seconds(30)
    settings.round = .seconds(30)
    settings.ordersPerSecond = 8
    settings.faults = faults
    return settings
  }

  @Test func `TST-04 in calm weather the whole mesh trades, and everything agrees at the end`()
    throws
  {
    let result = try Self.withFolder { try Storm.run(Self.settings(1, []), folder: $0) }
    #expect(result.violation == nil)
    #expect(result.orders > 100)
    #expect(result.fills > 10)
  }

  /// In a process of its own, whose dictionaries are in the seed's order too.
  @Test func `TST-04 a seed is one run, byte for byte, and another seed is another`() async {
    setenv("SWIFT_DETERMINISTIC_HASHING", "1", 1)
    await #expect(processExitsWith: .success) {
      let folder = NSTemporaryDirectory() + "storm-test-\(getpid())"
      let faults: Set<StormFault> = [.late, .doubled, .crashes, .power, .silence]
      var settings = StormSettings(seed: 11)
      settings.duration = .seconds(10)
      settings.round = .seconds(10)
      settings.ordersPerSecond = 10
      settings.faults = faults
      let first = try Storm.run(settings, folder: folder)
      let again = try Storm.run(settings, folder: folder)
      settings.seed = 12
      let other = try Storm.run(settings, folder: folder)
      try FileManager.default.removeItem(atPath: folder)
      guard first.digest == again.digest, first.digest != other.digest,
        first.steps == again.steps, first.orders == again.orders
      else { exit(1) }
      exit(0)
    }
    unsetenv("SWIFT_DETERMINISTIC_HASHING")
  }

  @Test(arguments: [
    Set([StormFault.late, .doubled, .reordered, .cuts, .postgres, .clock, .slow]),
    Set([StormFault.crashes, .space, .silence, .bans, .halts, .streams, .fills]),
  ])
  func `TST-04 OMS-13 IDM-02 the rules hold with several things going wrong`(
    _ faults: Set<StormFault>
  ) throws {
    let result = try Self.withFolder { try Storm.run(Self.settings(3, faults), folder: $0) }
    #expect(result.violation == nil, "\(result.summary)")
    #expect(result.faults > 0)
  }
}
