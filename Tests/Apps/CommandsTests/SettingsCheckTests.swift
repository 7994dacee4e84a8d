import ServiceKit
import TestKit
import Testing

@testable import Commands

@Suite struct `Settings before a mesh starts` {
  private func refusal(_ settings: [String], _ file: String? = nil) throws -> String? {
    let folder = try TemporaryFolder()
    var words = ["--state", folder.path]
    for setting in settings { words += ["--set", setting] }
    if let file {
      let path = folder.path + "/mesh.toml"
      try writeFile(path, file, mode: 0o600)
      words += ["--settings", path]
    }
    let arguments = try Arguments(words, as: UpCommand.command.form)
    do {
      try SettingsCheck.refuse(try MeshOptions(arguments))
      return nil
    } catch let error as CommandError {
      return error.description
    }
  }

  @Test func `good ones are taken`() throws {
    #expect(try refusal(["market-connector.venues=binance,kraken"]) == nil)
  }

  @Test func `a wrong one of any service is refused with its message and the service's name`()
    throws
  {
    let text = try #require(
      try refusal(["market-connector.venues=mtgox", "oms.cancel_wait=soon"]))
    let lines = text.split(separator: "\n").map(String.init)
    #expect(lines.count == 3, "\(text)")
    #expect(lines[0] == "nothing was started:")
    #expect(lines.contains { $0.hasPrefix("  market-connector: ") && $0.contains("mtgox") })
    #expect(lines.contains { $0.hasPrefix("  oms: ") && $0.contains("cancel_wait") })
  }

  @Test func `what is wrong for all of them is said once`() throws {
    let text = try #require(try refusal([], "[mesh]\nlog_level = \"loud\"\n"))
    #expect(text.split(separator: "\n").count == 2, "\(text)")
    #expect(!text.contains("oms"))
  }
}
