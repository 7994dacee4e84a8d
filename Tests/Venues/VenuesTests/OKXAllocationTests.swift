import CAllocationCount
import Chrono
import OrderBook
import Recording
import TestKit
import Testing
import Venue

@testable import Venues

@Suite struct `OKX allocations` {
  /// The book itself allocates without optimisation. A twin that is given the same updates, and the
  /// checksum over it, tell how much of the count is theirs.
  @Test(
    .enabled(
      if: RecordedData.isPresent(OKXFixture.books), "recorded data is absent: no frames to read"))
  func `98 recorded books go from frame to event without an allocation of their own`() throws {
    let frames = try Recording(RecordedData.read(OKXFixture.books)).frames.filter { frame in
      let text = String(decoding: frame.bytes.prefix(60), as: UTF8.self)
      return frame.kind == .received
        && text.hasPrefix(#"{"arg":{"channel":"books","instId":"BTC-USDT"}"#)
    }.map(\.bytes)
    let bitcoin = OKXFixture.instrument("BTC-USDT", 0, 1, 8)
    let feed = OKXFeed([bitcoin])
    var codec = OKXCodec([bitcoin])
    let twin = PriceLevelBook()
    var checksum = OKXChecksum()
    var output = FeedOutput()
    var (round, told, ofFeed, ofTwin) = (0, 0, Int64(0), Int64(0))
    // In the first round every buffer grows to its size.
    while round < 2 {
      (told, ofFeed, ofTwin) = (0, 0, 0)
      feed.opened(at: .epoch, &output)
      twin.removeAll()
      var number = 0
      while number < frames.count {
        output.removeAll()
        let start = allocation_count()
        feed.receive(frames[number], at: .epoch, &output)
        let own = allocation_count() - start
        _ = try codec.decode(frames[number], received: .epoch)
        let before = allocation_count()
        twin.apply(codec.book.delta)
        _ = checksum.of(twin, of: bitcoin)
        let others = allocation_count() - before
        // The snapshot hands its levels over for good.
        if number > 0 {
          ofFeed += own
          ofTwin += others
        }
        told += output.events.count
        number += 1
      }
      round += 1
    }

    print(
      "OKX: \(told) books: \(ofFeed) allocations in the feed, \(ofTwin) in book and checksum alone")
    #expect(told == 98)
    #expect(ofFeed == ofTwin)
  }
}
