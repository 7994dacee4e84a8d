package import ServiceKit
internal import Signals
internal import Units

package struct Config: ServiceSettings {
  let account: String
  let defaultVenue: String
  let acceptTimeout: Duration
  let resolveAfter: Duration
  let riskSilenceMax: Duration
  let ordersSilenceMax: Duration
  let marketSilenceMax: Duration
  let ordersOpenMax: Int
  let ordersQueueMax: Int
  let signalsQueueMax: Int
  let marketQueueMax: Int
  let slowAfter: Duration
  let tickRing: TickRingTerms
  let signalsKeptMax: Int
  let makerSymbol: String
  let maker: MakerTerms

  /// How the ring of ticks is read.
  struct TickRingTerms: Sendable {
    let use: TickRingUse
    let silenceMax: Duration
    let spin: Duration

    init(_ settings: SettingsReader) {
      use = settings.choice(
        "tick_ring", default: .auto,
        "Prices from the ring of ticks of this machine (on), the orderbook (off), or what there is."
      )
      silenceMax = settings.duration(
        "tick_ring_silence_max", in: .milliseconds(200)...(.seconds(60)), default: .seconds(1),
        "A ring whose writer has not said for so long that it lives is left, and its prices with it."
      )
      spin = settings.duration(
        "tick_ring_spin", in: .zero...(.milliseconds(10)), default: .zero,
        "How long to look for ticks before sleeping; above zero it spends a core on latency.")
    }
  }

  /// The market maker as people set it; it becomes `MarketMakerSettings` with its instrument's scales.
  struct MakerTerms: Sendable {
    let halfSpreadTicks: Int
    let size: Decimal
    let maxPosition: Decimal
    let skewTicksMax: Int
    let requoteTicks: Int
    let requoteInterval: Duration
    let bookAgeMax: Duration
  }

  package init(_ settings: SettingsReader) {
    account = settings.string("account", default: "main", "The account that all orders are for.")
    defaultVenue = settings.string(
      "default_venue", default: "binance",
      "Where an order without a venue goes when several list its symbol; empty: it must say.")
    acceptTimeout = settings.duration(
      "accept_timeout", in: .milliseconds(10)...(.seconds(60)), default: .seconds(3),
      "An oms that has not answered by then leaves the order open: its exposure stays reserved.")
    resolveAfter = settings.duration(
      "resolve_after", in: .milliseconds(100)...(.seconds(300)), default: .seconds(5),
      "An order that the oms does not know so long after silence was never accepted.")
    riskSilenceMax = settings.duration(
      "risk_silence_max", in: .milliseconds(100)...(.seconds(300)), default: .seconds(3),
      "Limits not heard of for so long refuse new orders with RISK_TIMEOUT.")
    marketSilenceMax = settings.duration(
      "market_silence_max", in: .milliseconds(1_500)...(.seconds(300)), default: .seconds(3),
      "A market-connector that has not answered for so long refuses new orders with VENUE_UNAVAILABLE."
    )
    ordersSilenceMax = settings.duration(
      "orders_silence_max", in: .milliseconds(100)...(.seconds(300)), default: .seconds(5),
      "The oms's events not heard for so long refuse new orders with RECONCILING; cancels pass.")
    ordersOpenMax = settings.int(
      "orders_open_max", in: 1...10_000_000, default: 100_000, unit: "orders",
      "New orders beyond this are refused with OVERLOADED.")
    ordersQueueMax = settings.int(
      "orders_queue_max", in: 16...10_000_000, default: 1_000, unit: "events",
      "Execution reports that may wait for a subscriber of the bus; the oms's stream is held back.")
    signalsQueueMax = settings.int(
      "signals_queue_max", in: 16...10_000_000, default: 5_000, unit: "events",
      "Signals that may wait for a subscriber of the bus; more are refused and counted.")
    marketQueueMax = settings.int(
      "market_queue_max", in: 16...10_000_000, default: 10_000, unit: "events",
      "Market updates that may wait for a subscriber of the bus; the oldest give way.")
    slowAfter = settings.duration(
      "slow_after", in: .milliseconds(10)...(.seconds(60)), default: .milliseconds(100),
      "A subscriber that takes nothing for so long is named, and loses the market updates waiting.")
    tickRing = TickRingTerms(settings)
    signalsKeptMax = settings.int(
      "signals_kept_max", in: 1...1_000_000, default: 1_000, unit: "signals",
      "Signals kept for GET /v1/signals; the oldest give way.")
    makerSymbol = settings.string(
      "maker_symbol", default: "BTCUSDT", "What the market maker quotes.")
    maker = Self.maker(settings)
  }

  private static func maker(_ settings: SettingsReader) -> MakerTerms {
    let positive = Decimal(units: 1, scale: 18)...Decimal(units: .max, scale: 0)
    return MakerTerms(
      halfSpreadTicks: settings.int(
        "maker_half_spread_ticks", in: 1...1_000_000, default: 100, unit: "ticks",
        "How far each quote stands off the fair price."),
      size: settings.decimal(
        "maker_size", in: positive, default: "0.01", unit: "base currency", "Size of each quote."),
      maxPosition: settings.decimal(
        "maker_max_position", in: positive, default: "0.1", unit: "base currency",
        "No quote whose fill would take the position above this."),
      skewTicksMax: settings.int(
        "maker_skew_ticks_max", in: 0...1_000_000, default: 100, unit: "ticks",
        "How far both quotes move against a full position."),
      requoteTicks: settings.int(
        "maker_requote_ticks", in: 1...1_000_000, default: 50, unit: "ticks",
        "A quote this far off is moved."),
      requoteInterval: settings.duration(
        "maker_requote_interval", in: .milliseconds(1)...(.seconds(3600)),
        default: .milliseconds(250), "A side is changed at most this often."),
      bookAgeMax: settings.duration(
        "maker_book_age_max", in: .milliseconds(10)...(.seconds(3600)), default: .seconds(5),
        "An older book is not quoted on."))
  }
}
