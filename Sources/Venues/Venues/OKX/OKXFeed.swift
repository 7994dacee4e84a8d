package import Chrono
internal import JSON
package import OrderBook
internal import Units
package import Venue

/// OKX's public streams of one connection.
///
/// Books: the subscription brings a snapshot, then updates. Each names its predecessor
/// (`prevSeqId`); the ids grow, but not by one, and may start anew after maintenance (`seqId` below
/// `prevSeqId`). A minute without a change is told by an empty message whose ids are equal.
/// Messages from before ids were sent have a checksum instead, and a checksum is checked wherever
/// there is one. What does not fit makes the book stale at that very message; the topic is
/// subscribed anew, after pauses that grow, and until its snapshot comes nothing is applied.
/// (okx.com/docs-v5, "Order book channel", "Sequence ID", "Checksum".)
///
/// Trades: ids have no holes; what is missing, also over a reconnect, is fetched and told late, as
/// back-filled. Status: from the channel of instruments, and the venue's own from `status`.
package final class OKXFeed: PublicFeed {
  package let instruments: [Instrument]
  package let target = "/ws/v5/public"
  let channels: OKXChannels
  var codec: OKXCodec
  var states: [State]
  /// The id of the first instrument.
  let first: Int
  private let login: (@Sendable (Instant) -> [UInt8])?
  /// When the login was sent that is not answered yet.
  private var loginAt: Instant?
  private var subscription: OKXSubscription
  private var checksum = OKXChecksum()
  private let pause = ResyncPause()
  private let bySymbol: [String: Int]
  /// Checksums that were compared, since the beginning.
  package private(set) var checksumCount = 0
  /// Maintenance of trading that goes on.
  private var maintenance: Set<String> = []
  private var lastFrame = Instant.epoch
  private var pinged = Instant.epoch

  /// OKX closes a connection after 30 s without a frame.
  package static let pingAfter = Duration.seconds(20)
  /// OKX tells about once a minute that a numbered book has not changed; one that says nothing for
  /// so long is dead, however alive its connection is.
  package static let bookSilenceMax = Duration.seconds(150)
  /// A snapshot that does not come in this time after the acknowledgement is asked for again.
  package static let snapshotMax = Duration.seconds(10)
  /// A book that was whole for so long has recovered: the next failure is its first.
  package static let provenAfter = Duration.seconds(60)

  /// One instrument.
  struct State {
    let instrument: Instrument
    let book: PriceLevelBook
    /// False until a snapshot came, and from a failure to the next one.
    var isWhole = false
    var wholeSince = Instant.epoch
    var lastMessage = Instant.epoch
    /// The last message in the book: the venue's id, or our count where it has none.
    var sequence: Int64 = 0
    /// What that message named as its predecessor.
    var previous: Int64?
    /// Whether the snapshot had an id.
    var isNumbered = false
    /// When the subscription was acknowledged that a snapshot is awaited of.
    var askedAt: Instant?
    /// When the book is to be subscribed anew.
    var renewAt: Instant?
    /// Failures in a row.
    var failures = 0
    var lastTrade: UInt64?
    /// Ids of trades that are being fetched.
    var missing: ClosedRange<UInt64>?
    /// As the list of instruments has it.
    var listing: String
    /// As the hearer was told.
    var isTrading: Bool
  }

  /// Ids of the instruments must be their places in the list; the feed follows some of them.
  /// `login` makes the request that the tick-by-tick books need first.
  package init(
    _ all: [Instrument], following: Range<Int>? = nil, channels: OKXChannels = OKXChannels(),
    levelsMax: Int = 20_000, login: (@Sendable (Instant) -> [UInt8])? = nil
  ) {
    let instruments = Array(all[following ?? 0..<all.count])
    self.instruments = instruments
    self.channels = channels
    self.login = channels.book.needsLogin ? login : nil
    first = following?.lowerBound ?? 0
    codec = OKXCodec(instruments)
    states = instruments.map {
      State(
        instrument: $0, book: PriceLevelBook(levelsMax: levelsMax),
        listing: $0.isTrading ? "live" : "suspend", isTrading: $0.isTrading)
    }
    bySymbol = Dictionary(
      zip(instruments.map(\.venueSymbol), 0...), uniquingKeysWith: { first, _ in first })
    subscription = OKXSubscription(Self.topics(instruments, channels))
  }

  private static func topics(_ instruments: [Instrument], _ channels: OKXChannels) -> [OKXTopic] {
    let types = Set(instruments.map { OKXSymbols.type(of: $0.kind) }).sorted()
    return types.map { OKXTopic("instruments", $0) }
      + instruments.flatMap { instrument in
        [channels.book.rawValue, "trades", channels.top.rawValue].map {
          OKXTopic($0, instrument.venueSymbol)
        }
      } + [OKXTopic("status", "")]
  }

  /// The book as it is, for checks.
  package func book(of instrument: InstrumentID) -> PriceLevelBook {
    states[Int(instrument.index) - first].book
  }

  package func isWhole(_ instrument: InstrumentID) -> Bool {
    states[Int(instrument.index) - first].isWhole
  }

  // MARK: Connection

  package func opened(at now: Instant, _ output: inout FeedOutput) {
    lastFrame = now
    loginAt = nil
    // Each connection is told what goes on now.
    maintenance = []
    subscription.opened()
    for index in states.indices {
      reset(index)
      states[index].failures = 0
      // The answer of an earlier connection does not come any more.
      if states[index].missing != nil { askTrades(index, &output) }
    }
    if let login {
      _ = subscription.take(at: now)
      loginAt = now
      output.wishes.append(.send(login(now)))
    } else {
      subscription.begin(at: now, &output)
    }
  }

  package func closed(reason: String, at now: Instant, _ output: inout FeedOutput) {
    for index in states.indices {
      if states[index].isWhole {
        output.events.append(.stale(states[index].instrument.id, reason: reason))
      }
      reset(index)
    }
  }

  private func reset(_ index: Int) {
    states[index].book.removeAll()
    states[index].isWhole = false
    states[index].sequence = 0
    states[index].askedAt = nil
    states[index].renewAt = nil
  }

  package func tick(at now: Instant, _ output: inout FeedOutput) {
    subscription.tick(at: now, &output)
    for index in states.indices {
      if let asked = states[index].askedAt, now - asked > Self.snapshotMax {
        fail(index, "no snapshot came", at: now, &output)
      }
      if states[index].isWhole, states[index].isNumbered,
        now - states[index].lastMessage > Self.bookSilenceMax
      {
        fail(index, "no message for \(Self.bookSilenceMax)", at: now, &output)
      }
      renew(index, at: now, &output)
    }
    if let loginAt, now - loginAt > OKXSubscription.answerMax {
      output.wishes.append(.reconnect(reason: "the login was not answered"))
    }
    // Whether the connection is silent in spite of it is the business of its owner.
    guard now - max(lastFrame, pinged) >= Self.pingAfter else { return }
    pinged = now
    output.wishes.append(.send(Array("ping".utf8)))
  }

  package func receive(_ frame: [UInt8], at received: Instant, _ output: inout FeedOutput) {
    lastFrame = received
    if frame.count == 4, frame.elementsEqual("pong".utf8) { return }
    do throws(JSONError) {
      switch try codec.decode(frame, received: received) {
      case .book: apply(at: received, &output)
      case .trades: for trade in codec.trades { take(trade, &output) }
      case .top(let top): output.events.append(.top(top))
      case .statuses(let statuses): compare(statuses, at: received, &output)
      case .maintenance(let events): take(events, at: received, &output)
      case .subscribed(let topic): acknowledge(topic, at: received)
      case .loggedIn:
        loginAt = nil
        subscription.begin(at: received, &output)
      case .refused(let code, let text):
        subscription.refused(text)
        output.faults.append(.refused("\(code): \(text)"))
        // Only a new connection can try again, with the time as it is then.
        if loginAt != nil { output.wishes.append(.reconnect(reason: "the login was refused")) }
      case .notice(let text): output.wishes.append(.reconnect(reason: "notice: \(text)"))
      case .other: break
      }
    } catch {
      output.faults.append(.malformed(error.description))
      // A message of a book that cannot be read is a message that is missing.
      guard let instrument = codec.bookInstrument else { return }
      let index = Int(instrument.index) - first
      guard states[index].isWhole || codec.book.isSnapshot else { return }
      fail(index, "a message cannot be read", at: received, &output)
    }
  }

  private func acknowledge(_ topic: OKXTopic, at now: Instant) {
    subscription.acknowledged(topic)
    guard topic.channel == channels.book.rawValue, let index = bySymbol[topic.subject],
      !states[index].isWhole
    else { return }
    states[index].askedAt = now
  }

  package func answered(
    _ question: FeedQuestion, _ body: [UInt8], at received: Instant, _ output: inout FeedOutput
  ) {
    let index = Int(question.instrument.index) - first
    guard states.indices.contains(index), question.kind == .trades else { return }
    do throws(JSONError) {
      backfill(
        try OKXCodec.history(body, of: states[index].instrument, received: received), index,
        &output)
    } catch {
      states[index].missing = nil
      output.faults.append(.malformed(error.description))
    }
  }

  // MARK: Books

  private func apply(at now: Instant, _ output: inout FeedOutput) {
    let index = Int(codec.book.delta.instrument.index) - first
    states[index].lastMessage = now
    if codec.book.isSnapshot { return replace(index, at: now, &output) }
    guard states[index].isWhole, !isRepeated(index) else { return }
    if let problem = place(index) { return fail(index, problem, at: now, &output) }
    let sequence = codec.book.sequence ?? states[index].sequence + 1
    // Equal numbers say that nothing has changed.
    let isChange = sequence != states[index].sequence
    if isChange {
      codec.book.delta.firstUpdateID = UInt64(states[index].sequence) + 1
      codec.book.delta.lastUpdateID = UInt64(sequence)
      states[index].book.apply(codec.book.delta)
    }
    states[index].sequence = sequence
    states[index].previous = codec.book.previous
    guard verify(index, at: now, &output), isChange else { return }
    output.events.append(.delta(codec.book.delta))
  }

  /// The message that is in the book already came once more. One that is merely older counts as a gap:
  /// after a restart of the venue's numbers it may be a new one.
  private func isRepeated(_ index: Int) -> Bool {
    guard states[index].isNumbered, let previous = codec.book.previous else { return false }
    return previous != states[index].sequence && codec.book.sequence == states[index].sequence
      && previous == states[index].previous
  }

  /// Why the update does not follow what is in the book; nil when it does.
  private func place(_ index: Int) -> String? {
    guard states[index].isNumbered else {
      return codec.book.sequence == nil ? nil : "numbered updates after a snapshot without a number"
    }
    guard let sequence = codec.book.sequence, let previous = codec.book.previous, sequence >= 0
    else { return "an update without a number" }
    guard previous == states[index].sequence else {
      return "gap: expected an update after \(states[index].sequence), found one after \(previous)"
    }
    let isEmpty = codec.book.delta.bids.isEmpty && codec.book.delta.asks.isEmpty
    return sequence == previous && !isEmpty ? "two updates of number \(sequence)" : nil
  }

  private func replace(_ index: Int, at now: Instant, _ output: inout FeedOutput) {
    let (id, delta) = (states[index].instrument.id, codec.book.delta)
    let sequence = codec.book.sequence ?? 0
    guard sequence >= 0, sequence < Int64.max else {
      return fail(index, "a snapshot of number \(sequence)", at: now, &output)
    }
    // One that nobody asked for, with a lower number: the hearer's book would keep what it has.
    if states[index].isWhole, sequence <= states[index].sequence {
      output.events.append(.stale(id, reason: "the venue sends the book anew"))
      states[index].isWhole = false
    }
    let snapshot = BookSnapshot(
      instrument: id, updateID: UInt64(sequence), exchangeTime: delta.exchangeTime,
      receivedTime: delta.receivedTime, bids: delta.bids, asks: delta.asks)
    states[index].book.apply(snapshot)
    states[index].isNumbered = codec.book.sequence != nil
    states[index].sequence = sequence
    states[index].previous = nil
    guard verify(index, at: now, &output) else { return }
    if !states[index].isWhole { states[index].wholeSince = now }
    states[index].isWhole = true
    states[index].askedAt = nil
    states[index].renewAt = nil
    output.events.append(.snapshot(snapshot))
  }

  /// The venue's checksum, and what no book may be. False when the book is stale now.
  private func verify(_ index: Int, at now: Instant, _ output: inout FeedOutput) -> Bool {
    let book = states[index].book
    if let expected = codec.book.checksum {
      let found = checksum.of(book, of: states[index].instrument)
      checksumCount += 1
      if found != expected {
        output.faults.append(
          .checksum(states[index].instrument.id, "checksum \(found), the venue's is \(expected)"))
        taint(index, "checksum \(found), the venue's is \(expected)", at: now, &output)
        return false
      }
    }
    if book.isCrossed {
      fail(index, BookDesync.crossed.reason, at: now, &output)
      return false
    }
    return true
  }

  private func fail(
    _ index: Int, _ reason: String, at now: Instant, _ output: inout FeedOutput
  ) {
    output.faults.append(.gap(states[index].instrument.id, reason))
    taint(index, reason, at: now, &output)
  }

  private func taint(
    _ index: Int, _ reason: String, at now: Instant, _ output: inout FeedOutput
  ) {
    if states[index].isWhole {
      if now - states[index].wholeSince >= Self.provenAfter { states[index].failures = 0 }
      output.events.append(.stale(states[index].instrument.id, reason: reason))
    }
    // A pause that has begun stays as it is, however much fails in it.
    let due = states[index].renewAt
    reset(index)
    states[index].renewAt = due ?? now + pause.after(failures: states[index].failures)
    if due == nil { states[index].failures += 1 }
    renew(index, at: now, &output)
  }

  package func resynchronise(
    _ instrument: InstrumentID, reason: String, at now: Instant, _ output: inout FeedOutput
  ) {
    let index = Int(instrument.index) - first
    guard states.indices.contains(index), states[index].isWhole else { return }
    taint(index, reason, at: now, &output)
  }

  /// Subscribes the book anew when its pause is over.
  private func renew(_ index: Int, at now: Instant, _ output: inout FeedOutput) {
    guard let due = states[index].renewAt, now >= due else { return }
    let topic = OKXTopic(channels.book.rawValue, states[index].instrument.venueSymbol)
    // Without room in this hour's count it is tried again at the next tick.
    if subscription.renew(topic, at: now, &output) { states[index].renewAt = nil }
  }

  // MARK: Status

  private func compare(
    _ statuses: [OKXStatus], at received: Instant, _ output: inout FeedOutput
  ) {
    for status in statuses {
      guard let index = bySymbol[status.venueSymbol] else { continue }
      states[index].listing = status.state
      tellStatus(index, at: received, &output)
    }
  }

  /// Trading stops while a maintenance goes on, and in the time of `pre_open`, which matches nothing.
  private func take(
    _ events: [OKXMaintenance], at received: Instant, _ output: inout FeedOutput
  ) {
    for event in events where event.isOfTrading {
      if event.state == "ongoing" || event.state == "pre_open" {
        maintenance.insert(event.name)
      } else {
        maintenance.remove(event.name)
      }
    }
    for index in states.indices { tellStatus(index, at: received, &output) }
  }

  /// Only what has changed.
  private func tellStatus(_ index: Int, at received: Instant, _ output: inout FeedOutput) {
    let isTrading = maintenance.isEmpty && states[index].listing == "live"
    guard isTrading != states[index].isTrading else { return }
    states[index].isTrading = isTrading
    output.events.append(
      .status(
        TradingStatus(
          instrument: states[index].instrument.id, isTrading: isTrading,
          text: maintenance.isEmpty ? states[index].listing : "maintenance",
          receivedTime: received)))
  }
}
