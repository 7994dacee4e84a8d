import Calls
import Seeds

/// Frames that look random, and repeat with their seed.
struct RandomFrames {
  private var generator: SeededGenerator

  init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

  mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &generator) }

  /// Often nearly right, so that it gets far.
  mutating func frame() -> Frame {
    let stream = below(50) == 0 ? Int32.max / 2 - Int32(below(2)) : Int32(below(8))
    switch below(12) {
    case 0..<3: return .headers(2 * stream + 1, Frame.get, ends: below(2) == 0)
    case 3:
      return .headers(2 * stream + 1, Frame.call(EchoService.chat.path), ends: below(3) == 0)
    case 4: return .data(2 * stream + 1, Frame.message([1]), ends: below(2) == 0)
    case 5: return .windowUpdate(stream, UInt32(below(1 << 20)))
    case 6: return .settings([(UInt16(below(8)), UInt32(below(70_000)))])
    case 7: return .reset(2 * stream + 1, UInt32(below(14)))
    default:
      let payload = (0..<below(40)).map { _ in UInt8(below(256)) }
      return Frame(
        type: UInt8(below(12)), flags: UInt8(below(64)), stream: stream, payload: payload)
    }
  }

  /// The same of a server, about stream 1 more often than not.
  mutating func answer() -> Frame {
    let stream: Int32 = below(4) == 0 ? Int32(below(6)) : 1
    switch below(10) {
    case 0..<3: return .headers(stream, RawServer.head, ends: below(8) == 0)
    case 3: return .headers(stream, RawServer.status, ends: below(4) > 0)
    case 4, 5: return .data(stream, Frame.message([1]), ends: below(8) == 0)
    case 6: return .goAway(last: Int32(below(4)), UInt32(below(14)))
    default: return frame()
    }
  }
}
