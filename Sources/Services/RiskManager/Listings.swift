internal import Calls
internal import Chrono
internal import Contracts
internal import Loop
internal import ServiceKit
private import Synchronization
internal import Translation

/// Which symbols may be traded somewhere: limits for another one would protect nothing.
protocol Listings: Sendable {
  /// INVALID_ARGUMENT with the nearest names for what nobody lists; UNAVAILABLE while that is not known.
  func require(_ symbol: String) async throws(RPCError)
}

/// As the market-connector says; asked again before a symbol is refused, for a venue may have come late.
final class MarketListings: Listings {
  private let market: MarketV1.MarketServiceClient
  private let context: ServiceContext
  private let symbols = Mutex<Set<String>>([])

  private static let askTimeMax = Duration.seconds(2)

  init(_ context: ServiceContext) {
    self.context = context
    market = .init(channel: context.channel(to: "market-connector"))
  }

  func require(_ symbol: String) async throws(RPCError) {
    if symbols.withLock({ $0.contains(symbol) }) { return }
    let absent: [String]
    do throws(RPCError) {
      let options = CallOptions(deadline: context.loop.uptime + Self.askTimeMax)
      let told = try await market.listInstruments(.init(), options)
      let listed = Set(told.instruments.map(\.symbol))
      symbols.withLock { $0.formUnion(listed) }
      absent = told.unavailableVenues.map(\.venue)
    } catch {
      throw RPCError(
        .unavailable,
        "it is not known whether \(symbol) is listed: the market-connector does not say: "
          + error.message, details: [.retryInfo(delay: .seconds(1))])
    }
    let known = symbols.withLock { $0 }
    if known.contains(symbol) { return }
    guard absent.isEmpty else {
      throw RPCError(
        .unavailable,
        "it is not known whether \(symbol) is listed: \(absent.joined(separator: ", ")) "
          + "has not told its instruments yet", details: [.retryInfo(delay: .seconds(1))])
    }
    let near = Self.nearest(to: symbol, among: known)
    throw .invalid(
      "symbol",
      "\(symbol) is listed nowhere; " + (near.isEmpty ? "nothing is" : "listed are ")
        + near.joined(separator: ", "))
  }

  /// The nearest name first, then others, enough to find the one that was meant.
  static func nearest(to symbol: String, among known: Set<String>) -> [String] {
    var rest = known
    var found: [String] = []
    while found.count < 3, let next = nearestName(to: symbol, among: rest.sorted()) {
      found.append(next)
      rest.remove(next)
    }
    return found.isEmpty ? Array(known.sorted().prefix(10)) : found
  }
}
