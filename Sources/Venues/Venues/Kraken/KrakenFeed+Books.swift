package import Chrono
internal import JSON
internal import OrderBook
internal import Units
package import Venue

/// Books and what heals them.
extension KrakenFeed {
  /// A book that stayed whole for this long has recovered: the next failure is a first one.
  static let settledAfter = Duration.seconds(60)
  /// A snapshot that takes longer than this after its subscription never comes.
  static let snapshotMax = Duration.seconds(20)
  /// A book that says nothing for so long, while other frames come, is dead or of a pair that nobody
  /// quotes: a new subscription shows which.
  static let bookSilenceMax = Duration.seconds(120)
  private static let crossed = "the best bid reached the best ask"

  func takeBook(
    _ row: JSONValue, _ isSnapshot: Bool, _ received: Instant, _ output: inout FeedOutput
  ) throws(JSONError) {
    guard let index = try place(row) else { return }
    let market = markets[index]
    if market.phase == .unsubscribing { return }
    market.heardAt = received
    guard isSnapshot || market.book.isWhole else { return }
    do throws(JSONError) {
      if isSnapshot {
        market.book.beginSnapshot(received: received)
      } else {
        market.book.begin(received: received)
      }
      try market.book.take(row)
      let expected = try row.checksum("checksum")
      guard market.book.verify(expected) else {
        let text =
          "the venue's checksum is \(expected), ours \(market.book.checksum), "
          + "at message \(market.book.updates)"
        output.faults.append(.checksum(market.instrument.id, text))
        return taint(index, "checksum mismatch", isSnapshot, received, &output)
      }
      if market.book.levels.isCrossed {
        market.book.invalidate()
        output.faults.append(.gap(market.instrument.id, Self.crossed))
        return taint(index, Self.crossed, isSnapshot, received, &output)
      }
    } catch {
      // Some of it may be in the book already.
      market.book.invalidate()
      output.faults.append(.malformed(error.description))
      return taint(index, "a message cannot be read", isSnapshot, received, &output)
    }
    if isSnapshot {
      markets[index].phase = .live(since: received)
      output.events.append(.snapshot(market.book.snapshot()))
    } else {
      output.events.append(.delta(market.book.delta))
    }
  }

  /// Says so where a book was trusted, and ends its subscription, for a new one.
  private func taint(
    _ index: Int, _ reason: String, _ isSnapshot: Bool, _ now: Instant, _ output: inout FeedOutput
  ) {
    let wasLive = if case .live = markets[index].phase { true } else { false }
    if wasLive { output.events.append(.stale(markets[index].instrument.id, reason: reason)) }
    unsubscribe(index, at: now, &output)
  }

  package func resynchronise(
    _ instrument: InstrumentID, reason: String, at now: Instant, _ output: inout FeedOutput
  ) {
    guard let index = markets.firstIndex(where: { $0.instrument.id == instrument }),
      markets[index].book.isWhole
    else { return }
    markets[index].book.invalidate()
    taint(index, reason, false, now, &output)
  }

  private func unsubscribe(_ index: Int, at now: Instant, _ output: inout FeedOutput) {
    markets[index].phase = .unsubscribing
    requests.send(
      "unsubscribe", bookChannel, [markets[index].instrument.venueSymbol], at: now, &output
    ) {
      $0.member("depth", depth)
      if case .orders(let token) = channels { $0.member("token", token()) }
    }
  }

  private func subscribe(_ index: Int, at now: Instant, _ output: inout FeedOutput) {
    markets[index].phase = .subscribing(since: now)
    subscribeBooks([markets[index].instrument.venueSymbol], at: now, &output)
  }

  /// Books by orders are subscribed a few a second: each counts 5, 25 or 100 by its depth of the 200 a
  /// second that the venue allows.
  func pace(at now: Instant, _ output: inout FeedOutput) {
    let perSecond = depth == 10 ? 40 : depth == 100 ? 8 : 2
    for index in markets.indices {
      markets[index].phase = .pausing(until: now + .seconds(index / perSecond))
    }
    tickBooks(at: now, &output)
  }

  func tickBooks(at now: Instant, _ output: inout FeedOutput) {
    if case .withoutBooks = channels { return }
    for index in markets.indices {
      switch markets[index].phase {
      case .pausing(let end) where now >= end: subscribe(index, at: now, &output)
      case .subscribing(let start) where lastFrame - start > Self.snapshotMax:
        output.faults.append(.gap(markets[index].instrument.id, "no snapshot came"))
        unsubscribe(index, at: now, &output)
      case .live where lastFrame - markets[index].heardAt > Self.bookSilenceMax:
        let text = "no message for \(Self.bookSilenceMax)"
        markets[index].book.invalidate()
        output.faults.append(.gap(markets[index].instrument.id, text))
        taint(index, text, false, now, &output)
      case .live(let start) where now - start > Self.settledAfter: markets[index].failures = 0
      default: break
      }
    }
  }

  // MARK: Answers

  func answer(
    _ method: String, _ root: JSONValue, at now: Instant, _ output: inout FeedOutput
  ) {
    tellClock(root, at: now, &output)
    guard method == "subscribe" || method == "unsubscribe" else { return }
    let symbol = (root["result"]?["symbol"] ?? root["symbol"])?.string
    let isSuccess = root["success"]?.bool == true
    var channel = root["result"]?["channel"]?.string
    var symbols = symbol.map { [$0] } ?? []
    if let id = root["req_id"]?.int {
      channel = requests.waiting[id]?.channel ?? channel
      symbols = requests.answered(id, symbol: symbol)
    }
    if !isSuccess, method == "subscribe" {
      let error = root["error"]?.string ?? "no reason given"
      output.faults.append(
        .refused("\(channel ?? "?") \(symbols.joined(separator: ", ")): \(error)"))
    }
    guard channel == bookChannel else { return }
    if !isSuccess, channels.isByOrder, root["error"]?.string?.hasPrefix("ESession") == true {
      // Only a new connection has a new token.
      return output.wishes.append(.reconnect(reason: "the token is not taken"))
    }
    for symbol in symbols {
      guard let index = place(of: symbol) else { continue }
      if method == "subscribe" {
        if !isSuccess { pause(index, at: now, &output) }
      } else {
        unsubscribed(index, at: now, &output)
      }
    }
  }

  /// A refused end of a subscription means that there was none: the next one can begin as well.
  private func unsubscribed(_ index: Int, at now: Instant, _ output: inout FeedOutput) {
    switch markets[index].phase {
    case .unsubscribing: pause(index, at: now, &output)
    case .live:
      // Nobody asked for it.
      markets[index].book.invalidate()
      output.faults.append(.gap(markets[index].instrument.id, "the venue ended the subscription"))
      output.events.append(
        .stale(markets[index].instrument.id, reason: "the venue ended the subscription"))
      subscribe(index, at: now, &output)
    case .subscribing, .pausing: break
    }
  }

  private func pause(_ index: Int, at now: Instant, _ output: inout FeedOutput) {
    let pause = ResyncPause(least: .seconds(1), most: .seconds(60))
      .after(failures: markets[index].failures)
    markets[index].failures += 1
    if pause == .zero {
      subscribe(index, at: now, &output)
    } else {
      markets[index].phase = .pausing(until: now + pause)
    }
  }
}

extension KrakenBook {
  /// The levels of a row of the book channel, in the order of the text, and its time.
  func take(_ row: JSONValue) throws(JSONError) {
    for level in try row.array("asks") { try take(.sell, level) }
    for level in try row.array("bids") { try take(.buy, level) }
    if let time = row["timestamp"]?.krakenTime { happened(at: time) }
    end()
  }

  private func take(_ side: Side, _ level: JSONValue) throws(JSONError) {
    let price = try level.krakenNumber("price")
    let quantity = try level.krakenNumber("qty")
    guard set(side, price, quantity) else {
      throw .unexpected("\(instrument.symbol): the level \(level) has too many digits")
    }
  }
}

extension JSONValue {
  /// Unsigned, 32 bits.
  func checksum(_ name: String) throws(JSONError) -> UInt32 {
    let number = try krakenNumber(name)
    guard number.places == 0, let value = UInt32(exactly: number.units) else {
      throw .unexpected("\(name) is no number of 32 bits")
    }
    return value
  }
}
