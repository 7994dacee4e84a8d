import CBlockPool
import Foundation
import Seeds
import Testing

/// Blocks against arrays that hold what must be in them.
@Suite struct `Blocks kept at hand` {
  private struct Held {
    var block: UnsafeMutableRawPointer
    var content: [UInt8]

    var isSound: Bool { memcmp(block, content, content.count) == 0 }
  }

  private static func size(_ random: inout SeededGenerator) -> Int {
    switch Int.random(in: 0..<10, using: &random) {
    case 0: 4_096
    case 1: Int.random(in: 1_000...1_100, using: &random)
    case 2: Int.random(in: 4_000...20_000, using: &random)
    default: Int.random(in: 1...600, using: &random)
    }
  }

  private static func filled(_ count: Int, _ random: inout SeededGenerator) -> [UInt8] {
    let start = UInt8.random(in: 0...255, using: &random)
    return (0..<count).map { start &+ UInt8(truncatingIfNeeded: $0) }
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func `no block overlaps another, and cleared ones are clear`(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var held: [Held] = []
    var faults = 0

    for _ in 0..<20_000 {
      let index = held.isEmpty ? 0 : Int.random(in: 0..<held.count, using: &random)
      switch Int.random(in: 0..<6, using: &random) {
      case 0, 1:
        let content = Self.filled(Self.size(&random), &random)
        let block = cblockpool_malloc(content.count, nil)!
        memcpy(block, content, content.count)
        held.append(Held(block: block, content: content))
      case 2:
        let content = Self.filled(Self.size(&random), &random)
        let block = cblockpool_calloc(1, content.count, nil)!
        if memcmp(block, [UInt8](repeating: 0, count: content.count), content.count) != 0 {
          faults += 1
        }
        memcpy(block, content, content.count)
        held.append(Held(block: block, content: content))
      case 3 where !held.isEmpty:
        let size = Self.size(&random)
        held[index].block = cblockpool_realloc(held[index].block, size, nil)!
        held[index].content = Array(held[index].content.prefix(size))
        if !held[index].isSound { faults += 1 }
      default:
        guard held.count > 100 || index > 0 else { continue }
        let gone = held.remove(at: index)
        if !gone.isSound { faults += 1 }
        cblockpool_free(gone.block, nil)
      }
    }
    for rest in held {
      if !rest.isSound { faults += 1 }
      cblockpool_free(rest.block, nil)
    }

    #expect(faults == 0, "seed \(seed)")
    #expect(cblockpool_kept() <= CBLOCKPOOL_BYTES_MAX)
  }

  @Test func `a thread keeps so much and no more, and blocks may be freed by another`() async {
    let blocks = (0..<4_000).map { _ in Int(bitPattern: cblockpool_malloc(512, nil)) }

    let kept = await withCheckedContinuation { continuation in
      Thread {
        for block in blocks { cblockpool_free(UnsafeMutableRawPointer(bitPattern: block), nil) }
        continuation.resume(returning: cblockpool_kept())
      }.start()
    }

    #expect(kept <= CBLOCKPOOL_BYTES_MAX)
    #expect(kept > CBLOCKPOOL_BYTES_MAX - 1_024)
  }

  @Test func `sizes that overflow are no blocks`() {
    #expect(cblockpool_calloc(Int.max, 3, nil) == nil)
    #expect(cblockpool_realloc(cblockpool_malloc(8, nil), 0, nil) == nil)
    cblockpool_free(nil, nil)
  }
}
