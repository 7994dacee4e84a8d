import Chrono
import Journal
import Loop
import Seeds
import Testing

/// A journal on a disk in memory whose machine ends at every byte that it writes.
@Suite struct `A journal on a disk that fails` {
  static let folder = "/journal"

  static func settings(_ disk: SimulatedDisk, _ driver: JournalDriver) -> JournalSettings {
    var settings = JournalSettings()
    settings.segmentBytes = 1536
    settings.recordBytesMax = 700
    settings.disk = disk
    settings.driver = driver
    settings.time = SimulatedTime()
    return settings
  }

  /// Groups of records, each group one append; sizes around those of sectors.
  private static func script(_ random: inout SeededGenerator) -> [[[UInt8]]] {
    var number: UInt8 = 0
    return (0..<4).map { _ in
      (0..<Int.random(in: 1...3, using: &random)).map { _ in
        number += 1
        let size = Int.random(in: 0...(Bool.random(using: &random) ? 40 : 700), using: &random)
        return Array(repeating: number, count: size)
      }
    }
  }

  private struct Life {
    var acknowledged = 0
    var sent = 0
  }

  /// Appends until the disk fails or the script ends.
  private static func live(
    _ disk: SimulatedDisk, _ script: [[[UInt8]]], _ loop: EventLoop
  ) async -> Life {
    var life = Life()
    do {
      let settings = settings(disk, .on(loop, latency: .zero))
      let journal = try Journal.open(folder, settings)
      for group in script {
        life.sent += group.count
        _ = try await journal.append(contentsOf: group)
        life.acknowledged = life.sent
      }
      journal.close()
    } catch {}
    return life
  }

  private static func recovered(_ disk: SimulatedDisk, _ loop: EventLoop) throws -> [[UInt8]] {
    var records: [[UInt8]] = []
    let journal = try Journal.open(folder, settings(disk, .on(loop, latency: .zero))) {
      records.append($0.payload)
    }
    journal.close()
    return records
  }

  @Test(arguments: 0..<4)
  func `TST-04 power lost at every byte loses nothing acknowledged and is never damage`(
    seed: Int
  ) async throws {
    let loop = EventLoop()
    let thread = loop.start()
    await Task(executorPreference: loop) {
      var random = SeededGenerator(seed: UInt64(seed))
      let script = Self.script(&random)
      let all = script.flatMap { $0 }
      for budget in 0... {
        let disk = SimulatedDisk(time: SimulatedTime())
        disk.cutPower(after: budget)
        let life = await Self.live(disk, script, loop)
        let isWhole = !disk.isCut
        disk.crash(.power, using: &random)
        // Once more, while it recovers.
        disk.cutPower(after: Int.random(in: 0...200, using: &random))
        _ = try? Self.recovered(disk, loop)
        disk.crash(.power, using: &random)
        do {
          let records = try Self.recovered(disk, loop)
          #expect(records == Array(all[0..<records.count]), "seed \(seed), byte \(budget)")
          #expect(
            (life.acknowledged...life.sent).contains(records.count), "seed \(seed), byte \(budget)")
        } catch {
          Issue.record("seed \(seed), byte \(budget): \(error)")
        }
        if isWhole { break }
      }
    }.value
    loop.stop()
    thread.join()
  }
}
