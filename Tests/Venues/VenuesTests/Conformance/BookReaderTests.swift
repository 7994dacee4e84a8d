import Loop
import Security
import Telemetry
import TestKit
import Testing
import Transport

@testable import VenueSimulator
@testable import Venues

/// The exchange's other clients: one that stops reading is sent away, and the adapter beside it has
/// every message.
@Suite(.serialized) struct BookReaderTests {
  @Test(arguments: ConnectedVenue.simulated)
  func `TST-04 a client of the exchange that stops reading is cut off, and nobody else notices`(
    _ known: KnownVenue
  ) async throws {
    try await withLoop { loop in
      let venue = try await SteppedVenue(
        loop, known, behindMax: 512 << 10,
        exchange: { if known == .binance { $0.markets[1].eventsPerSecond = 1_000 } })
      try await venue.begin()
      let before = await venue.connected.server.clientCount()
      let sleeper = try await Self.sleeper(venue, loop)
      #expect(await soon { await venue.connected.server.clientCount() == before + 1 })

      // The kernel keeps megabytes for a reader; what is beyond them and the limit is not kept.
      for _ in 0..<5_000 where await venue.connected.server.clientCount() > before {
        try await Self.provoke(venue, sleeper)
        #expect(try await venue.settles())
      }
      #expect(await soon { await venue.connected.server.clientCount() == before })
      #expect(try await venue.agreesSoon())
      #expect(venue.book.staleReasons.isEmpty && venue.etherBook.staleReasons.isEmpty)
      #expect(venue.counters.reconnections.value == 0)
      await sleeper.close()
      await venue.stop()
    }
  }

  /// Takes nothing, ever.
  private static func sleeper(
    _ venue: SteppedVenue, _ loop: EventLoop
  ) async throws -> WebSocket {
    let target =
      switch venue.venue {
      case .kraken: "/v2"
      case .okx: "/ws/v5/public"
      default: binance(venue)
      }
    var limits = WebSocketLimits.standard
    limits.inboxMax = 1
    let trust = Trust.authorities(TestMesh.shared.authority.certificate)
    return try await WebSocketClient.connect(
      host: "127.0.0.1", port: venue.connected.port, target: target,
      tls: try .client(nil, trust: trust, alpn: .http11), loop: loop, limits: limits)
  }

  /// Makes the exchange say much: a window of all streams, or whole books where they can be had.
  private static func provoke(_ venue: SteppedVenue, _ sleeper: WebSocket) async throws {
    guard venue.venue != .binance else { return try await venue.step() }
    do {
      for _ in 0..<20 {
        for request in venue.venue == .kraken ? kraken(venue) : okx(venue) {
          try await sleeper.send(text: request)
        }
      }
    } catch {
      // It has been sent away.
    }
    try await venue.step()
  }

  private static func symbols(_ venue: SteppedVenue) -> [String] {
    venue.profile.exchange.markets.prefix(2).map(\.symbol)
  }

  private static func binance(_ venue: SteppedVenue) -> String {
    let names = symbols(venue).flatMap { symbol in
      ["depth@100ms", "depth", "trade", "bookTicker"].map { "\(symbol.lowercased())@\($0)" }
    }
    return "/stream?streams=" + names.joined(separator: "/")
  }

  private static func kraken(_ venue: SteppedVenue) -> [String] {
    let list = symbols(venue).map { #""\#($0)""# }.joined(separator: ",")
    return ["subscribe", "unsubscribe"].map {
      #"{"method":"\#($0)","params":{"channel":"book","depth":1000,"symbol":[\#(list)]}}"#
    }
  }

  private static func okx(_ venue: SteppedVenue) -> [String] {
    let arguments = symbols(venue).map { #"{"channel":"books","instId":"\#($0)"}"# }
    return [#"{"op":"subscribe","args":[\#(arguments.joined(separator: ","))]}"#]
  }
}
