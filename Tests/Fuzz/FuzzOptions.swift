struct FuzzOptions {
  var seconds = 60
  var seed = UInt64.random(in: 0..<1_000_000)
  var corpus = "Tests/Fixtures/fuzz"
  var targets: [String] = []
  /// The target to run in this very process.
  var child: String?

  init(_ arguments: [String]) {
    var rest = arguments[...]
    while let word = rest.popFirst() {
      switch word {
      case "--time": seconds = rest.popFirst().flatMap { Int($0) } ?? seconds
      case "--seed": seed = rest.popFirst().flatMap { UInt64($0) } ?? seed
      case "--corpus": corpus = rest.popFirst() ?? corpus
      case "--child": child = rest.popFirst()
      default: targets.append(word)
      }
    }
  }
}
