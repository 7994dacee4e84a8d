import Chrono
import Testing

@Suite struct `Instants as text` {
  @Test(arguments: [
    (0, "1970-01-01T00:00:00.000000000Z"),
    (1_723_107_903_000_000_007, "2024-08-08T09:05:03.000000007Z"),
    (951_782_400_000_000_000, "2000-02-29T00:00:00.000000000Z"),
    (-1, "1969-12-31T23:59:59.999999999Z"),
    (Int64.max, "2262-04-11T23:47:16.854775807Z"),
  ])
  func `a moment is written with nine digits and read back`(nanoseconds: Int64, text: String) {
    #expect(Instant(nanoseconds: nanoseconds).rfc3339 == text)
    #expect(Instant(rfc3339: text) == Instant(nanoseconds: nanoseconds))
  }

  @Test func `every day of four hundred years survives the round trip`() {
    for day in Int64(-40_000)..<106_000 {
      let instant = Instant(nanoseconds: day * 86_400_000_000_000)
      #expect(CivilTime(instant).instant == instant)
    }
  }

  @Test func `offsets, short fractions and PostgreSQL's spelling are understood`() {
    let noon = Instant(rfc3339: "2024-08-08T12:00:00.5Z")

    #expect(noon != nil)
    #expect(Instant(rfc3339: "2024-08-08T14:00:00.500+02:00") == noon)
    #expect(Instant(rfc3339: "2024-08-08 12:00:00.5+00") == noon)
    #expect(Instant(rfc3339: "2024-08-08 06:30:00.5-05:30") == noon)
  }

  @Test(arguments: [
    "", "2024-08-08", "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z",
    "2024-08-08T24:00:00Z", "2024-08-08T23:59:60Z", "2024-08-08T12:00:00", "2024-08-08T12:00:00.Z",
    "2024-08-08T12:00:00.1234567890Z", "2024-08-08T12:00:00Zx", "2300-01-01T00:00:00Z",
    "infinity", "2024-8-08T12:00:00Z",
  ])
  func `anything else is refused`(text: String) {
    #expect(Instant(rfc3339: text) == nil)
  }
}

@Suite struct `Clocks` {
  @Test func `simulated time moves only when told`() {
    let time = SimulatedTime()
    let (now, uptime) = (time.now, time.uptime)

    time.advance(by: .milliseconds(1500))

    #expect(time.now - now == .milliseconds(1500))
    #expect(time.uptime - uptime == .milliseconds(1500))
  }

  @Test func `the machine's clocks move forwards`() {
    let time = SystemTime()
    let (now, uptime) = (time.now, time.uptime)

    #expect(time.uptime >= uptime)
    #expect(now > Instant(rfc3339: "2020-01-01T00:00:00Z")!)
  }

  @Test func `arithmetic keeps nanoseconds and saturates`() {
    #expect(Instant(milliseconds: 5).nanoseconds == 5_000_000)
    #expect((Instant.epoch + .seconds(2)).seconds == 2)
    #expect(Duration.seconds(Int64.max).wholeNanoseconds == .max)
    #expect(Duration.seconds(Int64.min + 1).wholeNanoseconds == .min)
    #expect((Uptime(nanoseconds: 5) - Uptime(nanoseconds: 8)) == .nanoseconds(-3))
    #expect(Uptime(nanoseconds: 5) + .nanoseconds(-3) == Uptime(nanoseconds: 5))
  }
}
