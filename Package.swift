// swift-tools-version: 6.2
import PackageDescription

// The map of the house: shelves, the rooms on them, and who may use whom. A room that uses what its
// shelf may not use stops the build here, with one sentence.

enum Shelf: String {
  case cLibraries = "CLibraries"
  case base = "Base"
  case contracts = "Contracts"
  case platform = "Platform"
  case domain = "Domain"
  case bridges = "Bridges"
  case venues = "Venues"
  case services = "Services"
  case apps = "Apps"
  case tests = "Tests"

  var mayUse: Set<Shelf> {
    switch self {
    case .cLibraries: [.cLibraries]
    case .base: [.cLibraries, .base]
    case .contracts: [.cLibraries, .base]
    case .platform: [.cLibraries, .base, .contracts, .platform]
    case .domain: [.base, .domain]
    case .bridges: [.base, .contracts, .domain]
    case .venues: [.base, .domain, .platform]
    case .services: [.base, .contracts, .platform, .domain, .bridges, .venues]
    case .apps:
      [.cLibraries, .base, .contracts, .platform, .domain, .bridges, .venues, .services, .apps]
    case .tests:
      [
        .cLibraries, .base, .contracts, .platform, .domain, .bridges, .venues, .services, .apps,
        .tests,
      ]
    }
  }
}

enum Kind {
  /// A module map over a Debian package, found by pkg-config.
  case systemLibrary(pkgConfig: String, apt: String)
  /// Our own C or C++ shim, linking the named libraries.
  case shim(links: [String])
  case library
  case executable
  case test
}

struct Room {
  let name: String
  let shelf: Shelf
  let path: String
  let kind: Kind
  let uses: [String]
}

func system(_ name: String, pkgConfig: String, apt: String) -> Room {
  Room(
    name: name, shelf: .cLibraries, path: "Sources/CLibraries/\(name)",
    kind: .systemLibrary(pkgConfig: pkgConfig, apt: apt), uses: [])
}

func shim(_ name: String, links: [String] = [], uses: [String] = []) -> Room {
  Room(
    name: name, shelf: .cLibraries, path: "Sources/CLibraries/\(name)", kind: .shim(links: links),
    uses: uses)
}

func room(_ shelf: Shelf, _ name: String, folder: String? = nil, uses: [String] = []) -> Room {
  let folder = folder ?? name
  let path = shelf == .contracts ? "Sources/Contracts" : "Sources/\(shelf.rawValue)/\(folder)"
  return Room(name: name, shelf: shelf, path: path, kind: .library, uses: uses)
}

/// A service: folder `Services/<Name>`, target `<Name>Service`; what every service uses is here once.
func service(_ name: String, uses: [String] = []) -> Room {
  let common = [
    "Bytes", "Calls", "Chrono", "Contracts", "Loop", "Mutants", "ServiceKit", "Telemetry",
    "Transport",
    "Units",
    "Wire",
  ]
  return room(.services, "\(name)Service", folder: name, uses: (common + uses).sorted())
}

func app(_ name: String, uses: [String]) -> Room {
  Room(name: name, shelf: .apps, path: "Sources/Apps/\(name)", kind: .executable, uses: uses)
}

func tests(_ name: String, in folder: String, uses: [String]) -> Room {
  Room(name: name, shelf: .tests, path: "Tests/\(folder)", kind: .test, uses: uses)
}

func support(_ name: String, in folder: String, uses: [String], kind: Kind = .library) -> Room {
  Room(name: name, shelf: .tests, path: "Tests/\(folder)", kind: kind, uses: uses)
}

// ------------------------------------------------------------------------------------------------

let rooms: [Room] = [
  // CLibraries: C stays in its cage; each has one Swift owner.
  system("CNGHTTP2", pkgConfig: "libnghttp2", apt: "libnghttp2-dev"),
  system("CProtobuf", pkgConfig: "libprotobuf-c", apt: "libprotobuf-c-dev"),
  shim("CLinux"),
  shim("CBlockPool"),
  shim("COpenSSL", links: ["ssl", "crypto"]),
  shim("CZlib", links: ["z"]),
  shim("CWebSocket", links: ["wslay"]),
  // These three link nothing: they load their library when it is first called.
  shim("CPostgres"),
  shim("CCurl"),
  shim("CZstd"),
  shim("CSimdJSON", links: ["simdjson", "stdc++"]),
  shim("CTOML", links: ["stdc++"]),
  shim("CContracts", uses: ["CProtobuf"]),

  // Base: values.
  room(.base, "Mutants"),
  room(.base, "Tables"),
  room(.base, "Units"),
  room(.base, "Bytes", uses: ["CZlib", "CZstd"]),
  room(.base, "Chrono", uses: ["CLinux"]),
  room(.base, "Wire"),
  room(.base, "Calls", uses: ["Chrono", "Wire"]),

  // Contracts: every message, stub and service protocol, generated from Protos/.
  room(.contracts, "Contracts", uses: ["Bytes", "Calls", "Chrono", "Units", "Wire"]),

  // Platform: mechanism, knows nothing of trading.
  room(.platform, "Loop", uses: ["CLinux", "Chrono"]),
  room(.platform, "Telemetry", uses: ["Bytes", "CLinux", "Chrono"]),
  room(.platform, "JSON", uses: ["CSimdJSON"]),
  room(.platform, "Security", uses: ["Bytes", "COpenSSL", "CLinux", "Chrono", "JSON"]),
  room(
    .platform, "Transport",
    uses: [
      "Bytes", "CBlockPool", "CCurl", "CLinux", "CNGHTTP2", "CWebSocket", "Calls", "Chrono",
      "Contracts", "JSON", "Loop", "Security", "Telemetry", "Wire",
    ]),
  room(
    .platform, "Interop",
    uses: ["Calls", "Chrono", "Contracts", "Loop", "Security", "Transport", "Wire"]),
  room(
    .platform, "Transcoding",
    uses: ["Bytes", "CContracts", "CProtobuf", "Calls", "Contracts", "JSON", "Units", "Wire"]),
  room(
    .platform, "Postgres",
    uses: ["Bytes", "CLinux", "CPostgres", "Chrono", "Loop", "Telemetry", "Units"]),
  room(.platform, "Journal", uses: ["Bytes", "CLinux", "Chrono", "Loop", "Mutants"]),
  room(.platform, "SharedRing", uses: ["Bytes", "CLinux"]),
  room(.platform, "Recording", uses: ["Bytes", "Chrono", "JSON"]),
  room(.platform, "EventBus", uses: ["Chrono", "Loop"]),
  room(
    .platform, "ServiceKit",
    uses: [
      "Bytes", "CLinux", "CTOML", "Calls", "Chrono", "Contracts", "JSON", "Journal", "Loop",
      "Mutants", "Postgres",
      "Security", "Telemetry", "Transport", "Units", "Wire",
    ]),

  // Domain: policy, pure.
  room(.domain, "Venue", uses: ["Chrono", "Units"]),
  room(.domain, "Orders", uses: ["Chrono", "Mutants", "Units", "Venue"]),
  room(.domain, "OrderBook", uses: ["Chrono", "Units", "Venue"]),
  room(.domain, "MarketQuality", uses: ["Chrono", "Units", "Venue"]),
  room(.domain, "Portfolio", uses: ["Chrono", "Mutants", "Units", "Venue"]),
  room(.domain, "Risk", uses: ["Chrono", "Mutants", "Orders", "Portfolio", "Units", "Venue"]),
  room(.domain, "Execution", uses: ["Chrono", "Mutants", "Orders", "Tables", "Units", "Venue"]),
  room(.domain, "Signals", uses: ["Chrono", "Orders", "Units", "Venue"]),

  // Bridges: domain values to and from contract messages, written once for all services.
  room(
    .bridges, "Translation",
    uses: [
      "Bytes", "Calls", "Chrono", "Contracts", "Mutants", "Orders", "Portfolio", "Risk", "Units",
      "Venue", "Wire",
    ]),

  // Venues: each exchange's dialect, and the simulator that speaks it back.
  room(
    .venues, "Venues",
    uses: [
      "Bytes", "Calls", "Chrono", "JSON", "Loop", "OrderBook", "Recording", "Security", "Telemetry",
      "Transport", "Units", "Venue",
    ]),
  room(
    .venues, "VenueSimulator", folder: "Simulator",
    uses: [
      "Bytes", "Calls", "Chrono", "JSON", "Loop", "OrderBook", "Recording", "Security", "Telemetry",
      "Transport", "Units", "Venue",
    ]),

  room(.venues, "TickRing", uses: ["Chrono", "SharedRing", "Venue"]),

  // Services: one shape.
  service("Discovery"),
  service("Auth", uses: ["JSON", "Postgres", "Security"]),
  service("Gateway", uses: ["JSON", "Transcoding"]),
  service(
    "MarketConnector",
    uses: [
      "EventBus", "JSON", "MarketQuality", "OrderBook", "Orders", "Security", "SharedRing",
      "TickRing", "Translation", "Venue", "Venues",
    ]),
  service("Orderbook", uses: ["MarketQuality", "Translation", "OrderBook", "Venue"]),
  service(
    "RiskManager",
    uses: ["Translation", "Journal", "Orders", "Portfolio", "Postgres", "Risk", "Venue"]),
  service(
    "TradingGateway",
    uses: [
      "EventBus", "JSON", "OrderBook", "Orders", "Portfolio", "Risk", "SharedRing", "Signals",
      "TickRing", "Translation", "Venue",
    ]),
  service(
    "OMS",
    uses: ["Translation", "Journal", "Orders", "Portfolio", "Postgres", "Tables", "Venue"]),
  service(
    "ExecutionRouter",
    uses: ["Translation", "Execution", "Journal", "Orders", "Tables", "Venue"]),
  service("PortfolioManager", uses: ["Translation", "Portfolio", "Postgres", "Venue"]),

  // Apps.
  room(
    .apps, "Storm",
    uses: [
      "Calls", "Chrono", "Contracts", "Execution", "ExecutionRouterService", "Journal", "Loop",
      "MarketConnectorService", "Mutants", "OMSService", "OrderBook", "Orders",
      "PortfolioManagerService", "Postgres",
      "Risk", "RiskManagerService", "ServiceKit", "Telemetry", "TradingGatewayService",
      "Translation", "Transport", "Units", "Venue", "VenueSimulator", "Venues", "Wire",
    ]),
  room(
    .apps, "Commands",
    uses: [
      "AuthService", "Bytes", "Calls", "Chrono", "Contracts", "DiscoveryService",
      "ExecutionRouterService", "GatewayService", "Interop", "JSON", "Loop",
      "MarketConnectorService", "OMSService", "OrderbookService", "PortfolioManagerService",
      "Postgres", "Recording", "RiskManagerService", "Security", "ServiceKit", "Storm", "Telemetry",
      "TradingGatewayService", "Transcoding",
      "Transport", "Units", "Venue", "VenueSimulator", "Venues", "Wire",
    ]),
  app("shrivenquant", uses: ["Commands"]),
  app("protoc-gen-shrivenquant", uses: ["Wire"]),

  // Tests mirror Sources.
  support(
    "TestKit", in: "Support/TestKit",
    uses: [
      "Bytes", "Calls", "Chrono", "Loop", "Security", "Telemetry", "Transport", "Units", "Wire",
    ]),
  support("Seeds", in: "Support/Seeds", uses: []),
  support(
    "SimulatorKit", in: "Support/SimulatorKit",
    uses: ["Bytes", "Chrono", "JSON", "Security", "Transport", "Units", "Venue", "VenueSimulator"]),
  support("StormRunner", in: "Support/StormRunner", uses: ["Storm"], kind: .executable),
  support("CAllocationCount", in: "Support/CAllocationCount", uses: [], kind: .shim(links: [])),
  tests("UnitsTests", in: "Base/UnitsTests", uses: ["Units"]),
  tests("BytesTests", in: "Base/BytesTests", uses: ["Bytes"]),
  tests("ChronoTests", in: "Base/ChronoTests", uses: ["Chrono"]),
  tests("WireTests", in: "Base/WireTests", uses: ["Wire"]),
  tests(
    "ContractsTests", in: "ContractsTests",
    uses: [
      "CContracts", "CProtobuf", "Calls", "Chrono", "Contracts", "Seeds", "Transcoding", "Units",
      "Wire",
      "protoc-gen-shrivenquant",
    ]),
  tests("LoopTests", in: "Platform/LoopTests", uses: ["Chrono", "Loop"]),
  tests("TelemetryTests", in: "Platform/TelemetryTests", uses: ["Bytes", "Chrono", "Telemetry"]),
  tests("JSONTests", in: "Platform/JSONTests", uses: ["JSON"]),
  tests(
    "SecurityTests", in: "Platform/SecurityTests", uses: ["Bytes", "JSON", "Security", "TestKit"]),
  tests(
    "TransportTests", in: "Platform/TransportTests",
    uses: [
      "Bytes", "CAllocationCount", "CBlockPool", "CNGHTTP2", "COpenSSL", "Calls", "Chrono",
      "Contracts", "Loop", "Security", "Seeds", "Telemetry",
      "TestKit",
      "Transport",
      "Wire",
    ]),
  tests(
    "InteropTests", in: "Platform/InteropTests",
    uses: [
      "Calls", "Chrono", "Contracts", "Interop", "Loop", "Security", "TestKit", "Transport", "Wire",
    ]),
  tests(
    "TranscodingTests", in: "Platform/TranscodingTests",
    uses: ["Calls", "Contracts", "JSON", "Seeds", "Transcoding", "Units", "Wire"]),
  tests(
    "PostgresTests", in: "Platform/PostgresTests",
    uses: ["Bytes", "Chrono", "Loop", "Postgres", "Units"]),
  tests(
    "JournalTests", in: "Platform/JournalTests",
    uses: ["Bytes", "Chrono", "Journal", "Loop", "Seeds"]),
  tests(
    "SharedRingTests", in: "Platform/SharedRingTests", uses: ["CAllocationCount", "SharedRing"]),
  tests(
    "RecordingTests", in: "Platform/RecordingTests",
    uses: ["Bytes", "Chrono", "Recording", "TestKit"]),
  tests(
    "EventBusTests", in: "Platform/EventBusTests", uses: ["Chrono", "EventBus", "Loop", "Seeds"]),
  tests(
    "ServiceKitTests", in: "Platform/ServiceKitTests",
    uses: [
      "Calls", "Chrono", "Contracts", "Journal", "Loop", "Security", "ServiceKit", "Telemetry",
      "TestKit",
      "Transport", "Units", "Wire",
    ]),
  tests("VenueTests", in: "Domain/VenueTests", uses: ["Chrono", "Seeds", "Units", "Venue"]),
  tests(
    "OrdersTests", in: "Domain/OrdersTests", uses: ["Chrono", "Orders", "Seeds", "Units", "Venue"]),
  tests(
    "OrderBookTests", in: "Domain/OrderBookTests",
    uses: ["Bytes", "CAllocationCount", "Chrono", "JSON", "OrderBook", "Units", "Venue"]),
  tests(
    "MarketQualityTests", in: "Domain/MarketQualityTests",
    uses: ["Chrono", "MarketQuality", "Seeds", "Units", "Venue"]),
  tests(
    "PortfolioTests", in: "Domain/PortfolioTests",
    uses: ["Chrono", "Portfolio", "Seeds", "Units", "Venue"]),
  tests(
    "RiskTests", in: "Domain/RiskTests",
    uses: ["CAllocationCount", "Chrono", "Orders", "Portfolio", "Risk", "Seeds", "Units", "Venue"]),
  tests(
    "ExecutionTests", in: "Domain/ExecutionTests",
    uses: ["Chrono", "Execution", "Orders", "Seeds", "Tables", "Units", "Venue"]),
  tests(
    "SignalsTests", in: "Domain/SignalsTests",
    uses: ["Chrono", "Orders", "Seeds", "Signals", "Units", "Venue"]),
  tests(
    "VenuesTests", in: "Venues/VenuesTests",
    uses: [
      "Bytes", "CAllocationCount", "Calls", "Chrono", "JSON", "Loop", "MarketQuality", "OrderBook",
      "Recording", "Security", "Seeds", "SimulatorKit", "Telemetry", "TestKit", "Transport",
      "Units", "Venue", "VenueSimulator", "Venues",
    ]),
  tests(
    "SimulatorTests", in: "Venues/SimulatorTests",
    uses: [
      "Bytes", "Chrono", "JSON", "Loop", "OrderBook", "Security", "Seeds", "SimulatorKit",
      "Telemetry", "TestKit", "Transport", "Units", "Venue", "VenueSimulator",
    ]),
  tests(
    "TickRingTests", in: "Venues/TickRingTests",
    uses: ["Chrono", "Seeds", "SharedRing", "TickRing", "Units", "Venue"]),
  tests(
    "ServicesTests", in: "Services/ServicesTests",
    uses: [
      "AuthService", "Bytes", "Calls", "Chrono", "Contracts", "DiscoveryService", "Execution",
      "ExecutionRouterService", "GatewayService", "JSON", "Journal", "Loop",
      "MarketConnectorService", "MarketQuality", "OMSService", "OrderBook", "OrderbookService",
      "Orders", "Portfolio", "PortfolioManagerService", "Postgres", "Risk", "RiskManagerService",
      "Security",
      "Seeds", "ServiceKit", "SharedRing", "Signals", "Telemetry", "TestKit", "TickRing",
      "TradingGatewayService", "Transcoding",
      "Tables", "Translation", "Transport", "Units", "Venue",
      "Venues", "Wire",
    ]),
  tests(
    "CommandsTests", in: "Apps/CommandsTests",
    uses: [
      "Calls", "Chrono", "Commands", "Contracts", "Interop", "Loop", "Postgres", "ServiceKit",
      "Telemetry",
      "TestKit", "Transport", "Units", "VenueSimulator",
    ]),
  tests("StormTests", in: "Apps/StormTests", uses: ["Storm"]),
  tests("HouseTests", in: "House", uses: ["Commands", "ServiceKit", "TestKit"]),
  tests("JourneyTests", in: "Journeys", uses: ["JSON"]),
  support(
    "Fuzz", in: "Fuzz",
    uses: [
      "Bytes", "Calls", "Chrono", "Contracts", "JSON", "Journal", "Loop", "OrderBook", "Seeds",
      "ServiceKit", "Transport", "Units", "Venue", "Venues", "Wire",
    ], kind: .executable),
  support(
    "Benchmarks", in: "Benchmarks",
    uses: [
      "Bytes", "CAllocationCount", "CContracts", "CLinux", "CProtobuf", "Calls", "Chrono",
      "Contracts", "EventBus",
      "Journal", "JSON", "Loop", "OMSService", "OrderBook", "Orders", "Portfolio", "Postgres",
      "Recording",
      "Risk", "Security", "ServiceKit",
      "SharedRing", "Telemetry",
      "Transport", "Units", "Venue", "VenueSimulator", "Venues", "Wire",
    ], kind: .executable),
]

// ------------------------------------------------------------------------------------------------

let byName = Dictionary(uniqueKeysWithValues: rooms.map { ($0.name, $0) })

for room in rooms {
  for use in room.uses {
    guard let used = byName[use] else {
      fatalError("\(room.name) uses \(use), which is not a room")
    }
    guard room.shelf.mayUse.contains(used.shelf) else {
      fatalError(
        "\(room.name) (\(room.shelf.rawValue)) may not use \(use) (\(used.shelf.rawValue))")
    }
  }
}

// Services never use each other, although they share a shelf: the shelf's own name is not in mayUse.

/// `ROOMS=RiskTests,OrdersTests swift test` builds only these rooms and what they use.
func chosen() -> Set<String> {
  guard let list = Context.environment["ROOMS"], !list.isEmpty else { return Set(byName.keys) }
  var open = list.split(separator: ",").map(String.init)
  var found: Set<String> = []
  while let next = open.popLast() {
    guard let room = byName[next] else { fatalError("ROOMS names \(next), which is not a room") }
    if found.insert(next).inserted { open += room.uses }
  }
  return found
}

let strict: [SwiftSetting] =
  [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
  ] + (Context.environment["MUTANTS"] == nil ? [] : [.define("MUTANTS")])

// What makes a process smaller: relocations a tenth as long, equal functions once, no symbols that
// nobody looks up. Only lld knows all three.
let small: [LinkerSetting] = [
  .unsafeFlags(
    [
      "-use-ld=lld", "-Xlinker", "-z", "-Xlinker", "pack-relative-relocs", "-Xlinker", "--icf=safe",
      "-Xlinker", "--no-export-dynamic",
    ], .when(configuration: .release))
]

func target(_ room: Room) -> Target {
  let uses = room.uses.map { Target.Dependency(stringLiteral: $0) }
  return switch room.kind {
  case .systemLibrary(let pkgConfig, let apt):
    .systemLibrary(
      name: room.name, path: room.path, pkgConfig: pkgConfig, providers: [.apt([apt])])
  case .shim(let links):
    .target(
      name: room.name, dependencies: uses, path: room.path, publicHeadersPath: "include",
      // protoc-c's files include each other by their path from here.
      cSettings: [.headerSearchPath("generated")],
      linkerSettings: links.map { .linkedLibrary($0) })
  case .library:
    .target(name: room.name, dependencies: uses, path: room.path, swiftSettings: strict)
  case .executable:
    .executableTarget(
      name: room.name, dependencies: uses, path: room.path,
      // Servers of others that a benchmark builds with their own tools.
      exclude: room.name == "Benchmarks" ? ["Peers"] : [], swiftSettings: strict,
      linkerSettings: room.shelf == .apps ? small : [])
  case .test:
    .testTarget(name: room.name, dependencies: uses, path: room.path, swiftSettings: strict)
  }
}

let selection = chosen()

let package = Package(
  name: "ShrivenQuant",
  targets: rooms.filter { selection.contains($0.name) }.map(target),
  cLanguageStandard: .gnu17,
  cxxLanguageStandard: .cxx17
)
