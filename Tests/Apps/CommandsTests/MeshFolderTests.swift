import Calls
import Chrono
import Contracts
import Glibc
import ServiceKit
import TestKit
import Testing
import VenueSimulator

@testable import Commands

@Suite struct `State folder of a mesh` {
  func mode(_ path: String) -> UInt32 {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mode & 0o777 : 0
  }

  @Test func `certificates are made once, and again when one is missing`() throws {
    let folder = try TemporaryFolder()
    let state = StateFolder(folder.path)
    try makeFolder(state.pki)

    #expect(try MeshFolder.certificates(state, names: ["oms", "auth"]) == 2)
    let first = try readText(state.certificate(of: "oms"))
    #expect(try MeshFolder.certificates(state, names: ["oms", "auth"]) == 0)
    unlink(state.certificate(of: "auth"))
    #expect(try MeshFolder.certificates(state, names: ["oms", "auth", "gateway"]) == 2)

    #expect(try readText(state.certificate(of: "oms")) == first)
    #expect(mode(state.key(of: "oms")) == 0o600)
    #expect(mode(state.authorityKey) == 0o600)
    _ = try MeshTLS(state, name: "gateway", facesPeople: true)
  }

  @Test func `the first users are random, and theirs to read alone`() throws {
    let folder = try TemporaryFolder()
    let state = StateFolder(folder.path)
    try makeFolder(state.bootstrap, mode: 0o700)

    let made = BootstrapUsers.make()
    try made.write(state)
    let read = try BootstrapUsers(reading: state)

    #expect(read.users.map(\.name) == ["admin", "trader", "viewer"])
    #expect(read.users.map(\.password) == made.users.map(\.password))
    #expect(Set(read.users.map(\.password)).count == 3)
    #expect(read.users.allSatisfy { $0.password.count == 32 && $0.roles == [$0.name] })
    #expect(mode(state.credentials) == 0o600)
  }

  @Test func `the record of a running mesh is read as it was written`() throws {
    let folder = try TemporaryFolder()
    let state = StateFolder(folder.path)
    try makeFolder(state.run)
    let record = MeshRecord(
      supervisor: 4711, portOffset: 1000, ports: "/a \"b\"/ports.toml", processes: ["oms": 12])

    try record.write(state)

    #expect(MeshRecord.read(state) == record)
    #expect(MeshRecord.read(StateFolder(folder.path + "/none")) == nil)
  }

  @Test func `removing the state leaves what people put there`() throws {
    let folder = try TemporaryFolder()
    let state = StateFolder(folder.path)
    try makeFolder(state.journal(of: "oms"))
    try writeFile(state.journal(of: "oms") + "/1.log", "x", mode: 0o600)
    try makeFolder(state.pki)
    symlink("/etc", state.pki + "/link")
    _ = try folder.write("mesh.toml", "")

    try removeState(state)

    #expect(!fileExists(state.path + "/journal"))
    #expect(!fileExists(state.pki))
    #expect(fileExists(state.settings))
    #expect(fileExists("/etc/passwd"))
  }

  @Test func `paths are quoted for a shell only when they must be`() {
    #expect(FirstSteps.quoted("/srv/mesh-1/var_2.x") == "/srv/mesh-1/var_2.x")
    #expect(FirstSteps.quoted("/srv/it's $x") == #"'/srv/it'\''s $x'"#)
  }

  @Test(arguments: [
    ("/data/spot_btcusdt_20240808.gz", "BTCUSDT"), ("ETHUSDT.json", "ETHUSDT"), ("other.gz", nil),
  ])
  func `a capture's name tells its market`(_ path: String, _ symbol: String?) {
    #expect(ReplayOptions.symbol(ofCapture: path, among: ["BTCUSDT", "ETHUSDT"]) == symbol)
  }

  @Test func `speeds are instant, realtime or a whole factor`() {
    #expect(ReplayOptions.speed("instant") == .instant)
    #expect(ReplayOptions.speed("realtime") == .times(1))
    #expect(ReplayOptions.speed("10x") == .times(10))
    for wrong in ["", "x", "0x", "1.5x", "-1x", "fast", "10"] {
      #expect(ReplayOptions.speed(wrong) == nil, "\(wrong)")
    }
  }

  @Test func `MD-03 a replay is held back until every service listens`() throws {
    let folder = try TemporaryFolder()
    let (capture, ports) = (folder.path + "/BTCUSDT.gz", folder.path + "/ports.toml")
    for path in [capture, ports] { try writeFile(path, "", mode: 0o600) }
    func words(_ more: [String]) throws -> [String] {
      let given = ["--state", folder.path, "--ports", ports] + more
      return try MeshPlan(Arguments(given, as: UpCommand.command.form))
        .simulatorWords(supervisor: 1)
    }

    let replayed = try words(["--replay", capture, "--replay-speed", "10x"])

    #expect(
      replayed.suffix(7) == [
        "--replay", absolutePath(capture), "--symbol", "BTCUSDT", "--speed", "10x", "--hold",
      ])
    #expect(try words([]).contains("--hold") == false)
    #expect(try words(["--limit-factor", "7"]).suffix(2) == ["--limit-factor", "7"])
    #expect(try words([]).contains("--limit-factor") == false)
    #expect(throws: UsageError.self) { try words(["--limit-factor", "0"]) }
  }

  @Test func `MD-23 a recording of Kraken or OKX says itself which market it is of`() throws {
    let folder = try TemporaryFolder()
    func file(_ name: String, _ frames: [String]) throws -> String {
      let path = "\(folder.path)/\(name)"
      try writeFile(path, frames.joined(separator: "\n") + "\n", mode: 0o600)
      return path
    }
    func kraken(_ symbol: String) -> String {
      #"{"channel":"book","type":"snapshot","data":[{"symbol":"\#(symbol)","bids":[{"price":1.5,"#
        + #""qty":1.0}],"asks":[{"price":2.5,"qty":1.0}],"checksum":1}]}"#
    }
    let okx =
      #"{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"snapshot","data":[{"asks":[],"#
      + #""bids":[["1","1","0","1"]],"ts":"1","checksum":0,"seqId":1,"prevSeqId":-1}]}"#
    let one = try file("one", [kraken("XRP/USD")])
    let two = try file("two", [kraken("XRP/USD"), kraken("BTC/USD")])

    let ripple = try ReplayOptions.market(of: one, named: nil)
    #expect(ripple == ReplayedMarket(dialect: .kraken, listed: "XRP/USD"))
    #expect(
      ripple.settings.map { "\($0.path)=\($0.text)" } == [
        "market-connector.venues=kraken",
        "market-connector.kraken_symbols=BTCUSD,ETHUSD,SOLUSD,BTCUSDT,ETHUSDT,XRPUSD",
      ])
    for named in ["BTCUSD", "BTC/USD"] {
      let bitcoin = try ReplayOptions.market(of: two, named: named)
      #expect(bitcoin.listed == "BTC/USD" && bitcoin.settings.map(\.text) == ["kraken"])
    }
    #expect(throws: UsageError.self) { try ReplayOptions.market(of: two, named: nil) }
    #expect(throws: UsageError.self) { try ReplayOptions.market(of: one, named: "ETHUSD") }
    let other = try ReplayOptions.market(of: try file("okx", [okx]), named: nil)
    #expect(other == ReplayedMarket(dialect: .okx, listed: "BTC-USDT"))
  }

  @Test func `a method is found by its service, its contract and its full name`() throws {
    let methods = ContractCatalog.methods
    let names = [
      "shrivenquant.discovery.v1.DiscoveryService/ListServices", "DiscoveryService/ListServices",
      "discovery/ListServices",
    ]
    for name in names {
      let method = try MethodName.find(name, in: methods)
      #expect(method.path == "/shrivenquant.discovery.v1.DiscoveryService/ListServices")
      #expect(try MethodName.service(of: method) == "discovery")
    }
    #expect(throws: UsageError.self) { try MethodName.find("discovery/LstServices", in: methods) }
    #expect(throws: UsageError.self) { try MethodName.find("discvery/ListServices", in: methods) }
    #expect(throws: UsageError.self) { try MethodName.find("discovery", in: methods) }
  }

  @Test func `KS-01 a state that starts over is not engaged by the mark of the one before`() throws
  {
    let folder = try TemporaryFolder()
    let state = StateFolder(folder.path)
    let mark = KillMark(state)
    try mark.leave(.init(reason: "why", actor: "operator"), at: Instant(nanoseconds: 1))
    try writeFile(state.path + "/mesh.toml", "[mesh]\n", mode: 0o644)
    var said: [String] = []

    try removeState(state) { said.append($0) }

    #expect(!mark.isThere && fileExists(state.path + "/mesh.toml"))
    #expect(said == ["removing the mark of the kill switch, \(mark.path)"])
  }
}
