import Foundation
import Seeds

/// `Fuzz [--time SECONDS] [--seed NUMBER] [--corpus FOLDER] [TARGET...]`: feeds damaged inputs to every
/// reader of what others wrote, each in a process of its own.
///
/// An input that broke something is kept in FOLDER/TARGET and is tried first by every later run.
@main struct Fuzz {
  static func main() async throws {
    let options = FuzzOptions(Array(CommandLine.arguments.dropFirst()))
    let targets = try await FuzzTarget.all()
    if let child = options.child {
      guard let target = targets.first(where: { $0.name == child }) else { exit(2) }
      exit(FuzzRun(target, options).run())
    }
    let chosen = targets.filter { options.targets.isEmpty || options.targets.contains($0.name) }
    let each = max(1, options.seconds / max(1, chosen.count))
    var isSound = true
    for target in chosen where try !watch(target.name, options, seconds: each) { isSound = false }
    exit(isSound ? 0 : 1)
  }

  /// Runs a target in a child; a crash or a hang there leaves its input behind.
  private static func watch(_ name: String, _ options: FuzzOptions, seconds: Int) throws -> Bool {
    let child = Process()
    child.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    child.arguments = [
      "--child", name, "--time", "\(seconds)", "--seed", "\(options.seed)", "--corpus",
      options.corpus,
    ]
    try child.run()
    child.waitUntilExit()
    if child.terminationReason == .exit, child.terminationStatus == 0 { return true }
    let kept = try FuzzCorpus(options.corpus, name).keepLastInput()
    let how = child.terminationReason == .exit ? "a broken promise" : "a crash or a hang"
    print("\(name): \(how), by the input in \(kept) (seed \(options.seed))")
    return false
  }
}
