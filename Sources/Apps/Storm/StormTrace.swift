internal import Chrono
internal import Loop

/// What happened, one line each, the last of them kept.
final class StormTrace {
  private let scheduler: SimulatedScheduler
  private let isKept: Bool
  private var lines: [String] = []
  private static let linesMax = 400_000

  init(_ scheduler: SimulatedScheduler, isKept: Bool) {
    self.scheduler = scheduler
    self.isKept = isKept
  }

  func note(_ line: @autoclosure () -> String) {
    guard isKept else { return }
    let milliseconds = scheduler.uptime.nanoseconds / 1_000_000
    let fraction = String(1_000 + milliseconds % 1_000).dropFirst()
    lines.append("\(milliseconds / 1_000).\(fraction)  \(line())")
    if lines.count > 2 * Self.linesMax { lines.removeFirst(Self.linesMax) }
  }

  func tail(_ count: Int) -> [String] { Array(lines.suffix(count)) }

  /// The lines that name an order of a text, and every fault.
  func about(_ text: String) -> [String] {
    let words = text.split { !$0.isLetter && !$0.isNumber }.map(String.init)
    let names = words.filter { Self.isOrder($0) || Self.isClient($0) }
    guard !names.isEmpty else { return [] }
    let common = ["fault:", " ends ("]
    return lines.filter { line in
      common.contains(where: line.contains) || names.contains(where: line.contains)
    }
  }

  private static func isOrder(_ word: String) -> Bool {
    word.count == 13 && word.allSatisfy { $0.isUppercase || $0.isNumber }
  }

  private static func isClient(_ word: String) -> Bool {
    word.first == "t" && word.count > 1 && word.dropFirst().allSatisfy(\.isNumber)
  }
}
