package import Calls
internal import Chrono
package import Contracts
package import Venue

extension VenueFill {
  /// The fill of an execution that the oms tells of.
  package init(_ wire: OmsV1.Execution, _ instrument: Instrument) throws(RPCError) {
    var fill = MarketV1.Fill()
    fill.executionId = wire.executionId
    fill.price = wire.price
    fill.quantity = wire.quantity
    fill.fee = wire.fee
    fill.feeAsset = wire.feeAsset
    fill.maker = wire.maker
    let time = try Instant(wire.exchangeTime ?? .init(), field: "exchangeTime")
    fill.exchangeTimeNs = UInt64(max(0, time.nanoseconds))
    try self.init(fill, instrument)
  }
}
