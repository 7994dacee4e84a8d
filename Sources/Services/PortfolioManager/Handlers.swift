internal import Calls
internal import Contracts
internal import ServiceKit
internal import Wire

struct Handlers: PortfolioV1.PortfolioServiceHandler {
  let positions: Positions
  let context: ServiceContext

  func listPositions(
    _ request: PortfolioV1.ListPositionsRequest, _ context: ServerContext
  ) async throws -> PortfolioV1.ListPositionsResponse {
    try self.context.requireReady()
    var response = PortfolioV1.ListPositionsResponse()
    response.positions = try await positions.positions(after: 0, symbol: request.symbol)
    response.asOfSequence = await positions.sequence
    return response
  }

  func getPortfolio(
    _ request: PortfolioV1.GetPortfolioRequest, _ context: ServerContext
  ) async throws -> PortfolioV1.Portfolio {
    try self.context.requireReady()
    return try await positions.portfolio()
  }

  func streamPositions(
    _ request: PortfolioV1.ListPositionsRequest, _ responses: Outgoing<PortfolioV1.Position>,
    _ context: ServerContext
  ) async throws {
    try await positions.subscribe()
    do {
      var known: UInt64 = 0
      while !Task.isCancelled {
        let newest = await positions.change(after: known)
        for position in try await positions.positions(after: known, symbol: request.symbol) {
          try await responses.send(position)
        }
        known = newest
      }
      throw RPCError(.cancelled, "the reader is gone")
    } catch {
      await positions.unsubscribe()
      throw error
    }
  }

}
