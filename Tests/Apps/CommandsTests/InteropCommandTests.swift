import Interop
import ServiceKit
import Testing
import Transport

@testable import Commands

@Suite struct `Interop commands` {
  private func problem(_ command: Command, _ words: [String]) -> String? {
    do {
      _ = try command.run(Arguments(words, as: command.form))
      return nil
    } catch {
      return (error as? UsageError)?.description
    }
  }

  @Test func `what cannot be understood is said before anything is tried`() {
    let client = InteropClientCommand.command
    #expect(
      problem(client, ["--case", "larg_unary", "--port", "1"])
        == #"there is no case "larg_unary"; did you mean "large_unary"? (--case list shows them)"#)
    #expect(problem(client, ["--case", "empty_unary"]) == "--port PORT is missing")
    #expect(
      problem(client, ["--port", "1", "--ca", "x"]) == "--ca and --server-name are for --tls")
    #expect(problem(client, ["--port", "1", "--soak-timeout", "x"])?.contains("such as") == true)
    let server = InteropServerCommand.command
    #expect(problem(server, ["--cert", "x"]) == "--cert and --key are for --tls")
    #expect(problem(server, ["--tls", "--cert", "x"])?.contains("--key FILE") == true)
    #expect(problem(server, ["--port", "65536"])?.contains("0 to 65535") == true)
  }

  @Test func `a client that reaches nobody fails each case, with code 1`() throws {
    // Nobody listens on the port of tcpmux.
    let words = ["--port", "1", "--case", "empty_unary", "--timeout", "5s"]
    let command = InteropClientCommand.command
    #expect(try command.run(Arguments(words, as: command.form)) == 1)
    #expect(try command.run(Arguments(["--case", "list"], as: command.form)) == 0)
  }

  @Test func `clients name the version of this program`() {
    #expect(userAgent.description == "grpc-swift-shrivenquant/\(programVersion)")
  }
}
