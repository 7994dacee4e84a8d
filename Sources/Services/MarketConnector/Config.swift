package import ServiceKit

package struct Config: ServiceSettings {
  let symbols: [String]
  let restURL: String
  let streamHost: String
  let streamPort: Int
  let requestTimeout: Duration
  let readerQueueMax: Int
  let readersMax: Int
  let slowReaderWait: Duration
  let makerFeeBps: Int
  let takerFeeBps: Int

  package init(_ settings: SettingsReader) {
    symbols = settings.list(
      "symbols", maximum: 1_000, default: ["BTCUSDT", "ETHUSDT", "SOLUSDT"],
      "Symbols to connect, in our spelling.")
    restURL = settings.string(
      "rest_url", default: "",
      "The venue's REST address; empty: the simulator, at its port in ports.toml.")
    streamHost = settings.string(
      "stream_host", default: "127.0.0.1", "The host of the venue's WebSocket streams.")
    streamPort = settings.int(
      "stream_port", in: 0...65_535, default: 0,
      "The port of the venue's WebSocket streams; 0: the simulator's in ports.toml.")
    requestTimeout = settings.duration(
      "request_timeout", in: .milliseconds(10)...(.seconds(60)), default: .seconds(2),
      "A venue that has not answered a request by then is silent.")
    readerQueueMax = settings.int(
      "reader_queue_max", in: 16...1_000_000, default: 4_096, unit: "events",
      "Events that wait for one reader; at the limit the venue's stream is held back.")
    readersMax = settings.int(
      "readers_max", in: 1...100_000, default: 1_000, unit: "streams",
      "More streams are refused with RESOURCE_EXHAUSTED.")
    slowReaderWait = settings.duration(
      "slow_reader_wait", in: .milliseconds(1)...(.seconds(300)), default: .seconds(5),
      "How long a full reader may hold the venue back; then it is ended with RESOURCE_EXHAUSTED.")
    makerFeeBps = settings.int(
      "maker_fee_bps", in: 0...1_000, default: 10, unit: "basis points",
      "The maker fee of our account, for display.")
    takerFeeBps = settings.int(
      "taker_fee_bps", in: 0...1_000, default: 10, unit: "basis points",
      "The taker fee of our account, for display.")
  }
}
