import Bytes
import Chrono
import Foundation
import JSON
import Security
import Seeds
import TestKit
import Testing
import Units
import Venue

@testable import Venues

@Suite struct `Kraken's signatures and nonces` {
  @Test func `EX-14 the published example is signed as published`() throws {
    // docs.kraken.com/api/docs/guides/spot-rest-auth
    let secret = try Base64.standard.decode(
      "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg==")
    let body = "nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25"
    let signature = KrakenSignature(secret: secret).sign(
      path: "/0/private/AddOrder", nonce: 1_616_492_376_594, body: Array(body.utf8))
    #expect(
      signature
        == "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="
    )
  }

  @Test func `EX-14 a kept key signs as one that is taken in anew, SHA-512 as RFC 4231 says`() {
    // RFC 4231, test case 2.
    let key = Array("Jefe".utf8)
    let message = Array("what do ya want for nothing?".utf8)
    let tag = Digest.hmacSHA512(message, key: key)
    #expect(
      Hexadecimal.encode(tag)
        == "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
        + "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737")
    let signer = MessageSigner(key: key, .sha512)
    for _ in 0..<3 {
      #expect(signer.tag(message) == tag)
      #expect(signer.tag([]) == Digest.hmacSHA512([], key: key))
    }
  }

  @Test func `nonces grow, follow the clock and never reach an unsaved watermark`() {
    let seed = UInt64.random(in: .min ... .max)
    print("seed \(seed)")
    var random = SeededGenerator(seed: seed)
    var reserve = NonceReserve(saved: nil, span: 1_000)
    var now = Instant(milliseconds: 1_790_000_000_000)
    var last: UInt64 = 0
    var saved: UInt64 = 0
    for _ in 0..<20_000 {
      // The clock stands, goes on, and is set back at times.
      now = now + .microseconds(Int64.random(in: -300...400, using: &random))
      switch reserve.take(at: now) {
      case .nonce(let nonce):
        #expect(nonce > last && nonce < saved)
        last = nonce
      case .save(let watermark):
        #expect(watermark > saved)
        saved = watermark
        // A crash before it is saved: the next run begins at the old one.
        if Int.random(in: 0..<10, using: &random) == 0 {
          reserve = NonceReserve(saved: saved, span: 1_000)
        } else {
          reserve.saved(watermark)
        }
      }
    }
    #expect(last > 0)
  }

  @Test func `a restart with a clock that was set back begins at the watermark`() throws {
    let file = NonceFile(path: try TemporaryFolder().path + "/nonces")
    #expect(throws: NonceStoreError.self) { try file.save(1) }
    let folder = try TemporaryFolder()
    let kept = NonceFile(path: folder.path + "/nonces")
    #expect(try kept.load() == nil)
    try kept.save(1_790_000_000_000_000)
    try kept.save(1_790_000_060_000_000)
    var reserve = NonceReserve(saved: try kept.load())
    guard case .save(let watermark) = reserve.take(at: Instant(milliseconds: 1)) else {
      Issue.record("the watermark was passed")
      return
    }
    reserve.saved(watermark)
    #expect(reserve.take(at: Instant(milliseconds: 1)) == .nonce(1_790_000_060_000_000))
    try Data("12x".utf8).write(to: URL(fileURLWithPath: folder.path + "/nonces"))
    #expect(throws: NonceStoreError.self) { try kept.load() }
  }
}

@Suite struct `Kraken's refusals and limits` {
  @Test(arguments: [
    ("EAPI:Rate limit exceeded", RejectReason.rateLimit),
    ("EOrder:Rate limit exceeded", .rateLimit),
    ("EOrder:Insufficient funds", .insufficientBalance),
    ("EOrder:Order minimum not met", .minSize),
    ("EOrder:Cost minimum not met", .minNotional),
    ("EOrder:Tick size check failed", .pricePrecision),
    ("EOrder:Post only order", .wouldTakeLiquidity),
    ("EOrder:Unknown order", .unknownOrder),
    ("EQuery:Unknown asset pair", .invalidSymbol),
    ("EService:Market in cancel_only mode", .marketClosed),
    ("EService:Market in post_only mode", .marketClosed),
    ("EService:Deadline elapsed", .venueUnavailable),
    ("EGeneral:Invalid arguments:volume", .sizePrecision),
    ("EGeneral:Invalid arguments:cl_ord_id", .duplicateOrder),
    ("EGeneral:Invalid arguments", .invalidOrder),
    ("EGeneral:Permission denied", .venuePolicy),
    ("EAPI:Invalid nonce", .venueUnavailable),
  ])
  func `TST-01 an error text is a reason`(_ text: String, _ reason: RejectReason) {
    #expect(KrakenErrors.failure(status: 200, errors: [text]) == .definite(reason, text: text))
  }

  @Test(arguments: [
    "EService:Unavailable", "EService:Busy", "EService:Timeout", "EGeneral:Internal error",
  ])
  func `TST-01 a service that was away leaves the outcome open`(_ text: String) {
    #expect(KrakenErrors.failure(status: 200, errors: [text]) == .unknown(text))
    #expect(
      KrakenErrors.failure(status: 200, errors: ["EOrder:Unknown order", text])
        == .unknown("EOrder:Unknown order, \(text)"))
  }

  @Test func `TST-01 statuses without a text`() {
    for status in [500, 502, 503, 504, 520, 302] {
      #expect(KrakenErrors.failure(status: status, errors: []) == .unknown("status \(status)"))
    }
    #expect(
      KrakenErrors.failure(status: 429, errors: []) == .definite(.rateLimit, text: "status 429"))
    #expect(
      KrakenErrors.failure(status: 403, errors: []) == .definite(.venuePolicy, text: "status 403"))
  }

  @Test func `names of orders are free text of eighteen characters, or UUIDs`() {
    let taken = [
      "a", "0000000000001-4294", "6d1b345e-2821-40e2-ad83-4ecb18a06876",
      "da8e4ad59b78481c93e589746b0cf91f",
    ]
    let refused = [
      "", "0000000000001-42949", "6d1b345e-2821-40e2-ad83-4ecb18a0687", "with space",
      "6d1b345ex2821-40e2-ad83-4ecb18a06876", "da8e4ad59b78481c93e589746b0cf91g", "größe",
    ]
    for name in taken { #expect(KrakenOrderEntry.isNameTaken(name)) }
    for name in refused { #expect(!KrakenOrderEntry.isNameTaken(name)) }
  }

  @Test func `a pair's counter rises by what is done and falls with time`() {
    var settings = KrakenLimits.Settings()
    settings.ordersMax = 10_00
    settings.ordersDecay = 1_00
    var limits = KrakenLimits(settings)
    let start = Instant(milliseconds: 1_790_000_000_000)
    for number in 0..<10 {
      #expect(limits.takeOrder("o-\(number)", .add, of: "BTC/USD", at: start) == .granted)
    }
    guard case .wait = limits.takeOrder("o-10", .add, of: "BTC/USD", at: start) else {
      Issue.record("the eleventh order was let through")
      return
    }
    // Another pair has a counter of its own, and cancels are never held back.
    #expect(limits.takeOrder("e-1", .add, of: "ETH/USD", at: start) == .granted)
    let age = limits.age(of: "o-1", at: start + .seconds(3))
    #expect(age == .seconds(3))
    #expect(
      limits.takeOrder("o-1", .cancel(age: age), of: "BTC/USD", at: start + .seconds(3))
        == .granted)
    guard case .wait = limits.takeOrder("o-11", .add, of: "BTC/USD", at: start + .seconds(3)) else {
      Issue.record("a cancel cost nothing")
      return
    }
    #expect(limits.takeOrder("o-11", .add, of: "BTC/USD", at: start + .seconds(4)) == .granted)
  }

  @Test func `a young order's cancel costs more`() {
    let costs = [1, 6, 12, 30, 60, 200, 400].map {
      KrakenLimits.Change.cancel(age: .seconds($0)).cost
    }
    #expect(costs == [800, 600, 500, 400, 200, 100, 0])
    #expect(KrakenLimits.Change.amend(age: .seconds(1)).cost == 400)
    #expect(KrakenLimits.Change.amend(age: nil).cost == 100)
  }
}

@Suite struct `Kraken's account` {
  static let directory = InstrumentDirectory([
    .kraken("BTC/USD", priceScale: 1), .kraken("KAR/USD", 1, priceScale: 4),
    .kraken("ADX/USD", 2, priceScale: 5), .kraken("BTC/GBP", 3, priceScale: 1),
  ])

  private func update(_ row: String, _ sequence: Int) -> [UInt8] {
    Array(
      #"{"channel":"executions","type":"update","data":[\#(row)],"sequence":\#(sequence)}"#.utf8)
  }

  @Test func `an order's later messages are known by its first`() throws {
    let feed = KrakenAccountFeed(Self.directory, host: nil)
    let arrived = feed.read(
      update(
        #"{"order_id":"O1","symbol":"BTC/USD","cl_ord_id":"0000000000001-1","order_qty":2.0,"#
          + #""exec_type":"pending_new","order_status":"pending_new"}"#, 1))
    #expect(arrived.events.isEmpty && arrived.fault == nil)
    let new = feed.read(update(#"{"order_id":"O1","exec_type":"new","order_status":"new"}"#, 2))
    let part = feed.read(
      update(
        #"{"order_id":"O1","exec_type":"trade","order_status":"partially_filled","exec_id":"T1","#
          + #""last_qty":0.50000000,"last_price":60000.0,"liquidity_ind":"m","#
          + #""fees":[{"asset":"USD","qty":7.50000}],"timestamp":"2024-05-18T05:41:33.480251Z"}"#, 3
      ))
    let rest = feed.read(
      update(
        #"{"order_id":"O1","exec_type":"trade","order_status":"filled","exec_id":"T2","#
          + #""last_qty":1.50000000,"last_price":60000.1,"liquidity_ind":"t"}"#, 4))
    let reports = (new.events + part.events + rest.events).compactMap { event -> VenueReport? in
      if case .report(let report) = event { report } else { nil }
    }
    #expect(reports.map(\.status) == [.new, .partiallyFilled, .filled])
    #expect(Set(reports.map(\.clientOrderID)) == ["0000000000001-1"])
    #expect(reports.map(\.filledQuantity.raw) == [0, 50_000_000, 200_000_000])
    let fill = try #require(reports[1].fill)
    #expect(fill.executionID == "T1" && fill.price == Price(600_000) && fill.isMaker)
    #expect(fill.fee == Decimal(units: 75, scale: 1) && fill.feeAsset == "USD")
    #expect(fill.exchangeTime == Instant(rfc3339: "2024-05-18T05:41:33.480251Z"))
    #expect(rest.wishes == [.askBalances])
  }

  @Test func `a cancel for post-only has its reason`() throws {
    let feed = KrakenAccountFeed(Self.directory, host: nil)
    let output = feed.read(
      update(
        #"{"order_id":"O2","symbol":"BTC/USD","cl_ord_id":"x","exec_type":"canceled","#
          + #""order_status":"canceled","cum_qty":0.00000000,"reason":"Post only order"}"#, 1))
    guard case .report(let report) = output.events.first else {
      Issue.record("no report: \(output)")
      return
    }
    #expect(report.status == .cancelled && report.rejectReason == .wouldTakeLiquidity)
  }

  @Test func `a hole in the numbers, a refusal and nonsense end the connection`() {
    let feed = KrakenAccountFeed(Self.directory, host: nil)
    let row = #"{"order_id":"O9","exec_type":"new","order_status":"new"}"#
    #expect(feed.read(update(row, 7)).fault == nil)
    #expect(feed.read(update(row, 9)).fault != nil)
    #expect(
      feed.read(
        Array(
          #"{"method":"subscribe","success":false,"error":"EGeneral:Permission denied"}"#.utf8)
      ).fault?.text.contains("Permission denied") == true)
    #expect(feed.read(Array("{".utf8)).fault != nil)
    #expect(feed.read(Array(#"{"channel":"heartbeat"}"#.utf8)).fault == nil)
  }

  @Test(.enabled(if: RecordedData.isPresent("private"), "no recorded data beside the package"))
  func `messages that others have collected are read`() throws {
    let path = try #require(RecordedData.path("private/kraken_async_rs_messages.jsonl"))
    let data = try #require(FileManager.default.contents(atPath: path))
    var reports = 0
    var balances = 0
    for line in data.split(separator: UInt8(ascii: "\n")) {
      let text = try JSONDocument(parsing: Array(line)).root.string("text")
      guard let root = try? JSONDocument(parsing: text).root,
        let channel = root["channel"]?.string
      else { continue }
      let feed = KrakenAccountFeed(Self.directory, host: nil)
      let output = feed.read(Array(text.utf8))
      #expect(output.fault == nil, "\(text)")
      reports += output.events.count
      if channel == "balances" {
        balances += 1
        #expect(output.wishes == [.askBalances])
      }
    }
    print("\(reports) reports and \(balances) balance messages read")
    #expect(reports > 0 && balances >= 3)
  }

  @Test(.enabled(if: RecordedData.isPresent("private"), "no recorded data beside the package"))
  func `answers that others have collected are read`() throws {
    let reports = KrakenReports(Self.directory)
    let open = try reports.orders(try fixture("Trading/GetOpenOrders").member("open")).rows
    let closed = try reports.orders(try fixture("Trading/GetClosedOrders").member("closed")).rows
    let queried = try reports.orders(try fixture("Trading/GetOrders")).rows
    let fills = try reports.fills(try fixture("Trading/GetUserTrades").member("trades")).rows
    let balances = try reports.balances(try fixture("Account/GetAvailableBalances"))

    #expect(!open.isEmpty && open.allSatisfy { !$0.status.isTerminal })
    #expect(open.contains { $0.status == .partiallyFilled })
    #expect(!closed.isEmpty && closed.allSatisfy { $0.status.isTerminal })
    #expect(queried.map(\.status) == [.filled, .filled])
    #expect(
      !fills.isEmpty && fills.map(\.fill.exchangeTime) == fills.map(\.fill.exchangeTime).sorted())
    #expect(Set(balances.map(\.asset)) == ["USD", "BTC"])
    print("\(open.count) open, \(closed.count) closed, \(fills.count) fills read")
  }

  /// The `result` of a file: method, path, whether it is signed, and then the answer.
  private func fixture(_ name: String) throws -> JSONValue {
    let path = try #require(
      RecordedData.path("private/kraken_net/Endpoints/Spot/\(name).txt"))
    let data = try #require(FileManager.default.contents(atPath: path))
    var lines = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    lines.removeFirst(3)
    return try JSONDocument(parsing: Array(lines.joined(separator: [UInt8(ascii: "\n")]))).root
      .member("result")
  }
}

extension KrakenAccountFeed {
  fileprivate func read(_ frame: [UInt8]) -> PrivateOutput {
    var output = PrivateOutput()
    receive(frame, at: Uptime(nanoseconds: 0), &output)
    return output
  }
}
