import Testing
import Units

@Suite struct `Decimals` {
  @Test(arguments: [
    ("0", 0, 0), ("-0", 0, 0), ("50123.50", 5_012_350, 2), ("-0.001", -1, 3), ("007.5", 75, 1),
    ("9223372036854775807", Int64.max, 0), ("-9223372036854775808", Int64.min, 0),
    ("0.000000000000000001", 1, 18), ("9.223372036854775807", Int64.max, 18),
  ])
  func `plain numbers are read digit by digit`(text: String, units: Int64, scale: UInt8) throws {
    let decimal = try Decimal(parsing: text)

    #expect(decimal.units == units)
    #expect(decimal.scale == scale)
  }

  @Test(arguments: [
    "", "-", "+", ".", "-.", ".5", "5.", "-5.", "1e5", "1E5", "NaN", "nan", "inf", "-inf",
    "Infinity", "0x10", "1,000", "1 ", " 1", "1_000", "--1", "1-", "1.2.3", "١", "1\u{0}", "+1",
  ])
  func `RSK-33 nothing but a plain number is a number`(text: String) {
    #expect(throws: DecimalError.notADecimal) { try Decimal(parsing: text) }
  }

  @Test(arguments: [
    "9223372036854775808", "-9223372036854775809", "0.0000000000000000001",
    "1.0000000000000000000", "99999999999999999999", "10.000000000000000000",
  ])
  func `RSK-33 digits that do not fit are refused, never rounded`(text: String) {
    #expect(throws: DecimalError.tooManyDigits) { try Decimal(parsing: text) }
  }

  @Test func `a wire scale over 18 is refused`() {
    #expect(throws: DecimalError.tooManyDigits) { try Decimal(checking: 1, scale: 19) }
    #expect(throws: DecimalError.tooManyDigits) { try Decimal(checking: 1, scale: .max) }
  }

  @Test func `equality, order and hash follow the value, not the spelling`() throws {
    let (short, long) = (try Decimal(parsing: "1.5"), try Decimal(parsing: "1.500"))

    #expect(short == long)
    #expect(Set([short, long]).count == 1)
    #expect(try Decimal(parsing: "-2") < short)
    #expect(Decimal(units: .max, scale: 0) > Decimal(units: .max, scale: 18))
  }

  @Test func `sums are exact or an error`() throws {
    let sum = try Decimal(parsing: "0.1").adding(Decimal(parsing: "0.2"))

    #expect(sum == Decimal(units: 3, scale: 1))
    #expect(try Decimal(parsing: "1").subtracting(sum).description == "0.7")
    #expect(throws: DecimalError.tooManyDigits) {
      try Decimal(units: .max, scale: 0).adding(Decimal(units: 1, scale: 0))
    }
    #expect(throws: DecimalError.tooManyDigits) {
      try Decimal(units: .max, scale: 0).adding(Decimal(units: 1, scale: 18))
    }
  }

  @Test func `another scale loses nothing or is refused`() {
    let price = Decimal(units: 5_012_350, scale: 2)

    #expect(price.units(atScale: 1) == 501_235)
    #expect(price.units(atScale: 0) == nil)
    #expect(price.units(atScale: 8) == 5_012_350_000_000)
    #expect(Decimal(units: .max, scale: 0).units(atScale: 1) == nil)
  }

  @Test(arguments: [
    (1_504, 3, 2, 150), (1_505, 3, 2, 151), (-1_505, 3, 2, -151), (-1_504, 3, 2, -150),
    (4, 1, 0, 0), (5, 1, 0, 1), (15, 1, 3, 1_500), (Int64.max, 18, 0, 9),
    (Int64.min, 1, 0, -922_337_203_685_477_581),
  ])
  func `another scale takes to the nearest, halves away from zero`(
    _ units: Int64, _ scale: UInt8, _ target: UInt8, _ nearest: Int64
  ) {
    #expect(Decimal(units: units, scale: scale).nearestUnits(atScale: target) == nearest)
  }

  @Test func `what does not fit another scale has no nearest`() {
    #expect(Decimal(units: .max, scale: 0).nearestUnits(atScale: 1) == nil)
  }

  @Test func `text shows every digit of the scale`() {
    #expect(Decimal(units: 5_012_350, scale: 2).description == "50123.50")
    #expect(Decimal(units: -1, scale: 3).description == "-0.001")
    #expect(Decimal(units: .min, scale: 18).description == "-9.223372036854775808")
    #expect(Decimal(units: -5, scale: 0).description == "-5")
    #expect(Decimal(units: 1_500, scale: 3).normalized.description == "1.5")
  }

  @Test func `what is printed is parsed back, for seeded numbers`() throws {
    var seed = UInt64(0x5eed)
    for _ in 0..<2000 {
      seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let decimal = Decimal(
        units: Int64(bitPattern: seed) >> Int64(seed % 60), scale: UInt8((seed >> 32) % 19))
      let again = try Decimal(parsing: decimal.description)
      #expect(again.units == decimal.units && again.scale == decimal.scale, "\(decimal)")
    }
  }
}

@Suite struct `Amounts` {
  @Test func `a notional never overflows`() {
    #expect((Price(.max) * Quantity(.max)).raw == Int128(Int64.max) * Int128(Int64.max))
    #expect((Price(.min) * Quantity(.min)).raw == Int128(Int64.min) * Int128(Int64.min))
  }

  @Test func `sides are opposite`() {
    #expect(Side.buy.opposite == .sell)
    #expect(Side.sell.sign == -Side.buy.sign)
  }
}
