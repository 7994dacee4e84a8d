internal import Chrono

/// What is to go wrong still. Counts run down as faults happen.
struct VenueFaults {
  private(set) var clockSkew = Duration.zero
  private(set) var lateFills = 0
  private var lostFills = 0
  private var requests: [RequestFault: Int] = [:]
  private var books: [Int: [(fault: BookFault, count: Int)]] = [:]
  private var stalledUntil = Instant.epoch
  private var bannedUntil = Instant.epoch
  private var closedUntil = Instant.epoch

  /// More of one kind is a mistake of who asks.
  private static let countMax = 1_000_000
  private static let durationMax = Duration.seconds(86_400)

  /// `market`: the index of the fault's symbol.
  mutating func add(_ fault: VenueFault, market: Int?, now: Instant) throws(FaultError) {
    switch fault {
    case .book(let kind, _, let count):
      guard let market else { throw FaultError("symbol", "is missing") }
      books[market, default: []].append((kind, try Self.checked(count)))
    case .request(let kind, let count): requests[kind, default: 0] += try Self.checked(count)
    case .lostFill(let count): lostFills += try Self.checked(count)
    case .lateFill(let count): lateFills += try Self.checked(count)
    case .stall(let time): stalledUntil = now + (try Self.checked(time))
    case .ban(let time): bannedUntil = now + (try Self.checked(time))
    case .maintenance(let time): closedUntil = now + (try Self.checked(time))
    case .clockSkew(let skew):
      guard skew >= .zero - Self.durationMax, skew <= Self.durationMax else {
        throw FaultError("skew", "is \(skew): at most a day either way is possible")
      }
      clockSkew = skew
    case .none: self = VenueFaults()
    case .disconnect, .halt, .resume: break
    }
  }

  mutating func takes(_ kind: RequestFault) -> Bool {
    guard let count = requests[kind], count > 0 else { return false }
    requests[kind] = count - 1
    return true
  }

  mutating func losesFill() -> Bool {
    guard lostFills > 0 else { return false }
    lostFills -= 1
    return true
  }

  mutating func tookLateFill() { lateFills -= 1 }

  /// What goes wrong with the next message of a market's book: what was asked for first.
  mutating func next(market: Int) -> BookFault? {
    guard var asked = books[market], let first = asked.first else { return nil }
    if first.count > 1 { asked[0].count -= 1 } else { asked.removeFirst() }
    books[market] = asked
    return first.fault
  }

  func isStalled(_ now: Instant) -> Bool { now < stalledUntil }
  func isClosed(_ now: Instant) -> Bool { now < closedUntil }

  /// Whole seconds that a banned address has to wait; nil when it is not banned.
  func banSeconds(_ now: Instant) -> Int64? {
    now < bannedUntil ? (bannedUntil - now).components.seconds + 1 : nil
  }

  private static func checked(_ count: Int) throws(FaultError) -> Int {
    guard count > 0, count <= countMax else {
      throw FaultError("count", "is \(count): 1 to \(countMax) is possible")
    }
    return count
  }

  private static func checked(_ time: Duration) throws(FaultError) -> Duration {
    guard time > .zero, time <= durationMax else {
      throw FaultError("duration", "is \(time): more than nothing and at most a day is possible")
    }
    return time
  }
}

/// Something to tell, and what goes wrong with it on the way.
struct Delivery {
  let happening: Happening
  let fault: BookFault?
}

/// Messages on their way to one kind of stream: loses, doubles and holds them back as told.
struct FaultyPath<Message> {
  private var held: [Message] = []

  mutating func pass(_ messages: [Message], _ fault: BookFault?) -> [Message] {
    guard !messages.isEmpty else { return [] }
    switch fault {
    case .gap: return []
    case .duplicate: return messages + messages
    case .reorder:
      held += messages
      return []
    case .crossed, .badChecksum, nil:
      guard !held.isEmpty else { return messages }
      defer { held = [] }
      return messages + held
    }
  }
}
