import ServiceKit
import Testing
import Units

@Suite struct `Settings` {
  struct Limits: ServiceSettings {
    enum Mode: String, CaseIterable, Sendable { case live, paper }

    let orderSizeMax: Decimal
    let ordersMax: Int
    let patience: Duration
    let mode: Mode
    let symbols: [String]
    let isQuiet: Bool
    let folder: String

    init(_ settings: SettingsReader) {
      orderSizeMax = settings.decimal(
        "max_order_size", in: Decimal(units: 0, scale: 0)...Decimal(units: 1000, scale: 0),
        default: "10", unit: "lots", "The largest order.")
      ordersMax = settings.int("orders_max", in: 1...100, default: 50, unit: "orders", "At most.")
      patience = settings.duration(
        "patience", in: .milliseconds(1)...(.seconds(60)), default: .milliseconds(250), "How long.")
      mode = settings.choice("mode", default: .paper, "What is real.")
      symbols = settings.list("feed.symbols", maximum: 3, default: ["BTCUSDT"], "What is traded.")
      isQuiet = settings.bool("quiet", default: false, "Says less.")
      folder = settings.path("folder", default: "/tmp", "Where.")
      settings.check(ordersMax != 13, "orders_max must not be 13")
    }
  }

  func load(
    _ text: String = "", environment: [String: String] = [:], flags: [String] = []
  ) throws -> LoadedSettings<Limits> {
    let file = try TOMLFile(parsing: Array(text.utf8), name: "mesh.toml")
    let sources = SettingsSources(
      file: file, environment: environment,
      flags: try flags.map { try SettingsSources.Flag(parsing: $0) })
    return try LoadedSettings("risk-manager", from: sources, sections: ["oms", "risk-manager"])
  }

  func problems(
    _ text: String = "", environment: [String: String] = [:], flags: [String] = []
  ) -> [String] {
    do {
      _ = try load(text, environment: environment, flags: flags)
      return []
    } catch {
      return (error as? SettingsError)?.problems ?? ["\(error)"]
    }
  }

  @Test func `defaults hold when nothing is said`() throws {
    let config = try load().config

    #expect(config.orderSizeMax == Decimal(units: 10, scale: 0))
    #expect(config.patience == .milliseconds(250))
    #expect(config.symbols == ["BTCUSDT"])
    #expect(config.folder == "/tmp")
  }

  @Test func `CFG-04 every section and every kind of value is read from the file`() throws {
    let config = try load(
      """
      [oms]
      anything = 1
      [risk-manager]
      max_order_size = "2.50"  # lots
      orders_max = 7
      patience = "3s"
      mode = "live"
      quiet = true
      folder = "/var//run/../lib"
      [risk-manager.feed]
      symbols = ["ETHUSDT", "SOLUSDT"]
      """
    ).config

    #expect(config.orderSizeMax == Decimal(units: 250, scale: 2))
    #expect(config.ordersMax == 7)
    #expect(config.patience == .seconds(3))
    #expect(config.mode == .live)
    #expect(config.symbols == ["ETHUSDT", "SOLUSDT"])
    #expect(config.isQuiet)
    #expect(config.folder == "/var/lib")
  }

  @Test func `the environment beats the file and flags beat the environment`() throws {
    let text = "[risk-manager]\norders_max = 7\npatience = \"3s\"\nmode = \"live\""
    let environment = [
      "SHRIVENQUANT_RISK_MANAGER_ORDERS_MAX": "8", "SHRIVENQUANT_RISK_MANAGER_PATIENCE": "4s",
      "SHRIVENQUANT_RISK_MANAGER_FEED_SYMBOLS": "A,B", "SHRIVENQUANT_OMS_OTHER": "ignored",
    ]

    let config = try load(
      text, environment: environment, flags: ["risk-manager.orders_max=9"]
    ).config

    #expect(config.ordersMax == 9)
    #expect(config.patience == .seconds(4))
    #expect(config.mode == .live)
    #expect(config.symbols == ["A", "B"])
  }

  @Test func `CFG-04 an unknown key is refused with the nearest known one`() {
    let found = problems(
      "[risk-manager]\nmax_ordr_size = \"1\"\n[risk-manager.fed]\nsymbols = []",
      environment: ["SHRIVENQUANT_RISK_MANAGER_QUITE": "true"], flags: ["risk-manager.mood=live"])

    #expect(found.count == 5)
    #expect(found[0].contains("max_ordr_size (mesh.toml, line 2)"))
    #expect(found[0].contains("did you mean \"max_order_size\"?"))
    #expect(found.contains { $0.contains("fed.symbols") && $0.contains("\"feed.symbols\"") })
    #expect(found.contains { $0.contains("mood") && $0.contains("did you mean \"mode\"?") })
    #expect(
      found.contains {
        $0.contains("SHRIVENQUANT_RISK_MANAGER_QUITE")
          && $0.contains("\"SHRIVENQUANT_RISK_MANAGER_QUIET\"")
      })
  }

  @Test func `an unknown section is refused with the nearest known one`() {
    #expect(
      problems("[risk-manger]\nmode = \"live\"") == [
        "[risk-manger] (mesh.toml, line 1) is not a section; did you mean \"risk-manager\"?"
      ])
  }

  @Test func `CFG-04 a bare number where money is meant is refused, and why`() {
    for bare in ["10", "10.5"] {
      let found = problems("[risk-manager]\nmax_order_size = \(bare)")

      #expect(found.count == 1)
      #expect(found[0].contains("a bare number does not say its unit"))
      #expect(found[0].contains("in lots: max_order_size = \"\(bare)\""))
    }
  }

  @Test func `everything that is wrong is said at once`() {
    let found = problems(
      """
      [risk-manager]
      max_order_size = "1e5"
      orders_max = 101
      patience = "250"
      mode = "lve"
      quiet = "yes"
      folder = ""
      feed = { symbols = ["A", "B", "C", "D"] }
      [mesh]
      lease = "1ms"
      """)

    #expect(found.count == 8)
    #expect(found.contains { $0.contains("orders_max is 101") && $0.contains("from 1 to 100") })
    #expect(found.contains { $0.contains("mode is \"lve\"") && $0.contains("\"live\"") })
    #expect(found.contains { $0.contains("such as \"250ms\"") })
    #expect(found.contains { $0.contains("mesh.lease") })
  }

  @Test(arguments: [
    "-1", "1000.01", "NaN", "1e5", "", "0.0000000000000000001", "10 lots", "+1", "0x10",
  ])
  func `a decimal out of form or range is refused`(_ text: String) {
    #expect(problems(flags: ["risk-manager.max_order_size=\(text)"]).count == 1)
  }

  @Test func `a rule across settings is reported like any other problem`() {
    #expect(problems("[risk-manager]\norders_max = 13").count == 1)
  }

  @Test func `a broken file is refused with its line`() {
    #expect(problems("[risk-manager]\nmode = \n").first?.hasPrefix("mesh.toml, line ") == true)
  }

  @Test func `a secret is read but never shown`() throws {
    let loaded = try load(environment: ["SHRIVENQUANT_DATABASE_URL": "postgresql://u:hunter2@h/d"])
    let text = loaded.tables.map(\.plain).joined()

    #expect(loaded.mesh.databaseURL == "postgresql://u:hunter2@h/d")
    #expect(!text.contains("hunter2"))
    #expect(text.contains("database_url = (set)  (SHRIVENQUANT_DATABASE_URL)"))
  }

  @Test func `the table for the docs has a row for every setting`() throws {
    let table = try load().tables[0].markdown

    #expect(
      table.contains(
        "| `max_order_size` | decimal string 0...1000 | lots | `\"10\"` | The largest order. "
          + "| `SHRIVENQUANT_RISK_MANAGER_MAX_ORDER_SIZE` |"))
    #expect(table.split(separator: "\n").count == 2 + 7)
  }
}

@Suite struct `Durations as text` {
  @Test(arguments: [
    ("250ms", Duration.milliseconds(250)), ("1h", .seconds(3600)), ("90s", .seconds(90)),
    ("10us", .microseconds(10)), ("5ns", .nanoseconds(5)),
  ])
  func `are a whole number and a unit`(_ text: String, _ duration: Duration) {
    #expect(DurationText.parse(text) == duration)
    #expect(DurationText.print(duration) == text)
  }

  @Test(arguments: ["", "5", "ms", "1.5s", "-1s", "1 s", "99999999999999999h", "٣s"])
  func `nothing else is one`(_ text: String) {
    #expect(DurationText.parse(text) == nil)
  }
}
