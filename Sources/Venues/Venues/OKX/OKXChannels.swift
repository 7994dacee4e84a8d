/// Which of OKX's public channels a feed follows.
///
/// (okx.com/docs-v5, "Order book channel", "Trades channel", "Tickers channel", "Instruments
/// channel".)
package struct OKXChannels: Sendable, Hashable {
  package enum Book: String, Sendable, Hashable, CaseIterable {
    /// 400 levels a side, every 100 ms.
    case books
    /// 50 levels a side, tick by tick; for accounts from VIP4 on, after a login.
    case books50Tick = "books50-l2-tbt"
    /// 400 levels a side, tick by tick; for accounts from VIP5 on, after a login.
    case booksTick = "books-l2-tbt"

    package var needsLogin: Bool { self != .books }
  }

  package enum Top: String, Sendable, Hashable, CaseIterable {
    /// Every 100 ms when something changed; tells no update id.
    case tickers
    /// The best bid and ask every 10 ms, with the update id of the book.
    case bestTick = "bbo-tbt"
  }

  package var book: Book
  package var top: Top

  package init(book: Book = .books, top: Top = .tickers) {
    self.book = book
    self.top = top
  }
}
