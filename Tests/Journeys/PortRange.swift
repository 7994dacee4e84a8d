import Foundation

/// Ports for a mesh that leave other programs of the machine alone.
enum PortRange {
  /// `name = port` of every section.
  static func ports(_ table: String) throws -> [String: Int] {
    var ports: [String: Int] = [:]
    for line in try String(contentsOfFile: table, encoding: .utf8).split(separator: "\n") {
      let parts = line.split(separator: "=").map { $0.trimmingCharacters(in: .whitespaces) }
      guard parts.count == 2, !parts[0].hasPrefix("#"), let port = Int(parts[1]) else { continue }
      ports[parts[0]] = port
    }
    return ports
  }

  /// An offset at which no port of the table is taken. From 11,000 up the ports of services lie above
  /// those that the system gives to outgoing connections (32768 to 60999).
  static func free(_ table: String) async throws -> Int {
    let wanted = try ports(table).values
    let listening = try await run("ss", ["-tanH"]).output.split(separator: "\n")
    let taken = Set(
      listening.compactMap { line -> Int? in
        let columns = line.split(separator: " ", omittingEmptySubsequences: true)
        return columns.count > 3 ? columns[3].split(separator: ":").last.flatMap { Int($0) } : nil
      })
    for _ in 0..<100 {
      let offset = Int.random(in: 11_000...15_000)
      if wanted.allSatisfy({ !taken.contains($0 + offset) }) { return offset }
    }
    throw Failure("no offset leaves the ports of \(table) free")
  }
}
