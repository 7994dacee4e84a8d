import JSON
import Testing

private func error(_ text: String, limits: JSONLimits = .standard) -> String? {
  do {
    _ = try JSONDocument(parsing: text, limits: limits)
    return nil
  } catch {
    return error.description
  }
}

@Suite struct `JSON document` {
  @Test func `numbers keep the text they were written with`() throws {
    let document = try JSONDocument(parsing: #"{"price": 50123.50, "size": 1e-3, "id": -0}"#)

    #expect(document["price"]?.numberText == "50123.50")
    #expect(document["size"]?.numberText == "1e-3")
    #expect(document["id"]?.int64 == 0)
    #expect(document["price"]?.int64 == nil)
    #expect(document["price"]?.double == 50123.5)
    #expect(document["absent"] == nil)
  }

  @Test func `an exchange's book is read row by row`() throws {
    let document = try JSONDocument(
      parsing: #"{"lastUpdateId":160,"bids":[["0.0024","10"],["0.0022","5"]],"asks":[]}"#)

    let bids = try document.root.array("bids")
    let rows = try bids.map { row in
      (try row.element(0).string ?? "", try row.element(1).string ?? "")
    }

    #expect(try document.root.int64("lastUpdateId") == 160)
    #expect(rows.map(\.0) == ["0.0024", "0.0022"])
    #expect(rows.map(\.1) == ["10", "5"])
    #expect(try document.root.array("asks").isEmpty)
    #expect(bids[1]?[1]?.string == "5")
    #expect(bids[2] == nil)
  }

  @Test func `strings are unescaped, names too`() throws {
    let document = try JSONDocument(
      parsing: #"{"a\u0062c": "tab\t quote\" slash\/ \u00e9 \ud83d\ude00 \\ \b\f\n\r", "é": "😀"}"#)

    #expect(document["abc"]?.string == "tab\t quote\" slash/ é 😀 \\ \u{8}\u{c}\n\r")
    #expect(document["é"]?.isString("😀") == true)
    #expect(document["é"]?.isString("x") == false)
    #expect(document.root.object?.map(\.name) == ["abc", "é"])
  }

  @Test func `a name that stands twice is found first, iterated twice, and told`() throws {
    let document = try JSONDocument(parsing: #"{"a":1,"b":{"x":[1,{}]},"\u0061":2}"#)
    let object = try #require(document.root.object)

    #expect(object.duplicateName == "a")
    #expect(object["a"]?.int64 == 1)
    #expect(object.map { $0.value.description } == ["1", #"{"x":[1,{}]}"#, "2"])
    #expect(try JSONDocument(parsing: #"{"a":1,"b":2}"#).root.object?.duplicateName == nil)
  }

  @Test func `integers are read only when they are exact and fit`() throws {
    let document = try JSONDocument(
      parsing: """
        [9223372036854775807, 9223372036854775808, -9223372036854775808, -9223372036854775809,
         18446744073709551615, 18446744073709551616, 1.0, 1e2, -1, 123456789012345678901234567890]
        """)
    let values = try #require(document.root.array).map { $0 }

    #expect(values.map(\.int64) == [.max, nil, .min, nil, nil, nil, nil, nil, -1, nil])
    #expect(
      values.map(\.uint64) == [
        9_223_372_036_854_775_807, 9_223_372_036_854_775_808, nil, nil, .max, nil, nil, nil, nil,
        nil,
      ])
    #expect(values[9].numberText == "123456789012345678901234567890")
    #expect(values[7].double == 100)
  }

  @Test func `what is wrong is told with the byte where it is`() {
    #expect(error("") == "nothing but white space at byte 0")
    #expect(error("[1,]") == "a value was expected at byte 3")
    #expect(error(#"{"a":1,}"#) == "a member name was expected at byte 7")
    #expect(error(#"{"a" 1}"#) == "a colon was expected at byte 5")
    #expect(error("[1 2]") == "a comma or the closing bracket was expected at byte 3")
    #expect(error("[1] x") == "more text after the value at byte 4")
    #expect(error("[1") == "unfinished text at byte 2")
    #expect(error("[01]") == "invalid number at byte 2")
    #expect(error("[1\"a\"]") == "invalid number at byte 2")
    #expect(error("[NaN]") == "a value was expected at byte 1")
    #expect(error("[tru]") == "unknown word at byte 1")
    #expect(error(#"["a\x"]"#) == "invalid escape at byte 3")
    #expect(error(#"["\ud800"]"#) == "invalid escape at byte 2")
    #expect(error("[\"a") == "string without end at byte 1")
    #expect(error("[\"a\u{1}\"]") == "control character in a string at byte 3")
    #expect(error("\u{feff}[]") == "a value was expected at byte 0")
  }

  @Test func `bytes that are not UTF-8 are refused where they begin to be wrong`() {
    for (bad, offset) in [
      ([0xff] as [UInt8], 2), ([0xc0, 0xaf], 2), ([0xed, 0xa0, 0x80], 2), ([0x61, 0xe2, 0x82], 3),
    ] {
      let bytes = [UInt8(ascii: "["), UInt8(ascii: "\"")] + bad + Array("\"]".utf8)
      #expect(throws: JSONError.malformed("invalid UTF-8", offset: offset)) {
        try JSONDocument(parsing: bytes)
      }
    }
  }

  @Test func `depth and length are limited`() {
    let limits = JSONLimits(bytesMax: 20, depthMax: 3)

    #expect(error("[[[1]]]", limits: limits) == nil)
    #expect(error("[[[[1]]]]", limits: limits) == "nested too deeply at byte 3")
    #expect(
      error("[\"0123456789012345678\"]", limits: limits) == "text longer than 20 bytes at byte 20")
    #expect(error(String(repeating: "[", count: 100_000)) == "nested too deeply at byte 64")
  }

  @Test func `reading what is not there names it`() throws {
    let root = try JSONDocument(parsing: #"{"price":"1.5","rows":[1]}"#).root

    #expect(throws: JSONError.unexpected("size is missing")) { try root.string("size") }
    #expect(throws: JSONError.unexpected("price is a string, not an array")) {
      try root.array("price")
    }
    #expect(throws: JSONError.unexpected("an array of 1 has no element 1")) {
      try root.member("rows").element(1)
    }
    #expect(try root.stringOrNumberText("price") == "1.5")
  }

  @Test func `bytes at random never crash, and what is accepted can be read`() {
    var generator = Seeded(state: 42)
    let alphabet =
      Array(#"{}[]",:\u0123456789abcdefntrls-+.eE "#.utf8) + [0x0a, 0xc3, 0xa9, 0xff, 0]
    for _ in 0..<20_000 {
      let count = Int.random(in: 0...40, using: &generator)
      let bytes = (0..<count).map { _ in alphabet.randomElement(using: &generator)! }
      if let document = try? JSONDocument(parsing: bytes) { touch(document.root) }
    }
  }

  @Test func `a text with bytes changed at random never crashes`() {
    var generator = Seeded(state: 7)
    let text = Array(
      #"{"e":"depthUpdate","b":[["0.10","1e5"],["\u00e9\ud83d\ude00",null]],"t":true}"#.utf8)
    for _ in 0..<20_000 {
      var bytes = text
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(
          in: 0...255, using: &generator)
      }
      if let document = try? JSONDocument(parsing: bytes) { touch(document.root) }
    }
  }
}

/// SplitMix64, so that a failure repeats.
struct Seeded: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
