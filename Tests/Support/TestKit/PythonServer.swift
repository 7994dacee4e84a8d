internal import Foundation

/// The machine's Python has no grpcio, so tests against it cannot run.
package let isGRPCMissing: Bool = {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  process.arguments = [python, "-c", "import grpc"]
  process.standardError = FileHandle.nullDevice
  do { try process.run() } catch { return true }
  process.waitUntilExit()
  return process.terminationStatus != 0
}()

package let grpcioAdvice = "grpcio is not installed: pip install grpcio, or set PYTHON"

/// A Python program that prints its port and serves until its input ends.
package final class PythonServer {
  private let process = Process()
  private let input = Pipe()
  package let port: Int

  package init(_ script: String, _ arguments: [String] = []) throws {
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [python, fixture(script)] + arguments
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    var line = Data()
    while let next = try output.fileHandleForReading.read(upToCount: 1), next != Data("\n".utf8),
      !next.isEmpty
    { line += next }
    port = Int(String(decoding: line, as: UTF8.self)) ?? 0
  }

  /// Killed, not asked: the end of its standard input reaches it only when every process that another
  /// test has started meanwhile has let go of the pipe too.
  package func stop() {
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }
}
