import Chrono
import JSON
import OrderBook
import Units
import Venue

@testable import Venues

/// What Kraken writes.
enum KrakenText {
  /// The acknowledgements of a subscription request, one for the first symbol.
  static func acknowledgement(
    _ request: String, error: String? = nil, at time: Instant? = nil
  ) -> String {
    guard let root = try? JSONDocument(parsing: request).root,
      let id = root["req_id"]?.int, let method = root["method"]?.string,
      let channel = root["params"]?["channel"]?.string
    else { return "" }
    let symbol = root["params"]?["symbol"]?[0]?.string
    let symbolMember = symbol.map { #","symbol":"\#($0)""# } ?? ""
    let times = time.map { #","time_in":"\#($0.rfc3339)","time_out":"\#($0.rfc3339)""# } ?? ""
    if let error {
      return
        #"{"error":"\#(error)","method":"\#(method)","req_id":\#(id),"#
        + #""success":false\#(symbolMember)}"#
    }
    return
      #"{"method":"\#(method)","req_id":\#(id),"result":{"channel":"\#(channel)"\#(symbolMember)},"#
      + #""success":true\#(times)}"#
  }

  static func levels(_ book: KrakenBook, _ side: Side) -> String {
    book.levels.levels(side, max: book.levels.levelCount(side)).map { level in
      #"{"price":\#(book.instrument.decimal(level.price)),"#
        + #""qty":\#(book.instrument.decimal(level.quantity))}"#
    }.joined(separator: ",")
  }

  static func snapshot(_ book: KrakenBook) -> String {
    #"{"channel":"book","type":"snapshot","data":[{"symbol":"\#(book.instrument.venueSymbol)","#
      + #""bids":[\#(levels(book, .buy))],"asks":[\#(levels(book, .sell))],"#
      + #""checksum":\#(book.checksum)}]}"#
  }

  /// A message of levels (price, quantity), whose checksum is what it says.
  static func book(
    _ type: String, _ symbol: String = "BTC/USD", bids: [(String, String)] = [],
    asks: [(String, String)] = [], checksum: UInt32
  ) -> String {
    func rows(_ levels: [(String, String)]) -> String {
      levels.map { #"{"price":\#($0.0),"qty":\#($0.1)}"# }.joined(separator: ",")
    }
    return #"{"channel":"book","type":"\#(type)","data":[{"symbol":"\#(symbol)","#
      + #""bids":[\#(rows(bids))],"asks":[\#(rows(asks))],"checksum":\#(checksum),"#
      + #""timestamp":"2026-08-01T02:53:53.646219Z"}]}"#
  }
}
