internal import Calls
internal import Contracts
internal import ServiceKit
internal import Telemetry
internal import Translation
internal import Units
internal import Venue
internal import Venues
internal import Wire

/// Lists of a venue's, with what is missing of them.
extension OrderHandlers {
  /// Orders of a page, and one instrument's on top. A report has 150 bytes with the longest names and numbers:
  /// a page is within a mebibyte, of the four that a message may have. Binance lets 200 orders be open in a
  /// symbol, Kraken 225, OKX 500: 140 symbols may need a second page, of the 1,000 that may be followed.
  static let ordersPerPage = 5_000

  func listOpenOrders(
    _ request: MarketV1.ListOpenVenueOrdersRequest, _ context: ServerContext
  ) async throws -> MarketV1.ListOpenVenueOrdersResponse {
    let link = try link(request.venue)
    let listed = try await link.listed()
    let token = request.pageToken
    guard
      let first = token.isEmpty ? 0 : listed.firstIndex(where: { $0.symbol == token })
    else {
      throw RPCError.invalid("pageToken", "\(token.prefix(32)) is of no page of \(link.venue)")
    }
    let asked = listed[first...]
    let list: VenueList<VenueReport>
    do throws(VenueError) {
      list = try await link.session.orders.openOrders(of: asked.map(\.id))
    } catch {
      throw RPCError(.unavailable, "\(error)")
    }
    let rows = Dictionary(grouping: list.rows, by: \.instrument)
    var response = MarketV1.ListOpenVenueOrdersResponse()
    for instrument in asked {
      let own = rows[instrument.id] ?? []
      if !response.orders.isEmpty, response.orders.count + own.count > Self.ordersPerPage {
        response.nextPageToken = instrument.symbol
        break
      }
      response.orders += own.map { MarketV1.VenueReport($0, instrument) }
    }
    response.missing = await gaps(list.missing, of: "open orders", at: link)
    return response
  }

  func listFills(
    _ request: MarketV1.ListVenueFillsRequest, _ context: ServerContext
  ) async throws -> MarketV1.ListVenueFillsResponse {
    let link = try link(request.venue)
    let instrument = try await link.instrument(request.symbol)
    guard !request.venueOrderId.isEmpty else {
      throw RPCError.invalid("venueOrderId", "is missing")
    }
    let list: VenueList<VenueFillRecord>
    do throws(VenueError) {
      list = try await link.session.orders.fills(
        ofOrder: request.venueOrderId, instrument.id)
    } catch {
      throw RPCError(.unavailable, "\(error)")
    }
    var response = MarketV1.ListVenueFillsResponse()
    response.fills = list.rows.map { MarketV1.Fill($0.fill, instrument) }
    response.missing = await gaps(list.missing, of: "fills", at: link)
    return response
  }

  /// Of a list that is not whole somebody should know: what it lacks may be ours.
  private func gaps(
    _ missing: [VenueListGap], of list: String, at link: VenueLink
  ) async -> [MarketV1.ListGap] {
    guard let first = missing.first else { return [] }
    link.countIncomplete(list)
    service.log.error(
      "a venue's list is incomplete, and proves no absence",
      [
        "venue": .text(link.venue), "list": .text(list), "missing": .text("\(missing.count)"),
        "first": .text(first.text),
      ])
    let instruments = await link.instruments
    return missing.prefix(Self.gapsMax).map { gap in
      var wire = MarketV1.ListGap()
      wire.symbol = instruments.first { $0.id == gap.instrument }?.symbol ?? ""
      wire.venueOrderId = String(gap.venueOrderID.prefix(Self.idMax))
      wire.reason = String(gap.text.prefix(Self.reasonMax))
      return wire
    }
  }

  /// So many are told one by one: one is enough to know that the list is not whole.
  private static let gapsMax = 100
  private static let idMax = 64
  private static let reasonMax = 256
}
