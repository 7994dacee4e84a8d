internal import Calls
internal import Contracts
internal import ServiceKit
internal import Transport
internal import Units
internal import Venue
internal import VenueSimulator

/// The calls of `venue-sim` itself: faults, and what the exchanges know.
struct SimulatorHandlers: SimulatorV1.SimulatorServiceHandler {
  let venues: VenueAdministration

  /// Levels of a side that are shown at most.
  private static let levelsMax: UInt32 = 1_000

  func injectFault(
    _ request: SimulatorV1.InjectFaultRequest, _ context: ServerContext
  ) async throws -> SimulatorV1.InjectFaultResponse {
    let dialect = try Self.dialect(request.venue)
    do throws(FaultError) {
      try await venues.inject(try Self.fault(request), at: dialect)
    } catch {
      throw Self.refused(error)
    }
    return SimulatorV1.InjectFaultResponse()
  }

  func getSimulatedBook(
    _ request: SimulatorV1.GetSimulatedBookRequest, _ context: ServerContext
  ) async throws -> SimulatorV1.SimulatedBook {
    let dialect = try Self.dialect(request.venue)
    let asked = request.levelsMax == 0 ? Self.levelsMax : min(request.levelsMax, Self.levelsMax)
    let book: ExchangeBook
    do throws(FaultError) {
      book = try await venues.book(of: request.symbol, at: dialect, levelsMax: Int(asked))
    } catch {
      throw Self.refused(error)
    }
    func level(_ level: PriceLevel) -> SimulatorV1.SimulatedLevel {
      var wire = SimulatorV1.SimulatedLevel()
      wire.price = TypeV1.Decimal(Decimal(units: level.price.raw, scale: book.priceScale))
      wire.quantity = TypeV1.Decimal(Decimal(units: level.quantity.raw, scale: book.quantityScale))
      return wire
    }
    var answer = SimulatorV1.SimulatedBook()
    answer.symbol = book.symbol
    answer.updateId = book.updateID
    answer.isHalted = book.isHalted
    answer.bids = book.bids.map(level)
    answer.asks = book.asks.map(level)
    return answer
  }

  func getSimulatedAccount(
    _ request: SimulatorV1.GetSimulatedAccountRequest, _ context: ServerContext
  ) async throws -> SimulatorV1.SimulatedAccount {
    let dialect = try Self.dialect(request.venue)
    let account: ExchangeAccount
    do throws(FaultError) {
      account = try await venues.account(request.apiKey, at: dialect)
    } catch {
      throw Self.refused(error)
    }
    var answer = SimulatorV1.SimulatedAccount()
    answer.balances = account.balances.map { balance in
      var wire = SimulatorV1.SimulatedBalance()
      wire.asset = balance.asset
      wire.free = TypeV1.Decimal(Decimal(units: balance.free.raw, scale: AssetAmount.scale))
      wire.locked = TypeV1.Decimal(Decimal(units: balance.locked.raw, scale: AssetAmount.scale))
      return wire
    }
    answer.openOrders = account.openOrders.map(Self.wire)
    return answer
  }

  func startReplay(
    _ request: SimulatorV1.StartReplayRequest, _ context: ServerContext
  ) async throws -> SimulatorV1.StartReplayResponse {
    await venues.startReplays()
    return SimulatorV1.StartReplayResponse()
  }

  // MARK: Translation

  private static func wire(_ order: ExchangeAccount.OpenOrder) -> SimulatorV1.SimulatedOrder {
    var wire = SimulatorV1.SimulatedOrder()
    wire.orderId = order.id
    wire.symbol = order.symbol
    wire.clientOrderId = order.clientOrderID
    wire.side = order.side == .buy ? .buy : .sell
    wire.price = TypeV1.Decimal(Decimal(units: order.price.raw, scale: order.priceScale))
    wire.quantity = TypeV1.Decimal(Decimal(units: order.quantity.raw, scale: order.quantityScale))
    wire.filled = TypeV1.Decimal(Decimal(units: order.filled.raw, scale: order.quantityScale))
    return wire
  }

  private static func dialect(_ venue: String) throws(RPCError) -> VenueDialect {
    guard let dialect = VenueDialect(rawValue: venue) else {
      let known = VenueDialect.allCases.map(\.rawValue).joined(separator: ", ")
      throw RPCError(.invalidArgument, "venue is \"\(venue)\": one of \(known) is expected")
    }
    return dialect
  }

  private static func refused(_ error: FaultError) -> RPCError {
    RPCError(.invalidArgument, error.description)
  }

  private static func fault(
    _ request: SimulatorV1.InjectFaultRequest
  ) throws(FaultError) -> VenueFault {
    let (symbol, count) = (request.symbol, Int(request.count))
    let time = request.duration.map(Self.duration) ?? .zero
    switch request.kind {
    case .bookGap: return .book(.gap, symbol: symbol, count: count)
    case .bookDuplicate: return .book(.duplicate, symbol: symbol, count: count)
    case .bookReorder: return .book(.reorder, symbol: symbol, count: count)
    case .bookCrossed: return .book(.crossed, symbol: symbol, count: count)
    case .bookBadChecksum: return .book(.badChecksum, symbol: symbol, count: count)
    case .streamStall: return .stall(time)
    case .streamDisconnect: return .disconnect(try scope(request.scope))
    case .lostAcknowledgement: return .request(.lostAcknowledgement, count: count)
    case .statusUnknown: return .request(.statusUnknown, count: count)
    case .internalError: return .request(.internalError, count: count)
    case .tooManyRequests: return .request(.tooMany, count: count)
    case .lostFill: return .lostFill(count: count)
    case .lateFill: return .lateFill(count: count)
    case .ban: return .ban(time)
    case .clockSkew: return .clockSkew(request.skew.map(Self.duration) ?? .zero)
    case .halt: return .halt(symbol: symbol)
    case .resume: return .resume(symbol: symbol)
    case .maintenance: return .maintenance(time)
    case .noFault: return .none
    case .unspecified, .unrecognized: throw FaultError("kind", "is not given or not known")
    }
  }

  private static func scope(_ scope: SimulatorV1.FaultScope) throws(FaultError) -> StreamScope {
    switch scope {
    case .publicStreams: return .publicStreams
    case .privateStreams: return .privateStreams
    case .unspecified, .unrecognized: throw FaultError("scope", "is not given or not known")
    }
  }

  private static func duration(_ wire: GoogleProtobuf.Duration) -> Duration {
    .seconds(wire.seconds) + .nanoseconds(Int64(wire.nanos))
  }
}

/// The simulator serves the mesh's own certificates and knows no users.
struct NoTokens: TokenVerifier {
  func verify(_ token: String) async throws(RPCError) -> UserIdentity {
    throw RPCError(.unauthenticated, "venue-sim takes certificates of the mesh, no tokens")
  }
}
