import Calls
import Contracts
import Testing
import Transcoding
import Units
import Wire

private func text(_ message: some Message) throws -> String {
  String(
    decoding: try JSONCodec.encode(type(of: message).typeName, message.encoded()), as: UTF8.self)
}

private func read<M: Message>(_: M.Type, _ json: String) throws -> M {
  try M(decoding: JSONCodec.decode(M.typeName, Array(json.utf8)))
}

/// The field and problem of a refusal.
private func refusal(_ type: String, _ json: String) -> String {
  do {
    _ = try JSONCodec.decode(type, Array(json.utf8))
    return "accepted"
  } catch {
    guard case .badRequest(let violations)? = error.details.first, error.code == .invalidArgument
    else {
      return "\(error)"
    }
    return "\(violations[0].field): \(violations[0].problem)"
  }
}

private let order = "shrivenquant.oms.v1.Order"

@Suite struct `JSON codec` {
  @Test func `GWY-01 an order is written as proto3 JSON has it`() throws {
    var order = OmsV1.Order()
    order.orderId = "o-1"
    order.side = .buy
    order.price = TypeV1.Decimal(try Decimal(parsing: "50123.50"))
    order.createdAt = .with {
      $0.seconds = 1_769_903_999
      $0.nanos = 123_000_000
    }

    let json = try text(order)

    #expect(json.hasPrefix(#"{"orderId":"o-1","clientOrderId":"","account":"""#))
    #expect(json.contains(#""side":"BUY","type":"ORDER_TYPE_UNSPECIFIED""#))
    #expect(json.contains(#""price":"50123.50""#))
    #expect(!json.contains("filledQuantity"))
    #expect(json.contains(#""createdAt":"2026-01-31T23:59:59.123Z","version":0"#))
  }

  @Test func `both spellings are read, numbers as text or digits`() throws {
    let left = try read(
      OmsV1.Execution.self,
      #"{"executionId":"e","order_id":"o","price":"0.10","quantity":2,"sequence":"18446744073709551615"}"#
    )
    let right = try read(
      OmsV1.Execution.self,
      #"{"execution_id":"e","orderId":"o","price":0.10,"quantity":"2","sequence":18446744073709551615}"#
    )

    #expect(left == right)
    #expect(left.sequence == .max)
    #expect(left.price?.units == 10 && left.price?.scale == 2)
  }

  @Test func `a message comes back from its own JSON`() throws {
    var event = OmsV1.OrderEvent()
    event.sequence = 9_007_199_254_740_993
    event.kind = .fill
    event.text = "naïve \"quotes\" \u{1F4B9} \n"
    event.order = .with {
      $0.side = .sell
      $0.quantity = .with { $0.units = -5 }
      $0.rejectReason = .unrecognized(0)
    }
    event.order?.rejectReason = .killSwitch
    event.time = .with { $0.seconds = -1 }

    #expect(try read(OmsV1.OrderEvent.self, text(event)) == event)
  }

  @Test(arguments: [
    (order, #"{"pric":"1"}"#, "pric: is not a field of shrivenquant.oms.v1.Order"),
    (order, #"{"price":"1e3"}"#, "price: is not a plain decimal number such as 50123.50"),
    (order, #"{"price":1e3}"#, "price: is not a plain decimal number such as 50123.50"),
    (order, #"{"price":"NaN"}"#, "price: is not a plain decimal number such as 50123.50"),
    (order, #"{"price":{"units":"1"}}"#, "price: is not a decimal string such as \"50123.50\""),
    (
      order, #"{"price":"0.1234567890123456789"}"#,
      "price: has more digits than fit (18 after the point, 64 bits in all)"
    ),
    (order, #"{"side":"HOLD"}"#, "side: is not a value of shrivenquant.type.v1.Side"),
    (order, #"{"side":7}"#, "side: is not a value of shrivenquant.type.v1.Side"),
    (order, #"{"orderId":1}"#, "orderId: is a number, not a string"),
    (order, #"{"version":-1}"#, "version: is not an unsigned 32-bit integer"),
    (order, #"{"version":4294967296}"#, "version: is not an unsigned 32-bit integer"),
    (order, #"{"version":"01"}"#, "version: is not an unsigned 32-bit integer"),
    (order, #"{"version":1.5}"#, "version: is not an unsigned 32-bit integer"),
    (order, #"{"orderId":"a","order_id":"b"}"#, "orderId: is given twice"),
    (order, #"{"orderId":"a","orderId":"a"}"#, "orderId: is given twice"),
    (
      order, #"{"createdAt":"2026-02-29T00:00:00Z"}"#,
      "createdAt: is not an RFC 3339 time such as 2026-01-31T23:59:59.5Z"
    ),
    (order, #"[]"#, "body: is an array, not an object"),
    (
      "shrivenquant.oms.v1.OrderEvent", #"{"order":{"price":"x"}}"#,
      "order.price: is not a plain decimal number such as 50123.50"
    ),
    (
      "shrivenquant.oms.v1.ListOrdersResponse", #"{"orders":[{},{"side":"X"}]}"#,
      "orders[1].side: is not a value of shrivenquant.type.v1.Side"
    ),
    (
      "shrivenquant.oms.v1.ListOrdersResponse", #"{"orders":[null]}"#, "orders[0]: is null"
    ),
  ])
  func `what does not fit is refused with its path`(type: String, json: String, problem: String) {
    #expect(refusal(type, json) == problem)
  }

  @Test func `malformed JSON names the byte`() {
    #expect(refusal(order, "{").hasPrefix("body: is not JSON: "))
    #expect(refusal(order, #"{"orderId":"\#u{0}"}"#).hasPrefix("body: is not JSON: "))
    #expect(refusal(order, String(repeating: "[", count: 200)).hasPrefix("body: is not JSON: "))
  }

  @Test func `null is a field's default`() throws {
    let read = try read(OmsV1.Order.self, #"{"orderId":null,"price":null,"side":null}"#)

    #expect(read == OmsV1.Order())
  }

  @Test(arguments: [
    ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z"),
    ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500Z"),
    ("2024-02-29T12:00:00.000001+01:30", "2024-02-29T10:30:00.000001Z"),
    ("1972-06-30T23:59:59-00:00", "1972-06-30T23:59:59Z"),
  ])
  func `times are read and written in UTC`(written: String, shown: String) throws {
    let json = "\"\(written)\""
    let bytes = try JSONCodec.decode("google.protobuf.Timestamp", Array(json.utf8))

    let back = try JSONCodec.encode("google.protobuf.Timestamp", bytes)

    #expect(String(decoding: back, as: UTF8.self) == "\"\(shown)\"")
  }

  @Test(arguments: [
    "0000-12-31T23:59:59Z", "10000-01-01T00:00:00Z", "2026-01-31", "2026-13-01T00:00:00Z",
    "2026-01-31T24:00:00Z", "2026-01-31T23:59:60Z", "2026-01-31T23:59:59", "2026-01-31 23:59:59Z",
    "2026-01-31T23:59:59.Z", "2026-01-31T23:59:59.1234567890Z", "2026-01-31T23:59:59+0100", "null",
    "0001-01-01T00:00:00+00:01",
  ])
  func `texts that are no times are refused`(text: String) {
    #expect(refusal("google.protobuf.Timestamp", "\"\(text)\"").contains("RFC 3339"))
  }

  @Test(arguments: ["0s", "1.500s", "-0.250s", "315576000000s", "0.000000001s"])
  func `durations come back as they went`(text: String) throws {
    let bytes = try JSONCodec.decode("google.protobuf.Duration", Array("\"\(text)\"".utf8))
    let back = try JSONCodec.encode("google.protobuf.Duration", bytes)

    #expect(String(decoding: back, as: UTF8.self) == "\"\(text)\"")
  }

  @Test func `wrappers, masks, maps and any have their own JSON`() throws {
    #expect(try text(GoogleProtobuf.StringValue.with { $0.value = "x" }) == #""x""#)
    #expect(try text(GoogleProtobuf.Int64Value()) == #""0""#)
    let mask = try read(GoogleProtobuf.FieldMask.self, #""orderId,price.units""#)
    #expect(mask.paths == ["order_id", "price.units"])
    #expect(try text(mask) == #""orderId,price.units""#)
    let info = GoogleRpc.ErrorInfo.with {
      $0.reason = "R"
      $0.metadata = ["b": "2", "a": ""]
    }
    #expect(try text(info) == #"{"reason":"R","domain":"","metadata":{"a":"","b":"2"}}"#)
    #expect(try read(GoogleRpc.ErrorInfo.self, text(info)) == info)
    let status = GoogleRpc.Status.with { status in
      status.details = [
        .with {
          $0.typeUrl = "type.googleapis.com/google.rpc.ErrorInfo"
          $0.value = info.encoded()
        },
        .with {
          $0.typeUrl = "type.googleapis.com/google.protobuf.Duration"
          $0.value = GoogleProtobuf.Duration.with { $0.seconds = 3 }.encoded()
        },
      ]
    }
    #expect(
      try text(status).contains(
        #"{"@type":"type.googleapis.com/google.protobuf.Duration","value":"3s"}"#))
    #expect(try read(GoogleRpc.Status.self, text(status)) == status)
  }

  @Test func `two members of a oneof are refused`() {
    let json = #"{"acknowledged":{},"unknown":{}}"#

    #expect(
      refusal("shrivenquant.market.v1.VenueOrderOutcome", json)
        == "unknown: excludes acknowledged, which is given too")
  }

  @Test func `pretty JSON is the same JSON`() throws {
    let bytes = OmsV1.ListOrdersResponse.with {
      $0.orders = [.with { $0.orderId = #"{"a":[1,2]}, \"# }]
    }.encoded()
    let pretty = try JSONCodec.encode("shrivenquant.oms.v1.ListOrdersResponse", bytes, pretty: true)

    #expect(
      String(decoding: pretty, as: UTF8.self).hasPrefix(
        "{\n  \"orders\": [\n    {\n      \"orderId\""))
    #expect(try JSONCodec.decode("shrivenquant.oms.v1.ListOrdersResponse", pretty) == bytes)
  }
}
