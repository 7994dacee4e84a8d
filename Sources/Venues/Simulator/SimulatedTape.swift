package import Chrono
internal import JSON

/// What an exchange publishes when nobody trades but its background flow: a seed's own recording.
///
/// Lines are those of a capture, `<nanoseconds> <json>` with the combined stream's envelope, and begin
/// with a snapshot of each book, so that a tape can be compared, kept, and of one market replayed.
package enum SimulatedTape {
  package static func write(
    _ settings: ExchangeSettings, start: Instant, duration: Duration, line: ([UInt8]) -> Void
  ) {
    var exchange = SimulatedExchange(settings: settings, start: start)
    let hub = StreamHub(symbols: settings.markets.map(\.symbol), behindMax: .max)
    for market in exchange.markets {
      line(Array("\(start.nanoseconds) ".utf8) + market.snapshot(limit: 5_000))
    }
    let end = start + duration
    while exchange.nextEventTime <= end {
      let time = exchange.nextEventTime
      exchange.advance(to: time)
      for case .market(let key, let payload) in exchange.takeMessages() {
        var json = JSONWriter(reserving: payload.count + 64)
        json.object { json in
          json.member("stream", hub.name(of: key))
          json.name("data")
          json.raw(payload)
        }
        line(Array("\(time.nanoseconds) ".utf8) + json.finished())
      }
    }
  }
}
