internal import Chrono

/// Makes a run that breaks a rule short: fewer kinds of faults, less time, fewer faults and fewer acts,
/// as long as the same rule breaks.
struct StormShrinking {
  private var best: StormSettings
  private let rule: StormRule
  private let folder: String
  private let say: (String) -> Void
  private var runs = 0

  private static let runsMax = 120

  init(
    _ settings: StormSettings, _ rule: StormRule, folder: String, say: @escaping (String) -> Void
  ) {
    best = settings
    best.isTraced = false
    self.rule = rule
    self.folder = folder
    self.say = say
  }

  mutating func run() throws -> StormSettings {
    try dropKinds()
    try shortenTime()
    try thinOut(faultNumbers(), \.faultsLeftOut)
    try thinOut(try actCount(), \.actsLeftOut)
    try dropKinds()
    return best
  }

  private mutating func breaks(_ settings: StormSettings) throws -> Bool {
    guard runs < Self.runsMax else { return false }
    runs += 1
    let result = try Storm.run(settings, folder: folder)
    guard result.violation?.rule == rule else { return false }
    best = settings
    return true
  }

  private mutating func dropKinds() throws {
    for fault in StormFault.allCases where best.faults.contains(fault) {
      var fewer = best
      fewer.faults.remove(fault)
      if try breaks(fewer) { say("shrinking: without \(fault.rawValue)") }
    }
  }

  private mutating func shortenTime() throws {
    let result = try Storm.run(best, folder: folder)
    var shorter = best
    // What broke in a calm needs the storm before it and no more.
    shorter.duration = min(best.duration, result.simulated)
    shorter.round = min(best.round, shorter.duration)
    for _ in 0..<6 {
      var half = shorter
      half.duration = half.duration / 2
      half.round = min(half.round, half.duration)
      guard try breaks(half) else { break }
      shorter = half
      say("shrinking: \(half.duration)")
    }
  }

  private func faultNumbers() -> [Int] {
    var numbers: [Int] = []
    var round = 0
    var time = Duration.zero
    while time < best.duration {
      numbers += StormFaultPlan.draw(best, round: round, length: best.round).map(\.number)
      time += best.round
      round += 1
    }
    return numbers
  }

  private func actCount() throws -> [Int] {
    let seconds = StormResult.milliseconds(best.duration) / 1_000
    return Array(1...max(1, Int(seconds) * best.ordersPerSecond * 2))
  }

  /// Leaves out ever smaller parts.
  private mutating func thinOut(
    _ all: [Int], _ leftOut: WritableKeyPath<StormSettings, Set<Int>>
  ) throws {
    var left = all
    var parts = 2
    while !left.isEmpty, parts <= max(2, left.count) {
      let size = (left.count + parts - 1) / parts
      var dropped = false
      for start in stride(from: 0, to: left.count, by: size) {
        let part = left[start..<min(start + size, left.count)]
        var fewer = best
        fewer[keyPath: leftOut].formUnion(part)
        if try breaks(fewer) {
          left.removeAll { part.contains($0) }
          say("shrinking: \(left.count) of \(all.count) left")
          dropped = true
          break
        }
      }
      if runs >= Self.runsMax { return }
      if !dropped {
        if size == 1 { return }
        parts = min(parts * 2, left.count)
      }
    }
  }
}
