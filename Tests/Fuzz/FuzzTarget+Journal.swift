import Foundation
import Journal

extension FuzzTarget {
  private static let payloads: [[UInt8]] = [
    Array("first".utf8), [], [0, 0, 0, 0, 0, 0, 0, 0], Array(repeating: 0xff, count: 40),
    Array("the last record".utf8),
  ]

  private static var settings: JournalSettings {
    var settings = JournalSettings()
    settings.recordBytesMax = 1_024
    settings.segmentBytes = 4_096
    return settings
  }

  /// A damaged journal opens with the records before the damage, or not at all; it never invents one,
  /// and opening it again finds the same.
  static func journal() async throws -> FuzzTarget {
    let folder = temporaryFolder()
    defer { remove(folder) }
    let journal = try Journal.open(folder, settings)
    for payload in payloads { _ = try await journal.append(payload) }
    journal.close()
    let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: segment(of: folder))))
    let used = 64 + payloads.reduce(0) { $0 + 20 + $1.count }
    return FuzzTarget(
      name: "journal", seeds: [Array(whole[0..<used]), whole], words: ["\0\0\0\0", "SHQJRNL\n"],
      run: check)
  }

  private static func check(_ bytes: [UInt8]) -> Verdict {
    let folder = temporaryFolder()
    defer { remove(folder) }
    do {
      try Data(bytes).write(to: URL(fileURLWithPath: segment(of: folder)))
      let found = try records(folder)
      let again = try records(folder)
      var fault: String?
      if found != Array(payloads.prefix(found.count)) { fault = "records nobody wrote: \(found)" }
      if again != found { fault = "\(found.count) records, then \(again.count)" }
      return Verdict(signature: "\(found.count) records", fault: fault)
    } catch {
      return Verdict(signature: kind(error))
    }
  }

  private static func records(_ folder: String) throws -> [[UInt8]] {
    var records: [[UInt8]] = []
    let journal = try Journal.open(folder, settings) { records.append($0.payload) }
    journal.close()
    return records
  }

  private static func segment(of folder: String) -> String {
    folder + "/00000000000000000001.journal"
  }

  private static func temporaryFolder() -> String {
    let parent = FileManager.default.isWritableFile(atPath: "/dev/shm") ? "/dev/shm" : "/tmp"
    let folder = "\(parent)/fuzz-\(UUID().uuidString)"
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    return folder
  }

  private static func remove(_ folder: String) {
    try? FileManager.default.removeItem(atPath: folder)
  }
}
