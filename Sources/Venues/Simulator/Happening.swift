internal import Chrono
internal import OrderBook
internal import Units
internal import Venue

/// Something that an exchange has to tell, as a fact; its dialect makes messages of it.
struct Happening {
  let time: Instant
  let what: What

  enum What {
    /// The changes of a market's book since the last window of this kind.
    case window(market: Int, StreamKind, DepthWindow)
    /// Every shown order of a market at the end of a window, by priority; told where somebody listens.
    case orders(market: Int, bids: [BookOrder], asks: [BookOrder])
    case top(market: Int, updateID: UInt64, bid: PriceLevel?, ask: PriceLevel?)
    case trade(market: Int, PublicTrade)
    case report(PrivateOrder, ReportCause, executionID: UInt64)
    /// Balances of an account, by asset.
    case balances(account: Int, [(asset: String, balance: Balance)])
    /// Trading was halted or goes on.
    case status(market: Int)
    /// The exchange as a whole closes, or opens again.
    case maintenance(Maintenance)
    /// A message of a recorded market, as it was.
    case recorded(market: Int, StreamKind, payload: [UInt8])
  }
}

/// A stretch of time in which the exchange is closed.
struct Maintenance: Hashable {
  let begin: Instant
  var end: Instant

  func isOngoing(_ now: Instant) -> Bool { begin <= now && now < end }
}

/// Why a report on an order is sent.
enum ReportCause {
  case new
  case trade(PrivateTrade)
  case cancelled(by: String)
  case expired
  /// Its price or quantity is another now.
  case amended(was: String)
  /// A stop is in the market now.
  case triggered
  /// It met an order of its own account.
  case prevented(PreventedMatch)
}
