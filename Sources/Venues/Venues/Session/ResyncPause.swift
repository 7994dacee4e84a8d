/// How long to wait before asking for a book again when earlier answers did not help: nothing at
/// first, then doubling, so that a venue that cannot give a good book is not asked endlessly fast.
struct ResyncPause: Sendable {
  var least = Duration.milliseconds(100)
  var most = Duration.seconds(30)

  func after(failures: Int) -> Duration {
    guard failures > 0 else { return .zero }
    return min(most, least * (1 << min(failures - 1, 20)))
  }
}
