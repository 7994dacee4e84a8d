import Chrono
import Glibc
import ServiceKit
import TestKit
import Testing

@Suite struct `The word that holds orders` {
  @Test func `KS-01 it counts from the touch on, for a short while, until it is removed`() throws {
    let folder = try TemporaryFolder()
    let state = StateFolder(folder.path)
    try makeFolder(state.run)
    let mark = HoldMark(state)
    #expect(!mark.isFresh)

    try mark.touch()
    #expect(mark.isFresh)
    for (age, isFresh) in [(3, false), (1, true), (-3, false)] {
      var now = timespec()
      clock_gettime(CLOCK_REALTIME, &now)
      let time = timespec(tv_sec: now.tv_sec - age, tv_nsec: now.tv_nsec)
      #expect(utimensat(AT_FDCWD, mark.path, [time, time], 0) == 0)
      #expect(mark.isFresh == isFresh, "\(age) s old")
    }
    try mark.touch()
    #expect(mark.isFresh, "touched again")
    try mark.remove()
    try mark.remove()
    #expect(!mark.isFresh)
  }

  @Test func `KS-01 the mark of the kill switch is there at once, and kept when it says so`() throws
  {
    let folder = try TemporaryFolder()
    let mark = KillMark(StateFolder(folder.path))
    let content = KillMark.Content(reason: "why", actor: "operator")

    try mark.announce(content, at: Instant(nanoseconds: 1))
    #expect(mark.read() == content)
    try mark.keep()
    try mark.remove()
    try mark.keep()
    #expect(!mark.isThere, "one that was taken over is not made again")
  }
}
