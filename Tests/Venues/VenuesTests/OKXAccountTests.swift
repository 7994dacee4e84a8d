import Chrono
import JSON
import Security
import TestKit
import Testing
import Transport
import Units
import Venue

@testable import Venues

@Suite struct `OKX private side` {
  private static let lifecycle = "private/okx_demo_orders_lifecycle_20260912.jsonl"
  private static let fixtures = "private/okx_net"

  /// The bodies were computed with OpenSSL's command line from the inputs in OKX's documentation;
  /// the secret is the one that its examples had.
  @Test func `EX-14 signatures are those of an independent tool`() {
    let signer = OKXSigner(
      apiKey: "k", secret: Array("22582BD0CFF14C41EDBF1AB98506286D".utf8), passphrase: "p")
    let time = "2020-12-08T09:08:57.715Z"
    #expect(
      signer.signature(time, "GET", "/api/v5/account/balance?ccy=BTC")
        == "HiZhvSfMtWJA3uUIVXV3a/bSXNPCWvYFXoGCVS8V4zY=")
    let body = #"{"instId":"BTC-USDT","lever":"5","mgnMode":"isolated"}"#
    #expect(
      signer.signature(time, "POST", "/api/v5/account/set-leverage", Array(body.utf8))
        == "eCnnCgWLjlQ9XnpUkrcny3qNq3WW/81KNrDr/XR6Xv8=")
    let headers = signer.headers(
      "GET", "/api/v5/account/balance?ccy=BTC", [], at: Instant(milliseconds: 1_607_418_537_715))
    #expect(headers.first("ok-access-timestamp") == time)
    #expect(
      headers.first("ok-access-sign") == "HiZhvSfMtWJA3uUIVXV3a/bSXNPCWvYFXoGCVS8V4zY=")
    #expect(headers.first("ok-access-key") == "k" && headers.first("ok-access-passphrase") == "p")
    let login = String(
      decoding: signer.login(at: Instant(milliseconds: 1_538_054_050_975)), as: UTF8.self)
    #expect(login.contains(#""timestamp":"1538054050""#))
    #expect(login.contains("+LdIr8lkkvhr5hoA3g9TMC0+uQJ849ftAcocA/ouu4M="))
  }

  @Test func `child order ids go to the venue's spelling and back, others are refused`() throws {
    for name in [
      "06AJRZ8400000-1", "06AJRZ8400000-9", "06AJRZ8400000-10", "FZZZZZZZZZZZZ-4294967295",
    ] {
      let spelled = try OKXClientID.spelled(name)
      #expect(spelled.utf8.count <= 32 && !spelled.contains("-"))
      #expect(OKXClientID.parsed(spelled) == name)
    }
    for name in [
      "", "order-1", "0123456789ABC", "0123456789ABC-", "0123456789ABC-01", "0123456789ABC-0",
      "0123456789ABU-1", "0123456789abc-1", "0123456789ABC-4294967296", "0123456789ABC1",
      "0123456789ABC-1-2", "0123456789ABC-+1",
    ] {
      #expect(throws: VenueError.self, "\(name)") { try OKXClientID.spelled(name) }
    }
    for text in ["", "manual", "0123456789ABC", "0123456789ABC01", "0123456789ABCx1"] {
      #expect(OKXClientID.parsed(text) == text)
    }
  }

  @Test(arguments: [
    ("51008", RejectReason.insufficientBalance), ("51131", .insufficientBalance),
    ("51000", .invalidOrder), ("51001", .invalidSymbol), ("51004", .positionLimit),
    ("51006", .priceBands), ("51016", .duplicateOrder), ("51020", .minSize),
    ("51121", .sizePrecision), ("51137", .priceBands), ("51202", .maxSize),
    ("51400", .unknownOrder), ("51503", .unknownOrder), ("51603", .unknownOrder),
    ("51028", .marketClosed), ("50011", .rateLimit), ("50061", .rateLimit), ("50013", .overloaded),
    ("50102", .venueUnavailable), ("50113", .venuePolicy), ("50014", .invalidOrder),
  ])
  func `error codes have reasons of ours`(code: String, reason: RejectReason) {
    #expect(
      OKXErrors.failure(status: 200, code: code, text: "t")
        == .definite(reason, text: "\(code): t"))
  }

  @Test func `what the venue does not know is unknown, never a rejection`() {
    for code in ["50001", "50004", "50026", "51149"] {
      #expect(
        OKXErrors.failure(status: 200, code: code, text: "t") == .unknown("\(code): t"))
    }
    // Whatever a broken gateway says.
    #expect(OKXErrors.failure(status: 503, code: "51008", text: "t") == .unknown("51008: t"))
    #expect(OKXErrors.failure(status: 502, code: "", text: "") == .unknown("status 502"))
    #expect(
      OKXErrors.failure(status: 429, code: "", text: "")
        == .definite(.rateLimit, text: "status 429"))
    #expect(OKXErrors.failure(status: 302, code: "", text: "") == .unknown("status 302"))
  }

  private func reports(_ names: (String, UInt8, UInt8)...) -> OKXReports {
    OKXReports(
      InstrumentDirectory(
        names.enumerated().map { OKXFixture.instrument($1.0, Int32($0), $1.1, $1.2) }))
  }

  @Test(.enabled(if: RecordedData.isPresent(lifecycle), "recorded data is absent"))
  func `recorded private frames: the fill ties to the balances to the last digit`() throws {
    let reports = reports(("BTC-EUR", 1, 8))
    var heard: [VenueReport] = []
    var balances: [String: Decimal] = [:]
    var before: [String: Decimal] = [:]
    for line in try RecordedData.read(Self.lifecycle).split(separator: UInt8(ascii: "\n")) {
      let json = try JSONDocument(parsing: Array(line)).root
      if json["channel"]?.string == "orders" {
        heard.append(try #require(try reports.channelOrder(json.member("data"))))
      } else {
        for balance in try json.member("data").array("balData") {
          balances[try balance.string("ccy")] = try Decimal(parsing: balance.string("cashBal"))
        }
        if before.isEmpty { before = balances }
      }
    }

    #expect(
      heard.map(\.status) == [.new, .new, .cancelled, .new, .new, .new, .filled])
    #expect(heard.dropLast().allSatisfy { $0.fill == nil })
    let fill = try #require(heard.last?.fill)
    #expect(fill.executionID == "1356365" && !fill.isMaker && fill.feeAsset == "BTC")
    #expect(fill.fee == Decimal(units: 7, scale: 7))
    let bought = Decimal(units: fill.quantity.raw, scale: 8)
    let paid = Decimal(units: fill.price.raw * fill.quantity.raw, scale: 9)
    #expect(try #require(before["BTC"]).adding(bought).subtracting(fill.fee) == balances["BTC"])
    #expect(try #require(before["EUR"]).subtracting(paid) == balances["EUR"])
    print(
      "OKX lifecycle: \(heard.count) order frames, BTC \(balances["BTC"]!), EUR \(balances["EUR"]!)"
    )
  }

  /// The body after the three lines of a fixture.
  private func body(_ name: String) throws -> [UInt8] {
    let lines = try RecordedData.read("\(Self.fixtures)/Endpoints/UnifiedApi/\(name).txt").split(
      separator: UInt8(ascii: "\n"), maxSplits: 3, omittingEmptySubsequences: false)
    return Array(lines[3])
  }

  @Test(.enabled(if: RecordedData.isPresent(fixtures), "recorded data is absent"))
  func `answers about orders, fills and balances are read to the last digit`() throws {
    let reports = reports(("BTC-USDT", 1, 8))
    let order = try #require(try reports.orders(body("Trading/GetOrderDetails")).list.rows.first)
    #expect(order.status == .filled && order.filledQuantity == Quantity(192_834))
    #expect(order.venueOrderID == "680800019749904384" && order.clientOrderID.isEmpty)
    let open = try #require(try reports.orders(body("Trading/GetOrders")).list.rows.first)
    #expect(open.status == .new && open.filledQuantity == .zero)
    let page = try reports.fills(body("Trading/GetUserTrades"))
    let fill = try #require(page.list.rows.first?.fill)
    #expect(page.count == 1 && page.last == "680800019754098688")
    #expect(fill.executionID == "744876980" && fill.price == Price(518_580))
    #expect(fill.fee == Decimal(units: 192_834, scale: 11) && fill.feeAsset == "BTC")
    let balances = try reports.balances(
      JSONDocument(parsing: body("Account/GetAccountBalance")).root.array("data"))
    #expect(
      balances == [
        VenueBalance(
          asset: "USDT", free: try Decimal(parsing: "4834.317093622894"),
          locked: try Decimal(parsing: "158.573"))
      ])
  }

  @Test func `the reasons of a cancel tell expired and refused orders apart`() throws {
    let reports = reports(("BTC-USDT", 1, 8))
    func report(_ state: String, _ source: String) throws -> VenueReport? {
      let json = """
        {"instId":"BTC-USDT","clOrdId":"0123456789ABC7","ordId":"1","state":"\(state)",\
        "cancelSource":"\(source)","accFillSz":"0.5","uTime":"1790000000000"}
        """
      return try reports.order(JSONDocument(parsing: json).root)
    }
    #expect(try report("canceled", "14")?.status == .expired)
    #expect(try report("canceled", "13")?.status == .expired)
    #expect(try report("canceled", "1")?.status == .cancelled)
    #expect(try report("mmp_canceled", "")?.status == .cancelled)
    let refused = try #require(try report("canceled", "31"))
    #expect(refused.status == .rejected && refused.rejectReason == .wouldTakeLiquidity)
    #expect(refused.clientOrderID == "0123456789ABC-7")
    #expect(try report("partially_filled", "")?.filledQuantity == Quantity(50_000_000))
    #expect(throws: JSONError.self) { try report("melted", "") }
  }

  @Test func `a balance with more digits than fit is cut, never rounded up`() throws {
    let json = """
      [{"details":[{"ccy":"USDT","availBal":"1234567890.99999999999999999999","frozenBal":""}]}]
      """
    let balances = try reports(("BTC-USDT", 1, 8)).balances(
      #require(try JSONDocument(parsing: json).root.array))
    #expect(balances.first?.free.description == "1234567890.999999999")
    #expect(balances.first?.locked == .zero)
  }
}
