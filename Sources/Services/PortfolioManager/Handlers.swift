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
    let found = try await positions.changed(after: 0, symbol: request.symbol)
    var response = PortfolioV1.ListPositionsResponse()
    response.positions = found.positions
    response.asOfSequence = found.sequence
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
    try await positions.changes.subscribed(limitedBy: "subscribers_max") {
      var (seen, known): (UInt64, UInt64) = (0, 0)
      while !Task.isCancelled {
        let found = try await positions.changed(after: known, symbol: request.symbol)
        for position in found.positions { try await responses.send(position) }
        known = found.version
        seen = await positions.changes.change(after: seen).version
      }
      throw RPCError(.cancelled, "the reader is gone")
    }
  }
}
