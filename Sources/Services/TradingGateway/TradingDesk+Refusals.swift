internal import Bytes
internal import Calls
internal import Chrono
internal import Contracts
internal import EventBus
internal import Loop
internal import Orders
internal import Portfolio
internal import Risk
internal import ServiceKit
internal import Signals
internal import Telemetry
internal import Translation
internal import Units
internal import Venue

/// What the desk says no with, and what it needs before it says yes.
extension TradingDesk {
  static let domain = "risk.shrivenquant"

  func error(_ refusal: Refusal) -> RPCError {
    let text = text(refusal)
    let (actual, limit) = numbers(refusal)
    publish(.riskAlert(refusal.reason, text: text))
    let wait: Duration? =
      switch refusal.rule {
      case .ordersPerSecond: .seconds(1)
      case .ordersPerMinute: .seconds(60)
      default: nil
      }
    return refusal.reason.error(
      text, domain: Self.domain,
      metadata: ["actual": actual, "limit": limit, "rule": refusal.rule.name],
      retryAfter: wait)
  }

  func text(_ refusal: Refusal) -> String {
    book?.gate.text(of: refusal) ?? refusal.reason.name
  }

  func numbers(_ refusal: Refusal) -> (actual: String, limit: String) {
    guard let book, instruments.all.indices.contains(Int(refusal.instrument.index)) else {
      return ("\(refusal.actual)", "\(refusal.limit)")
    }
    let scale = book.gate.scale(of: refusal)
    func plain(_ units: Int128) -> String {
      Amount(units: units, scale: scale).normalized.description
    }
    return (plain(refusal.actual), plain(refusal.limit))
  }

  func requireSynced() throws(RPCError) {
    guard isSynced, book != nil else {
      throw RejectReason.reconciling.error(
        "the trading-gateway is still reading the oms's journal", domain: Self.domain,
        retryAfter: .seconds(1))
    }
    let silence = silence(context.loop.uptime)
    guard silence <= config.ordersSilenceMax else {
      throw RejectReason.reconciling.error(
        "the oms's events have not been heard for \(silence.wholeNanoseconds / 1_000_000)ms, and "
          + "\(DurationText.print(config.ordersSilenceMax)) is the most allowed (orders_silence_max): "
          + "what has filled meanwhile is not known", domain: Self.domain, retryAfter: .seconds(1))
    }
  }

  func requireFreshLimits() throws(RPCError) {
    let now = context.loop.uptime
    guard let limitsHeard, now - limitsHeard <= config.riskSilenceMax else {
      throw RejectReason.riskTimeout.error(
        "the risk-manager has been silent for more than \(config.riskSilenceMax)",
        domain: Self.domain, retryAfter: .seconds(1))
    }
  }

  /// Since when the market-connector has said nothing, if that is too long: what its venues and prices are
  /// now is not known, and what is accepted would wait for it.
  var marketSilence: Duration? {
    silence(since: marketHeard, beyond: config.marketSilenceMax)
  }

  /// The same of the limits.
  var limitsSilence: Duration? {
    silence(since: limitsHeard, beyond: config.riskSilenceMax)
  }

  /// In whole milliseconds, for people.
  private func silence(since heard: Uptime?, beyond most: Duration) -> Duration? {
    let silence = heard.map { context.loop.uptime - $0 } ?? .zero
    guard silence > most else { return nil }
    return .milliseconds(silence.wholeNanoseconds / 1_000_000)
  }

  func requireMarket() throws(RPCError) {
    // The gate names the kill switch.
    guard !killSwitch.isEngaged, let silence = marketSilence else { return }
    // Proven: nothing was accepted. UNAVAILABLE would leave that open.
    throw RejectReason.venueUnavailable.error(
      "the market-connector has not answered for \(DurationText.print(silence)), and "
        + "\(DurationText.print(config.marketSilenceMax)) is the most allowed (market_silence_max)",
      code: .resourceExhausted, domain: Self.domain, retryAfter: .seconds(1))
  }

  func freshID(_ strategy: String) -> String {
    let digits = String(context.loop.randomNumber(), radix: 36)
    return (strategy.isEmpty ? "c-" : "s-") + digits
  }
}
