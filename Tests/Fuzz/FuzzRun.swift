import Foundation
import Seeds

/// One target, tried until time is up.
struct FuzzRun {
  private let target: FuzzTarget
  private let options: FuzzOptions
  private let corpus: FuzzCorpus
  private let memory: InputMemory

  /// An input that takes longer hangs.
  private static let inputSecondsMax: UInt32 = 20
  private static let poolMax = 2_000

  init(_ target: FuzzTarget, _ options: FuzzOptions) {
    self.target = target
    self.options = options
    corpus = FuzzCorpus(options.corpus, target.name)
    memory = InputMemory(corpus.lastInput)
  }

  /// The exit status.
  func run() -> Int32 {
    var pool = target.seeds + corpus.inputs.map { Array($0.prefix(Mutation.bytesMax)) }
    var seen: Set<String> = []
    for input in pool {
      guard let signature = tried(input) else { return 1 }
      seen.insert(signature)
    }
    var mutation = Mutation(
      random: SeededGenerator(seed: options.seed), words: target.words.map { Array($0.utf8) })
    var count = 0
    let end = ContinuousClock.now + .seconds(options.seconds)
    while ContinuousClock.now < end {
      for _ in 0..<16 {
        let input = pool.randomElement(using: &mutation.random)!
        let other = pool.randomElement(using: &mutation.random)!
        let damaged = mutation.damaged(input, beside: other)
        guard let signature = tried(damaged) else { return 1 }
        count += 1
        if pool.count < Self.poolMax, seen.insert(signature).inserted { pool.append(damaged) }
      }
    }
    let text = "\(target.name): \(count) inputs, \(seen.count) kinds of end, seed \(options.seed)\n"
    FileHandle.standardOutput.write(Data(text.utf8))
    return 0
  }

  private func tried(_ input: [UInt8]) -> String? {
    memory.hold(input)
    alarm(Self.inputSecondsMax)
    let verdict = target.run(input)
    alarm(0)
    guard let fault = verdict.fault else { return verdict.signature }
    FileHandle.standardOutput.write(Data("\(target.name): \(fault.prefix(2_000))\n".utf8))
    return nil
  }
}
