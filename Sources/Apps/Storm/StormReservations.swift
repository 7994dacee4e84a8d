internal import Calls
internal import Chrono
internal import Contracts
internal import Loop
internal import Translation
internal import Units
internal import Venue
internal import Wire

/// With nothing open, the gate has room for exactly what the limits leave, and for not one lot more.
struct StormReservations {
  let world: StormWorld
  let audit: StormAudit
  let traders: StormTraders

  private var loop: EventLoop { traders.loop }

  /// Limits are put so near to each position that nothing but the position can refuse.
  func compare() async {
    guard world.violation == nil, let venue = world.venues.first else { return }
    for instrument in venue.instruments {
      guard let (limit, size) = audit.currentLimit(instrument.symbol) else { continue }
      let position = audit.book(instrument.symbol).position
      let one = 100_000_000 * StormTraders.scale(instrument.symbol)
      let near = Quantity(abs(position) / 100_000_000 * 100_000_000 + one)
      await traders.setLimits(instrument.symbol, position: near, size: Quantity(near.raw * 3))
      // Told to the gate.
      await loop.sleep(for: .seconds(2))
      for venue in world.venues { await compare(venue, instrument.symbol, near, position) }
      await traders.setLimits(instrument.symbol, position: limit, size: size)
    }
  }

  private func compare(
    _ venue: StormVenue, _ symbol: String, _ limit: Quantity, _ position: Int64
  ) async {
    guard let instrument = venue.instruments.first(where: { $0.symbol == symbol }) else { return }
    let lot = instrument.lotSize.raw
    for side in [Side.buy, .sell] {
      let room = (limit.raw - side.sign * position) / lot * lot
      // Fees in the base asset leave fractions of a lot, which count as one.
      guard room > 1_000_000 else { continue }
      await expect(true, venue, instrument, side, Quantity(room))
      await expect(false, venue, instrument, side, Quantity(room + lot))
    }
  }

  private func expect(
    _ admitted: Bool, _ venue: StormVenue, _ instrument: Instrument, _ side: Side,
    _ quantity: Quantity
  ) async {
    guard world.violation == nil, let touch = venue.touch(instrument.id) else { return }
    let ticket = StormTicket(
      act: 0, clientID: "calm", venue: venue, instrument: instrument, side: side, type: .limit,
      timeInForce: .gtc, price: side == .buy ? touch.bid.price : touch.ask.price,
      quantity: quantity)
    do throws(RPCError) {
      let answer = try await traders.gate.checkOrder(
        ticket.request(), CallOptions(deadline: loop.uptime + .seconds(20)))
      let isRefused = !answer.admitted && answer.reason == .positionLimit
      // Another rule may refuse first, and says nothing of reservations.
      guard answer.admitted || isRefused, isRefused == admitted else { return }
      world.broke(
        .reserved,
        "nothing is open, and the gate \(admitted ? "refuses" : "takes") "
          + "\(instrument.decimal(quantity)) \(instrument.symbol) \(side) at \(venue.name): "
          + answer.text)
    } catch {
      world.trace.note("calm: a check fails: \(error.message)")
    }
  }
}
