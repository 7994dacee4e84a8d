import Testing

@testable import JSON

@Suite struct `Decimals of a text` {
  private func value(_ json: String) throws -> JSONValue { try JSONDocument(parsing: json).root }

  @Test(
    arguments: [
      (#""61737.63000000""#, 2, 6_173_763), (#""0.00000100""#, 8, 100), ("63388.7", 1, 633_887),
      ("0", 5, 0), ("-1.5", 1, -15), (#""7""#, 3, 7_000), (#""0.10""#, 1, 1),
      (#""9223372036854775807""#, 0, .max), (#""922337203685477580.7""#, 1, .max),
    ] as [(String, UInt8, Int64)])
  func `are integers of a scale`(json: String, scale: UInt8, expected: Int64) throws {
    #expect(try value(json).scaled(scale) == expected)
  }

  @Test(
    arguments: [
      (#""1.234""#, 2), (#""""#, 2), (#"".5""#, 2), (#""5.""#, 2), (#""1e5""#, 2), ("1e5", 2),
      (#""+1""#, 2), (#""-""#, 2), (#""1.2.3""#, 4), (#""1 ""#, 2), (#""0x1""#, 2), ("null", 2),
      ("true", 0), ("[]", 0), (#""9223372036854775808""#, 0), (#""92233720368547758.08""#, 3),
      (#""99999999999999999999999999""#, 0),
      (#""1.0000000000000000000000000000000000000000000""#, 1),
    ] as [(String, UInt8)])
  func `what is none, is too fine or too large is nil`(json: String, scale: UInt8) throws {
    #expect(try value(json).scaled(scale) == nil)
  }

  @Test func `rows come as pairs, from arrays and from objects`() throws {
    var pairs = JSONScaledPairs(capacity: 1)

    try pairs.read(
      value(#"[["1.5","2","0","4"],["3","0.25"]]"#).array!, .arrays, scales: 1, 2)
    #expect(pairs.count == 2)
    #expect(
      [pairs.first(0), pairs.second(0), pairs.first(1), pairs.second(1)] == [15, 200, 30, 25])

    try pairs.read(
      value(#"[{"qty":0.5,"price":10.0},{"price":11,"x":[1],"qty":0}]"#).array!,
      .objects("price", "qty"), scales: 0, 1)
    #expect([pairs.first(0), pairs.second(0), pairs.first(1), pairs.second(1)] == [10, 5, 11, 0])
  }

  @Test(arguments: [
    #"[["1","2"],["1"]]"#, #"[["1","2"],["1.234","2"]]"#, #"[["1","2"],{"a":"1"}]"#,
    #"[["1","2"],"1"]"#, #"[["1","2"],["1",null]]"#,
  ])
  func `a row that is no pair is named`(json: String) throws {
    var pairs = JSONScaledPairs()

    let error = #expect(throws: JSONError.self) {
      try pairs.read(value(json).array!, .arrays, scales: 2, 2)
    }
    #expect("\(error!)".contains("row 1"))
    #expect(pairs.count == 0)
  }

  @Test func `a reader reads on into the same memory unless a value is kept`() throws {
    var reader = JSONReader()

    #expect(try reader.parse(Array("[1,2,3]".utf8)).array?.count == 3)
    let kept = try reader.parse(Array(#"{"a":"kept"}"#.utf8))
    #expect(throws: JSONError.self) { try reader.parse(Array("[1,".utf8)) }
    #expect(try reader.parse(Array("[4]".utf8))[0]?.int64 == 4)
    #expect(kept["a"]?.string == "kept")
  }
}
