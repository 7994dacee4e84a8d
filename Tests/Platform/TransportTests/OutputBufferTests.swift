import Seeds
import Testing

@testable import Transport

@Suite struct `Output buffer` {
  @Test(arguments: [1, 2, 3] as [UInt64])
  func `gives out what an array would, however it is filled and emptied`(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var buffer = OutputBuffer()
    var twin: [UInt8] = []
    var faults = 0

    for step in 0..<20_000 {
      if Bool.random(using: &random) {
        let count = Int.random(in: 0...(step % 100 == 0 ? 200_000 : 300), using: &random)
        let piece = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ step) }
        piece.withUnsafeBytes { buffer.append($0) }
        twin += piece
      } else if !twin.isEmpty {
        let all = Int.random(in: 0..<4, using: &random) == 0
        let count = all ? twin.count : Int.random(in: 0...twin.count, using: &random)
        buffer.consume(count)
        twin.removeFirst(count)
      }
      if buffer.count != twin.count || buffer.isEmpty != twin.isEmpty { faults += 1 }
      if step % 16 == 0, Array(buffer.bytes) != twin { faults += 1 }
    }

    #expect(faults == 0, "seed \(seed)")
    buffer.clear()
    #expect(buffer.isEmpty && buffer.bytes.count == 0)
  }
}
