/// Streams that a fault concerns.
package enum StreamScope: UInt8, Sendable, Hashable, CaseIterable {
  case publicStreams = 1
  case privateStreams = 2
}

/// What can go wrong with the messages of one market's book (those of every 100 ms). Each happens to so
/// many messages.
package enum BookFault: UInt8, Sendable, Hashable, CaseIterable {
  /// It is lost on the way to everyone. Kraken's checksum covers ten levels a side and its messages
  /// have no numbers, so there what follows is lost too (or late, with `reorder`) until it shows.
  case gap = 1
  case duplicate = 2
  /// It comes after the one that follows it.
  case reorder = 3
  /// It shows a bid above the best ask, which nothing takes back.
  case crossed = 4
  /// Its checksum is wrong; of a dialect without checksums it is refused.
  case badChecksum = 5
}

/// What can go wrong with requests. Each happens to so many.
package enum RequestFault: UInt8, Sendable, Hashable, CaseIterable {
  /// A new order, amendment or cancel is carried out but never answered.
  case lostAcknowledgement = 1
  /// It is carried out, and the answer says that nobody knows.
  case statusUnknown = 2
  /// It is not carried out, and the answer does not say so.
  case internalError = 3
  /// It is refused as too many before it is looked at: 429 and its kin.
  case tooMany = 4
}

/// One thing that is to go wrong on one exchange.
package enum VenueFault: Sendable, Hashable {
  case book(BookFault, symbol: String, count: Int)
  case request(RequestFault, count: Int)
  /// So many fills are missing from the private stream; the account has them.
  case lostFill(count: Int)
  /// Of an order that is cancelled next, half has traded just before, and its private stream tells
  /// that after the cancel. So many times; an order of a single lot is spared.
  case lateFill(count: Int)
  /// Public data stops for a time while heartbeats and answers go on.
  case stall(Duration)
  case disconnect(StreamScope)
  /// Every request is refused as coming from a banned address, for a time.
  case ban(Duration)
  /// Added to the venue's clock, from now on.
  case clockSkew(Duration)
  case halt(symbol: String)
  case resume(symbol: String)
  /// Requests are refused, streams are cut and new ones refused, for a time.
  case maintenance(Duration)
  /// Everything that was to go wrong is forgotten, and every market trades.
  case none
}

/// An order for a fault that cannot be carried out: which part of it, and why.
package struct FaultError: Error, Sendable, Hashable, CustomStringConvertible {
  package let field: String
  package let problem: String

  package init(_ field: String, _ problem: String) {
    self.field = field
    self.problem = problem
  }

  package var description: String { "\(field) \(problem)" }
}
