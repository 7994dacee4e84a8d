import Chrono
import Journal
import Seeds
import Testing

/// A journal on a disk in memory whose machine ends at every byte that it writes.
@Suite struct `A journal on a disk that fails` {
  private static let folder = "/journal"

  private let time = SimulatedTime()
  private let steps: StepQueue

  init() { steps = StepQueue(time) }

  private func settings(_ disk: SimulatedDisk) -> JournalSettings {
    var settings = JournalSettings()
    settings.segmentBytes = 1536
    settings.recordBytesMax = 700
    settings.disk = disk
    settings.driver = .steps(JournalSteps(latency: .zero, schedule: steps.schedule))
    settings.time = time
    return settings
  }

  /// Groups of records, each group one append; sizes around those of sectors.
  private func script(_ random: inout SeededGenerator) -> [[[UInt8]]] {
    var number: UInt8 = 0
    return (0..<4).map { _ in
      (0..<Int.random(in: 1...3, using: &random)).map { _ in
        number += 1
        let size = Int.random(in: 0...(Bool.random(using: &random) ? 40 : 500), using: &random)
        return Array(repeating: number, count: size)
      }
    }
  }

  private struct Life {
    var acknowledged = 0
    var sent = 0
  }

  /// Appends until the disk fails or the script ends.
  private func live(_ disk: SimulatedDisk, _ script: [[[UInt8]]]) -> Life {
    var life = Life()
    do {
      let journal = try Journal.open(Self.folder, settings(disk))
      for group in script {
        let room = try journal.reserve(JournalRoom.Size(group), for: .essential)
        let ticket = journal.append(group, in: room)
        life.sent += group.count
        steps.advance(by: .zero)
        guard journal.durable == ticket.last else { break }
        life.acknowledged = life.sent
      }
      journal.close()
    } catch {}
    return life
  }

  private func recovered(_ disk: SimulatedDisk) throws -> [[UInt8]] {
    var records: [[UInt8]] = []
    let journal = try Journal.open(Self.folder, settings(disk)) { records.append($0.payload) }
    journal.close()
    return records
  }

  @Test(arguments: 0..<2)
  func `TST-04 power lost at every byte loses nothing acknowledged and is never damage`(
    seed: Int
  ) throws {
    var random = SeededGenerator(seed: UInt64(seed))
    let script = script(&random)
    let all = script.flatMap { $0 }
    for budget in 0... {
      let disk = SimulatedDisk(time: time)
      disk.cutPower(after: budget)
      let life = live(disk, script)
      let isWhole = !disk.isCut
      disk.crash(.power, using: &random)
      // Once more, while it recovers.
      disk.cutPower(after: Int.random(in: 0...200, using: &random))
      _ = try? recovered(disk)
      disk.crash(.power, using: &random)
      do {
        let records = try recovered(disk)
        let isPrefix = records.elementsEqual(all.prefix(records.count))
        #expect(isPrefix, "seed \(seed), byte \(budget)")
        #expect(
          (life.acknowledged...life.sent).contains(records.count), "seed \(seed), byte \(budget)")
      } catch {
        Issue.record("seed \(seed), byte \(budget): \(error)")
      }
      if isWhole { break }
    }
  }
}
