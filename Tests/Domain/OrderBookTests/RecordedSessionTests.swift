import OrderBook
import Testing
import Units
import Venue

@Suite(.enabled(if: RecordedSession.isThere, "no recorded session beside the project"))
struct `Recorded session` {
  private let session: RecordedSession

  init() throws { session = try RecordedSession(linesMax: 12_000) }

  @Test func `MD-04 a recorded session bridges, has no gap, and its top is the venue's own`() {
    let book = SequencedBook()
    var naive = NaiveBook()
    var early: [BookDelta] = []
    var tops: [UInt64: TopOfBook] = [:]
    var compared = 0
    var applied = 0

    for event in session.events {
      switch event {
      case .top(let top): tops[top.updateID] = top
      case .snapshot(let snapshot):
        #expect(book.apply(snapshot) == .recovered)
        naive.apply(snapshot)
        for delta in early where delta.lastUpdateID > snapshot.updateID { naive.apply(delta) }
      case .delta(let delta):
        let action = book.apply(delta)
        guard action == .applied else {
          #expect(applied == 0, "\(action)")
          early.append(delta)
          continue
        }
        applied += 1
        naive.apply(delta)
        guard let top = tops[delta.lastUpdateID] else { continue }
        compared += 1
        #expect(book.book.bestBid == top.bid && book.book.bestAsk == top.ask)
      case .trade, .stale, .status: break
      }
    }

    #expect(applied > 500 && compared > 50, "\(applied) applied, \(compared) compared")
    #expect(book.desyncCount == 0)
    for side in Side.allCases {
      let isEqual = book.book.allLevels(side) == naive.levels(side)
      #expect(isEqual, "\(side)")
    }
  }

  @Test func `MD-22 orders of ours trade with a recording and leave it as it was`() {
    let first = play()
    let second = play()

    #expect(first.events == second.events)
    #expect(first.book.stateHash == second.book.stateHash)
    var alone: [MatchEvent] = []
    let quiet = PlaybackBook(ordersMax: 1)
    for event in session.events { quiet.play(event, into: &alone) }
    #expect(alone.isEmpty)
    #expect(quiet.market.stateHash == first.book.market.stateHash)
    let makers = first.trades.filter { $0.makerOrderID != 0 }
    #expect(makers.count > 3 && first.trades.count > makers.count)
  }

  private struct Played {
    var book: PlaybackBook
    var events: [MatchEvent]
    var trades: [Match] {
      events.compactMap { if case .trade(let match) = $0 { match } else { nil } }
    }
  }

  /// A bid and an ask at the touch, renewed every hundred messages, and a market order every
  /// thousand.
  private func play() -> Played {
    var played = Played(book: PlaybackBook(ordersMax: 10), events: [])
    for (index, event) in session.events.enumerated() {
      played.book.play(event, into: &played.events)
      guard index % 100 == 0, let bid = played.book.market.bestBid,
        let ask = played.book.market.bestAsk
      else { continue }
      played.book.cancelAll(owner: 1, into: &played.events)
      for (side, price) in [(Side.buy, bid.price), (.sell, ask.price)] {
        let orderID = UInt64(index * 10) + UInt64(side.rawValue)
        played.book.place(
          OrderRequest(
            orderID: orderID, owner: 1, side: side, type: .limit, timeInForce: .postOnly,
            price: price, quantity: Quantity(100_000), selfTradePrevention: .none),
          into: &played.events)
      }
      guard index % 1_000 == 0 else { continue }
      played.book.place(
        OrderRequest(
          orderID: UInt64(index * 10) + 9, owner: 1, side: .buy, type: .market, timeInForce: .ioc,
          price: nil, quantity: Quantity(100_000), selfTradePrevention: .none),
        into: &played.events)
    }
    return played
  }
}
