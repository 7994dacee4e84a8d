/// Kraken's names of assets and pairs, and ours.
package enum KrakenAssets {
  /// Names from before Kraken followed the market's: `XXBT`, `ZUSD`; and the two tickers of its
  /// own, XBT and XDG (support.kraken.com, "Asset codes and market symbols").
  private static let canonicalNames = [
    "XXBT": "BTC", "XBT": "BTC", "XXDG": "DOGE", "XDG": "DOGE", "XETH": "ETH", "XETC": "ETC",
    "XLTC": "LTC", "XXRP": "XRP", "XXLM": "XLM", "XXMR": "XMR", "XZEC": "ZEC", "XREP": "REP",
    "XMLN": "MLN", "ZUSD": "USD", "ZEUR": "EUR", "ZGBP": "GBP", "ZJPY": "JPY", "ZCAD": "CAD",
    "ZAUD": "AUD",
  ]

  package static func canonical(_ asset: String) -> String { canonicalNames[asset] ?? asset }

  /// `XBT/USD` or `BTC/USD`: its two assets by our names. Nil when it is no pair.
  package static func pair(_ name: String) -> (base: String, quote: String)? {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
    return (canonical(String(parts[0])), canonical(String(parts[1])))
  }

  /// The name of a pair in REST requests and in orders: `XBTUSD` for `BTC/USD`.
  package static func restPair(_ venueSymbol: String) -> String {
    venueSymbol.split(separator: "/").map { asset in
      switch asset {
      case "BTC": "XBT"
      case "DOGE": "XDG"
      default: String(asset)
      }
    }.joined()
  }
}

extension KrakenAssets {
  /// Whether `spelling` is this pair in any of Kraken's ways: `XXBTZUSD`, `XBTUSD`, `XBT/USD`.
  package static func means(_ spelling: String, _ venueSymbol: String) -> Bool {
    let parts = venueSymbol.split(separator: "/")
    guard parts.count == 2 else { return spelling == venueSymbol }
    let plain = spelling.filter { $0 != "/" }
    for base in spellings(String(parts[0])) where plain.hasPrefix(base) {
      if spellings(String(parts[1])).contains(String(plain.dropFirst(base.count))) { return true }
    }
    return false
  }

  private static func spellings(_ asset: String) -> [String] {
    [asset] + canonicalNames.lazy.filter { $0.value == asset }.map(\.key)
  }
}
