internal import Foundation

/// What a program said and how it ended.
package struct ProgramResult: Sendable {
  package let status: Int32
  package let output: String
}

/// Runs a program of the machine, found through PATH, without blocking the caller's thread.
/// Standard error is part of the output.
package func run(_ program: String, _ arguments: [String], input: String = "") async throws
  -> ProgramResult
{
  try await withCheckedThrowingContinuation { continuation in
    Thread.detachNewThread {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = [program] + arguments
      let (output, standardInput) = (Pipe(), Pipe())
      process.standardOutput = output
      process.standardError = output
      process.standardInput = standardInput
      do {
        try process.run()
        standardInput.fileHandleForWriting.write(Data(input.utf8))
        try standardInput.fileHandleForWriting.close()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        continuation.resume(
          returning: ProgramResult(
            status: process.terminationStatus, output: String(decoding: data, as: UTF8.self)))
      } catch {
        continuation.resume(throwing: error)
      }
    }
  }
}

/// The Python that has grpcio: `PYTHON`, the project's `.build/venv`, or the machine's.
package var python: String {
  let environment = ProcessInfo.processInfo.environment
  if let python = environment["PYTHON"], !python.isEmpty { return python }
  let local = FileManager.default.currentDirectoryPath + "/.build/venv/bin/python3"
  return FileManager.default.fileExists(atPath: local) ? local : "python3"
}

/// The path of a file under `Tests/Fixtures`.
package func fixture(_ name: String, from file: String = #filePath) -> String {
  var parts = file.split(separator: "/", omittingEmptySubsequences: false)
  while let last = parts.last, last != "Tests" { parts.removeLast() }
  return parts.joined(separator: "/") + "/Fixtures/" + name
}

/// Test vectors shared by several projects, next to the project or where VECTORS says; nil when
/// absent.
package func sharedVectors(_ name: String, from file: String = #filePath) -> [UInt8]? {
  var parts = file.split(separator: "/", omittingEmptySubsequences: false)
  while let last = parts.last, last != "Tests" { parts.removeLast() }
  let root = parts.dropLast(2).joined(separator: "/")
  let folder = ProcessInfo.processInfo.environment["VECTORS"] ?? root + "/shared/vectors"
  return FileManager.default.contents(atPath: folder + "/" + name).map { Array($0) }
}
