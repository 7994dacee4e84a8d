import Glibc
import Journal
import Synchronization
import Testing

/// A file system of its own, as small as a test wants; only root may mount one.
private final class SmallDisk {
  let path: String

  static let isPossible = SmallDisk(megabytes: 1) != nil

  init?(megabytes: Int) {
    path = "/tmp/journal-small-disk-\(getpid())-\(megabytes)"
    guard mkdir(path, 0o700) == 0,
      mount("tmpfs", path, "tmpfs", 0, "size=\(megabytes)m") == 0
    else {
      rmdir(path)
      return nil
    }
  }

  deinit {
    umount(path)
    rmdir(path)
  }

  /// Takes all the space that is left; `empty` gives it back.
  func fill() {
    let fd = creat("\(path)/ballast", 0o600)
    var size = 64 << 20
    while size >= 4096 {
      if posix_fallocate(fd, lseek(fd, 0, SEEK_END), size) != 0 { size /= 2 }
    }
    close(fd)
  }

  func empty() { unlink("\(path)/ballast") }
}

@Suite(.enabled(if: SmallDisk.isPossible, "only root may mount a file system"))
struct `A journal on a small disk` {
  private static var settings: JournalSettings {
    var settings = JournalSettings()
    settings.segmentBytes = 4 << 20
    settings.reserveBytes = 1 << 20
    settings.askAgainAfter = .milliseconds(5)
    return settings
  }

  private let record = [UInt8](repeating: 7, count: 20_000)

  /// New business until it is refused; how much was taken.
  private func work(_ journal: Journal) async throws -> (records: Int, refusal: JournalError) {
    var records = 0
    while true {
      do throws(JournalError) {
        _ = try await journal.append(contentsOf: [record], for: .business)
        records += 1
      } catch {
        return (records, error)
      }
    }
  }

  @Test(arguments: 0..<3)
  func `OMS-12 fills up, refuses, keeps its reserve, and goes on when there is space again`(
    round: Int
  ) async throws {
    let disk = try #require(SmallDisk(megabytes: 20 + round))
    let folder = "\(disk.path)/journal"
    let (changes, changed) = AsyncStream<Bool>.makeStream()
    let journal = try Journal.open(folder, Self.settings)
    journal.onFailureChange { changed.yield($0 == nil) }
    disk.fill()

    let (first, refusal) = try await work(journal)
    guard case .full(_, let reserve) = refusal else {
      Issue.record("refused with \(refusal)")
      return
    }
    #expect(reserve == 1 << 20)
    // A whole segment and the spare one, but for the reserve and the edges.
    #expect((300...420).contains(first))
    for _ in 0..<40 { _ = try await journal.append(contentsOf: [record], for: .essential) }
    #expect(journal.failure != nil)

    disk.empty()
    for await isGood in changes.dropFirst(2) where isGood { break }
    #expect(journal.failure == nil)
    _ = try await journal.append(contentsOf: [record], for: .business)
    let last = journal.durable
    journal.close()

    var found = 0
    let again = try Journal.open(folder, Self.settings) { _ in found += 1 }
    #expect(found == Int(last))
    again.close()
  }
}
