import Chrono
import Foundation
import Loop
import Postgres
import Testing
import Units

@Suite(.needsPostgres) struct `A database` {
  @Test func `gives back every kind of value as it was sent`() async throws {
    let database = try TestCluster.database()
    let instant = Instant(nanoseconds: 1_723_107_903_123_456_789)
    let text = "quote ' \" backslash \\ {a,b} NULL é 😀\n"

    let rows = try await database.query(
      """
      SELECT $1::int8 AS i, $2::text AS t, $3 AS d, $4 AS b, $5 AS raw, $6 AS at, $7 AS j,
        $8::text AS missing, $9 AS f, $10 AS wide, ($11)[2] AS second, ($12)[1] AS first
      """,
      [
        .integer(.min), .text(text), .decimal(Decimal(units: 5_012_350, scale: 2)), true,
        .bytes([0, 1, 255]), .instant(instant), .json(#"{"a": 1}"#), nil, .number(0.1),
        .numeric("123456789012345678901234567890"), .texts(["x", text]), .integers([7, 8]),
      ])

    let row = try #require(rows.first)
    #expect(rows.count == 1)
    #expect(try row.read("i", as: Int64.self) == .min)
    #expect(try row.read("t") == text)
    #expect(try row.read("d", as: Decimal.self).description == "50123.50")
    #expect(try row.read("b", as: Bool.self))
    #expect(try row.read("raw") == [0, 1, 255] as [UInt8])
    #expect(try row.read("at", as: Instant.self).nanoseconds == 1_723_107_903_123_456_000)
    #expect(try row.read("j") == #"{"a": 1}"#)
    #expect(try row.readIfPresent("missing", as: String.self) == nil)
    #expect(try row.read("f") == 0.1)
    #expect(try row.read("wide", as: Int128.self).description == "123456789012345678901234567890")
    #expect(try row.read("second") == text)
    #expect(try row.read("first", as: Int.self) == 7)
  }

  @Test func `takes columns of many rows, with their gaps, as it takes single values`()
    async throws
  {
    let database = try TestCluster.database()
    let before = Instant(nanoseconds: -1_723_107_903_123_456_789)
    let texts: [String?] = ["quote ' \" \\ {a,b} é 😀", nil, "", "NULL"]
    let columns = [
      SQLColumn.integers(4) { [Int64.min, -1, 0, .max][$0] },
      SQLColumn.texts(4) { texts[$0] }, SQLColumn.texts(4) { texts[$0] == nil ? "-0.50" : nil },
      SQLColumn.bytes(4) { $0 == 0 ? [] : [0, 255, UInt8($0)] },
      SQLColumn.booleans(4) { $0.isMultiple(of: 2) },
      SQLColumn.instants(4) { [before, nil, .epoch, before][$0] },
    ]

    let rows = try await database.query(
      """
      SELECT * FROM unnest($1::int8[], $2::text[], $3::text[]::numeric[], $4::bytea[], $5::bool[],
        $6::timestamptz[]) AS row (i, t, n, b, f, at)
      """, columns)
    let none = try await database.query(
      "SELECT * FROM unnest($1::text[])", [SQLColumn.texts(0) { _ in "" }])

    #expect(try rows.map { try $0.read("i", as: Int64.self) } == [.min, -1, 0, .max])
    #expect(try rows.map { try $0.readIfPresent("t", as: String.self) } == texts)
    #expect(
      try rows.map { try $0.readIfPresent("n", as: Decimal.self)?.description }
        == [nil, "-0.50", nil, nil])
    #expect(try rows.map { try $0.read("b", as: [UInt8].self) }[2] == [0, 255, 2])
    #expect(try rows.map { try $0.read("f", as: Bool.self) } == [true, false, true, false])
    #expect(
      try rows.map { try $0.readIfPresent("at", as: Instant.self)?.nanoseconds }
        == [-1_723_107_903_123_457_000, nil, 0, -1_723_107_903_123_457_000])
    #expect(none.count == 0)
  }

  @Test func `names the column that cannot be read`() async throws {
    let database = try TestCluster.database()
    let row = try #require(
      try await database.query("SELECT NULL AS nothing, 'NaN'::numeric AS odd, 1e30 AS big").first)

    let null = #expect(throws: SQLError.self) { try row.read("nothing", as: Int64.self) }
    let odd = #expect(throws: SQLError.self) { try row.read("odd", as: Decimal.self) }
    let big = #expect(throws: SQLError.self) { try row.read("big", as: Int64.self) }
    let absent = #expect(throws: SQLError.self) { try row.read("absent", as: Int64.self) }

    #expect(null?.message == "column nothing is NULL, not Int64")
    #expect(odd?.message == "column odd holds NaN, not Decimal")
    #expect(big?.kind == .mismatch)
    #expect(absent?.message == "no column absent among nothing, odd, big")
  }

  @Test func `refuses with the server's code and constraint, and goes on`() async throws {
    let database = try TestCluster.database(connectionsMax: 1)
    try await database.query("CREATE TABLE refusals (id int8 CONSTRAINT once PRIMARY KEY)")
    try await database.query("INSERT INTO refusals VALUES (1)")

    let twice = await #expect(throws: SQLError.self) {
      try await database.query("INSERT INTO refusals VALUES ($1)", [1])
    }
    let wrong = await #expect(throws: SQLError.self) { try await database.query("SELEKT") }
    let zero = await #expect(throws: SQLError.self) {
      try await database.query("SELECT $1::text", ["a\u{0}b"])
    }

    #expect(twice?.isUniqueViolation == true)
    #expect(twice?.constraint == "once")
    #expect(twice?.isRetryable == false)
    #expect(wrong?.sqlstate == "42601")
    #expect(zero?.message == "parameter $1 holds a zero character")
    #expect(try await database.query("SELECT 1").count == 1)
  }

  @Test func `a pipeline is one transaction`() async throws {
    let database = try TestCluster.database()
    try await database.query("CREATE TABLE batch (id int8 PRIMARY KEY)")
    func insert(_ id: Int64) -> Statement {
      Statement("INSERT INTO batch VALUES ($1)", [.integer(id)])
    }

    let answers = try await database.pipeline((1...3000).map(insert))
    await #expect(throws: SQLError.self) {
      try await database.pipeline([insert(9001), insert(1), insert(9002)])
    }

    #expect(answers.map(\.affected) == Array(repeating: 1, count: 3000))
    #expect(try await count("batch", database) == 3000)
    #expect(try await database.pipeline([]).isEmpty)
  }

  @Test func `values larger than a socket's buffer pass both ways`() async throws {
    let database = try TestCluster.database()
    let large = (0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }

    let row = try #require(try await database.query("SELECT $1 AS large", [.bytes(large)]).first)

    #expect(try row.read("large", as: [UInt8].self) == large)
  }

  @Test func `callers on the loop stay on the loop, callers elsewhere are served`() async throws {
    let database = try TestCluster.database()
    let loop = TestCluster.loop

    let stayed = try await Task(executorPreference: loop) {
      try await database.query("SELECT 1")
      return loop.isCurrent
    }.value

    #expect(stayed)
    await withTaskGroup { group in
      for number in 0..<100 {
        group.addTask {
          let rows = try? await database.query("SELECT $1::int8 AS n", [.integer(Int64(number))])
          #expect((try? rows?.first?.read("n")) == Int64(number))
        }
      }
    }
  }

  private func count(_ table: String, _ database: Database) async throws -> Int {
    try await database.query("SELECT count(*) AS n FROM \(table)")[0].read("n")
  }
}

@Suite(.needsPostgres) struct `A transaction` {
  private struct Changed: Error {}

  private func rows(_ table: String, _ database: Database) async throws -> Int {
    try await database.query("SELECT count(*) AS n FROM \(table)")[0].read("n")
  }

  @Test func `commits what its body did and returns its result`() async throws {
    let database = try TestCluster.database()
    try await database.query("CREATE TABLE committed (id int8)")

    let total: Int = try await database.transaction { transaction in
      try await transaction.query("INSERT INTO committed VALUES (1)")
      try await transaction.pipeline([
        Statement("INSERT INTO committed VALUES ($1)", [2]),
        Statement("INSERT INTO committed VALUES ($1)", [3]),
      ])
      return try await transaction.query("SELECT count(*) AS n FROM committed")[0].read("n")
    }

    #expect(total == 3)
    #expect(try await rows("committed", database) == 3)
  }

  @Test func `rolls back when its body throws, also its own error after a caught refusal`()
    async throws
  {
    let database = try TestCluster.database(connectionsMax: 1)
    try await database.query("CREATE TABLE rolled (id int8 PRIMARY KEY)")

    await #expect(throws: Changed.self) {
      try await database.transaction { transaction in
        try await transaction.query("INSERT INTO rolled VALUES (1)")
        throw Changed()
      }
    }
    let swallowed = await #expect(throws: SQLError.self) {
      try await database.transaction { transaction in
        try await transaction.query("INSERT INTO rolled VALUES (1)")
        _ = try? await transaction.query("INSERT INTO rolled VALUES (1)")
      }
    }

    #expect(swallowed?.sqlstate == "25P02")
    #expect(try await rows("rolled", database) == 0)
  }

  @Test func `serialization failures say that they may be tried again`() async throws {
    let database = try TestCluster.database()
    try await database.query("CREATE TABLE contended (n int8)")
    try await database.query("INSERT INTO contended VALUES (0)")

    let error = await #expect(throws: SQLError.self) {
      try await database.transaction { outer in
        try await outer.query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        try await outer.query("SELECT n FROM contended")
        try await database.query("UPDATE contended SET n = n + 1")
        try await outer.query("UPDATE contended SET n = n + 1")
      }
    }

    #expect(error?.sqlstate == "40001")
    #expect(error?.isRetryable == true)
  }
}

@Suite(.needsPostgres) struct `A connection pool` {
  @Test func `never opens more than its limit, and waiting requests are served in turn`()
    async throws
  {
    let database = try TestCluster.database(connectionsMax: 3) { $0.applicationName = "pool-limit" }

    let backends = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<40 {
        group.addTask {
          try await database.query("SELECT pg_backend_pid() AS pid")[0].read("pid")
        }
      }
      return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
    }

    #expect((1...3).contains(backends.count))
  }

  @Test func `a request that waits too long or finds too many waiting is refused`() async throws {
    let database = try TestCluster.database(connectionsMax: 1) {
      $0.waitMax = .milliseconds(20)
      $0.waitingMax = 1
    }
    // On a busy machine connecting alone may take longer than that.
    while (try? await database.query("SELECT 1")) == nil {}

    try await database.transaction { transaction in
      try await transaction.query("SELECT 1")
      async let first = database.query("SELECT 2")
      async let second = database.query("SELECT 3")
      var kinds: Set<SQLError.Kind> = []
      do { _ = try await first } catch { kinds.insert((error as! SQLError).kind) }
      do { _ = try await second } catch { kinds.insert((error as! SQLError).kind) }
      #expect(kinds == [.unavailable, .tooManyWaiting])
    }

    #expect(try await database.query("SELECT 4").count == 1)
  }

  @Test func `a statement over its time is cancelled by the server`() async throws {
    let database = try TestCluster.database { $0.statementMax = .milliseconds(30) }

    let error = await #expect(throws: SQLError.self) {
      try await database.query("SELECT pg_sleep(20)")
    }

    #expect(error?.sqlstate == "57014")
  }

  @Test func `a connection that ends is replaced, and what was in flight is in doubt`() async throws
  {
    let database = try TestCluster.database(connectionsMax: 1)
    let killer = try TestCluster.database(connectionsMax: 1)
    func backend() async throws -> Int64 {
      try await database.query("SELECT pg_backend_pid() AS pid")[0].read("pid")
    }
    func kill(_ backend: Int64) async throws {
      try await killer.query("SELECT pg_terminate_backend($1::int4, 5000)", [.integer(backend)])
    }

    let first = try await backend()
    async let sleeping = database.query("SELECT pg_sleep(30)")
    while try await killer.query(
      "SELECT 1 FROM pg_stat_activity WHERE pid = $1::int4 AND query LIKE '%pg_sleep(30)%' AND state = 'active'",
      [.integer(first)]
    ).isEmpty {}
    try await kill(first)
    do {
      _ = try await sleeping
      Issue.record("the statement outlived its server process")
    } catch {
      #expect((error as? SQLError)?.isConnectionLost == true)
      #expect((error as? SQLError)?.sqlstate == "57P01")
    }

    let second = try await backend()
    #expect(second != first)
    try await kill(second)
    #expect(try await backend() != second)
  }

  @Test func `a server that is away is waited for, then the request fails with the reason`()
    async throws
  {
    var settings = DatabaseSettings(url: "postgresql:///x?host=/nonexistent", connectionsMax: 1)
    settings.waitMax = .milliseconds(30)
    settings.reconnectPauses = .milliseconds(1)...(.milliseconds(5))
    let database = Database(settings, loop: TestCluster.loop)

    let error = await #expect(throws: SQLError.self) { try await database.query("SELECT 1") }

    #expect(error?.kind == .unavailable)
    #expect(error?.isRetryable == true)
    #expect(error?.message.contains("/nonexistent/.s.PGSQL.5432") == true)
  }

  @Test func `a closed database refuses`() async throws {
    let database = try TestCluster.database()
    try await database.query("SELECT 1")

    await database.close()

    let error = await #expect(throws: SQLError.self) { try await database.query("SELECT 1") }
    #expect(error?.kind == .closed)
  }
}
