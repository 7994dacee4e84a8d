internal import Bytes
internal import Telemetry
internal import Venue

/// A venue's events on their way to the readers: one bounded mailbox for each shard of its symbols.
///
/// A symbol is always of the same shard, by the XXH64 of its name, so its events keep their order.
/// Shards are served in turn, one event each: a symbol in a storm delays the others by its shard's
/// share and no more. A full mailbox takes nothing: whoever brings an event waits, in order, and
/// with it the venue's socket. Nothing is dropped before `close`.
struct Mailboxes<Event> {
  private typealias Letter = (event: Event, instrument: InstrumentID)

  private struct Box {
    var letters: [Letter] = []
    /// Those before it were taken.
    var first = 0
    /// Bringers that found it full, and what waits in their midst without one.
    var waiting: [(letter: Letter, bringer: CheckedContinuation<Void, Never>?)] = []

    var count: Int { letters.count - first }
  }

  private let max: Int
  private var boxes: [Box]
  /// By instrument.
  private var shards: [Int] = []
  private var depths: [Gauge] = []
  private var pending: [Int] = []
  private var turn = 0
  private var filled: CheckedContinuation<Void, Never>?
  private(set) var isClosed = false

  init(shards: Int, max: Int) {
    precondition(shards > 0 && max > 0, "\(shards) mailboxes of \(max)")
    self.max = max
    boxes = Array(repeating: Box(), count: shards)
  }

  /// The symbols by their instruments' indices; events of others are not to be put.
  mutating func open(_ symbols: [String], venue: String, _ family: GaugeFamily) {
    shards = symbols.map { Shard.of($0, among: boxes.count) }
    depths = zip(symbols, shards).map { family.with(venue, "\($1)", $0) }
    pending = Array(repeating: 0, count: symbols.count)
  }

  /// Events of a symbol that wait, those of bringers too.
  func depth(_ instrument: InstrumentID) -> Int { pending[Int(instrument.index)] }

  /// False when the mailbox is full, so that the bringer has to `wait`.
  mutating func put(_ event: Event, of instrument: InstrumentID) -> Bool {
    if isClosed { return true }
    let shard = shards[Int(instrument.index)]
    guard boxes[shard].count < max, boxes[shard].waiting.isEmpty else { return false }
    boxes[shard].letters.append((event, instrument))
    count(instrument, 1)
    wake()
    return true
  }

  /// Takes it also when the mailbox is full, behind all that came before: for what is as rare as a book
  /// that is not to be trusted any more.
  mutating func force(_ event: Event, of instrument: InstrumentID) {
    guard !put(event, of: instrument) else { return }
    count(instrument, 1)
    boxes[shards[Int(instrument.index)]].waiting.append(((event, instrument), nil))
  }

  /// Resumed when the event is in its mailbox, or will never be.
  mutating func wait(
    with event: Event, of instrument: InstrumentID, _ bringer: CheckedContinuation<Void, Never>
  ) {
    guard !isClosed else { return bringer.resume() }
    count(instrument, 1)
    boxes[shards[Int(instrument.index)]].waiting.append(((event, instrument), bringer))
  }

  /// The first event of the next shard that has one.
  mutating func next() -> Event? {
    for _ in boxes.indices {
      let shard = turn
      turn = (turn + 1) % boxes.count
      if boxes[shard].count > 0 { return take(from: shard) }
    }
    return nil
  }

  private mutating func take(from shard: Int) -> Event {
    let (event, instrument) = boxes[shard].letters[boxes[shard].first]
    boxes[shard].first += 1
    // What was taken goes when it is half of all, so that an event is moved once at most.
    if boxes[shard].first * 2 >= boxes[shard].letters.count {
      boxes[shard].letters.removeFirst(boxes[shard].first)
      boxes[shard].first = 0
    }
    count(instrument, -1)
    if !boxes[shard].waiting.isEmpty {
      let (waiting, bringer) = boxes[shard].waiting.removeFirst()
      boxes[shard].letters.append(waiting)
      bringer?.resume()
    }
    return event
  }

  private mutating func count(_ instrument: InstrumentID, _ change: Int) {
    let index = Int(instrument.index)
    pending[index] += change
    depths[index].set(pending[index])
  }

  /// Resumed at once when something waits, else by the next event, `wake` or `close`.
  mutating func whenFilled(_ reader: CheckedContinuation<Void, Never>) {
    guard !isClosed, boxes.allSatisfy({ $0.count == 0 }) else { return reader.resume() }
    filled = reader
  }

  mutating func wake() {
    filled?.resume()
    filled = nil
  }

  /// Drops what waits and lets everybody go.
  mutating func close() {
    isClosed = true
    for shard in boxes.indices {
      for (_, bringer) in boxes[shard].waiting { bringer?.resume() }
      boxes[shard] = Box()
    }
    for index in pending.indices {
      pending[index] = 0
      depths[index].set(0)
    }
    wake()
  }
}

/// Which of the mailboxes a symbol's events go to.
enum Shard {
  static func of(_ symbol: String, among shards: Int) -> Int {
    Int(XXHash64.of(symbol) % UInt64(shards))
  }
}
