import Calls
import Contracts
import Loop
import TestKit
import Testing
import Units

func decimal(_ text: String) -> Decimal {
  do { return try Decimal(parsing: text) } catch { fatalError("\(text): \(error.problem)") }
}

func wire(_ text: String) -> TypeV1.Decimal { TypeV1.Decimal(decimal(text)) }

/// The digits of a decimal on the wire, without trailing zeros; nil stays nil.
func text(_ wire: TypeV1.Decimal?) -> String? {
  wire.map { Decimal(units: $0.units, scale: UInt8($0.scale)).normalized.description }
}

/// BTCUSDT with ticks of 0.01, lots of 0.00001 and a minimum of 0.0001 and 5 USDT.
func bitcoin(venue: String = "binance", symbol: String = "BTCUSDT") -> MarketV1.Instrument {
  var instrument = MarketV1.Instrument()
  instrument.venue = venue
  instrument.symbol = symbol
  instrument.venueSymbol = symbol
  instrument.baseAsset = "BTC"
  instrument.quoteAsset = "USDT"
  instrument.priceScale = 2
  instrument.quantityScale = 5
  instrument.tickSize = wire("0.01")
  instrument.lotSize = wire("0.00001")
  instrument.minQuantity = wire("0.0001")
  instrument.maxQuantity = wire("9000")
  instrument.minNotional = wire("5")
  instrument.trading = true
  return instrument
}

func fill(
  _ id: String, _ quantity: String, at price: String, fee: String = "0", in asset: String = "USDT"
) -> MarketV1.Fill {
  var fill = MarketV1.Fill()
  fill.executionId = id
  fill.price = wire(price)
  fill.quantity = wire(quantity)
  fill.fee = wire(fee)
  fill.feeAsset = asset
  fill.exchangeTimeNs = 1_700_000_000_000_000_000
  return fill
}

/// The error of a call that must fail.
func refusal<Result>(
  _ body: () async throws -> Result, sourceLocation: SourceLocation = #_sourceLocation
) async -> RPCError {
  do {
    let result = try await body()
    Issue.record("expected a refusal, got \(result)", sourceLocation: sourceLocation)
    return RPCError(.ok, "")
  } catch let error as RPCError {
    return error
  } catch {
    Issue.record("expected an RPCError, got \(error)", sourceLocation: sourceLocation)
    return RPCError(.unknown, "\(error)")
  }
}

extension RPCError {
  /// The reason of its ErrorInfo.
  var reason: String? {
    for case .errorInfo(let reason, _, _) in details { return reason }
    return nil
  }

  var numbers: [String: String] {
    for case .errorInfo(_, _, let metadata) in details { return metadata }
    return [:]
  }

  var fields: [String] {
    for case .badRequest(let violations) in details { return violations.map(\.field) }
    return []
  }
}
