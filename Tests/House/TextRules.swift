/// The rules of the text, one entry each. A new rule arrives with the change that obeys it.
extension TextRule {
  static let all: [TextRule] =
    sizes + names + boundaries + honesty + concurrency

  private static let swift = ["Sources", "Tests"]

  // MARK: Sizes

  private static let fileLinesMax = 500
  private static let functionLinesMax = 60

  private static let sizes = [
    TextRule(
      "a file fits a head", remedy: "split it by organ before \(fileLinesMax) lines", in: swift,
      bad: ("Sources/A.swift", String(repeating: "let a = 1\n", count: fileLinesMax + 1)),
      good: String(repeating: "let a = 1\n", count: fileLinesMax - 1)
    ) { $0.lines.count > fileLinesMax ? [0] : [] },
    TextRule(
      "a function fits a head",
      remedy: "more than \(functionLinesMax) lines of code; give its parts names", in: swift,
      bad: (
        "Sources/A.swift",
        "func a() {\n" + String(repeating: "  b()\n", count: functionLinesMax) + "}\n"
      ),
      good: "func a() {\n" + String(repeating: "  // b {\n\n", count: functionLinesMax) + "}\n"
    ) { FunctionSpan.all(in: $0.code).filter { $0.codeLines > functionLinesMax }.map(\.line) },
  ]

  // MARK: Names

  private static let drawers = [
    "Utils", "Utilities", "Helpers", "Extensions", "Types", "Constants", "Common", "Misc",
  ]
  private static let emptyEndings = ["Manager", "Helper", "Impl", "Base", "Info", "Util", "Utils"]

  private static let names = [
    TextRule(
      "no file is a drawer",
      remedy: "name it for the type inside, or for its topic (Type+Topic.swift)", in: swift,
      bad: ("Sources/Base/Utils.swift", ""), good: "", isAboutPath: true
    ) { file in drawers.contains(String(file.name.dropLast(".swift".count))) ? [0] : [] },
    TextRule(
      "a type says its role",
      remedy: "Manager, Helper, Impl, Base, Info say nothing; what does it do?", in: ["Sources"],
      bad: ("Sources/A.swift", "final class OrderManager {"), good: "final class OrderDesk {",
      offences: code { line in
        let words = line.words
        guard
          let index = words.firstIndex(where: { ["class", "struct", "enum", "actor"].contains($0) }
          ),
          index + 1 < words.count
        else { return false }
        // Two services are named so, by the sources of the project.
        let name = words[index + 1]
        if name == "RiskManager" || name == "PortfolioManager" { return false }
        return emptyEndings.contains { name.hasSuffix($0) && name != $0 }
      }),
  ]

  // MARK: Boundaries

  private static let boundaries = [
    TextRule(
      "nothing is public", remedy: "nobody outside uses us; say package", in: ["Sources"],
      except: Dictionary(
        uniqueKeysWithValues: [
          "Message", "OpenEnum", "ScalarCodec", "UnknownFields", "WireError", "WireReader",
          "WireSize", "WireWriter",
        ].map { ("Sources/Base/Wire/\($0).swift", "inlined into other modules only when public") }
          + ["EventRing", "Overflow", "Subscription", "Topic"].map {
            ("Sources/Platform/EventBus/\($0).swift", "inlined into other modules only when public")
          }
          + ["Bytes/ByteReader", "Bytes/ByteWriter", "Tables/ShardedDictionary"].map {
            ("Sources/Base/\($0).swift", "specialised in other modules only when public")
          }),
      bad: ("Sources/A.swift", "  public let a: Int"), good: "  package let a: Int",
      offences: code { $0.drop { $0 == " " }.hasPrefix("public ") }),
    TextRule(
      "Foundation stays out of everything but tests",
      remedy: "it costs 60 MB of disk and 11 of memory; CLinux and Glibc have what is needed",
      in: ["Sources"],
      bad: ("Sources/A.swift", "internal import Foundation"), good: "internal import Glibc",
      offences: code {
        $0.hasSuffix("import Foundation") || $0.hasSuffix("import FoundationEssentials")
      }),
    TextRule(
      "money is never a Double", remedy: "integers with a scale, from Units",
      in: [
        "Sources/Base/Units", "Sources/Domain/Orders", "Sources/Domain/OrderBook",
        "Sources/Domain/Risk", "Sources/Domain/Execution", "Sources/Domain/Portfolio",
        "Sources/Domain/Venue",
      ],
      except: ["Sources/Domain/OrderBook/BookDepth.swift": "an imbalance is a ratio, not money"],
      bad: ("Sources/Domain/Risk/A.swift", "let price: Double"),
      good: "let price: Price // no Double",
      offences: code { $0.words.contains("Double") || $0.words.contains("Float") }),
    TextRule(
      "domain code has no clock, chance, thread, lock or I-O of its own",
      remedy: "take it as an argument; the shell around it has it", in: ["Sources/Domain"],
      bad: ("Sources/Domain/Risk/A.swift", "let now = SystemTime().now"), good: "let now: Instant",
      offences: code { line in
        ["SystemTime(", ".random(in", "Task.detached", "import Glibc", "import CLinux"]
          .contains { line.contains($0) }
          || line.words.contains {
            [
              "ContinuousClock", "SuspendingClock", "SystemRandomNumberGenerator", "Mutex", "Task",
              "print",
            ].contains($0)
          }
      }),
    TextRule(
      "no service imports another", remedy: "services meet over Contracts",
      in: ["Sources/Services"],
      bad: ("Sources/Services/A/B.swift", "internal import AuthService"),
      good: "internal import Contracts",
      offences: code { $0.contains("import ") && $0.hasSuffix("Service") }),
  ]

  // MARK: Honesty

  // Spelled in two parts so that this file does not name them.
  private static let unfinished = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]
  private static let places = ["/ho" + "me/", "/ro" + "ot/", "/wo" + "rk/", "/var/t" + "mp/"]
  private static let texts = [
    "Sources", "Tests", "Protos", "docs", "docker", "README.md", "Makefile",
  ]
  private static let textEndings = [
    "swift", "c", "h", "cpp", "proto", "md", "yaml", "yml", "py", "Dockerfile",
  ]

  private static let honesty = [
    TextRule(
      "what is unfinished does not merge", remedy: "build it, or leave it out", in: texts,
      endings: textEndings, bad: ("Sources/A.swift", "// \(unfinished[0]) later"),
      good: "// later: a word and no promise",
      offences: text { line in
        unfinished.contains { line.contains("// \($0)") || line.contains("\($0):") }
      }),
    TextRule(
      "no file knows a place of one machine", remedy: "take it from the environment or the tree",
      in: texts, endings: textEndings, bad: ("docs/a.md", "see `\(places[2])main`"),
      good: "see `docs/network/main`",
      offences: text { line in
        places.contains { place in
          ["\"", " ", "`", "=", "("].contains { line.contains("\($0)\(place)") }
        }
      }),
    TextRule(
      "print is for nobody",
      remedy:
        "it is block-buffered and lost in a crash; logs go through Telemetry, answers through Terminal",
      in: ["Sources"],
      bad: ("Sources/A.swift", "    print(\"a\")"), good: "  static func print(_ a: Int) {",
      offences: code { $0.drop { $0 == " " }.hasPrefix("print(") }),
    TextRule(
      "an error is never dropped with try?",
      remedy: "catch it, and say in a comment why nothing is done", in: ["Sources"],
      except: [
        "Sources/Domain/Orders/OrderLifecycle+Reading.swift":
          "an average that has no digits to show"
      ],
      bad: ("Sources/A.swift", "let a = try? b()"), good: "let a = retry?.b()",
      offences: code { $0.contains(" try? ") || $0.contains("(try? ") || $0.hasPrefix("try? ") }),
  ]

  // MARK: Concurrency

  private static let simulated = [
    "Sources/Apps/Storm", "Sources/Platform/EventBus", "Sources/Platform/Transport/InProcess",
    "Sources/Platform/Transport/Simulated", "Sources/Services/ExecutionRouter",
    "Sources/Services/MarketConnector", "Sources/Services/OMS", "Sources/Services/PortfolioManager",
    "Sources/Services/RiskManager", "Sources/Services/TradingGateway", "Sources/Venues/Simulator",
  ]

  private static let concurrency = [
    TextRule(
      "every unchecked Sendable says why it is safe", remedy: "prove it in a comment above",
      in: ["Sources"], bad: ("Sources/A.swift", "final class A: @unchecked Sendable {"),
      good: "/// Confined to its loop.\nfinal class A: @unchecked Sendable {"
    ) { file in
      file.code.indices.filter { index in
        guard file.code[index].contains("@unchecked Sendable") else { return false }
        return !file.lines[max(0, index - 20)...min(index + 2, file.lines.count - 1)]
          .contains { $0.contains("//") }
      }.map { $0 + 1 }
    },
    TextRule(
      "a task has an owner",
      remedy: "context.spawn, loop.spawn, or keep the task and await or cancel it", in: ["Sources"],
      bad: ("Sources/A.swift", "  func a() {\n    Task { await b() }"),
      good: "    } onCancel: {\n      Task { await self.cancelWait(id) }"
    ) { file in
      file.code.indices.filter { index in
        let line = file.code[index].drop { $0 == " " }
        guard ["Task {", "Task.detached", "_ = Task"].contains(where: { line.hasPrefix($0) })
        else { return false }
        // The one hop from a cancellation handler into an actor ends by itself.
        return index == 0 || !file.code[index - 1].hasSuffix("onCancel: {")
      }.map { $0 + 1 }
    },
    TextRule(
      "what a storm runs has no clock or chance of its own",
      remedy: "loop.uptime, context.time, loop.sleep, loop.randomNumber, loop.spawn", in: simulated,
      except: [
        "Sources/Apps/Storm/Storm.swift": "how long a run took is real time",
        "Sources/Apps/Storm/StormProgram.swift": "so is how long a person wants to wait",
        "Sources/Platform/Transport/InProcess/InProcessCall.swift": "without a loop there is none",
        "Sources/Platform/Transport/InProcess/InProcessChannel.swift":
          "without a loop there is none",
      ],
      bad: ("Sources/Services/OMS/A.swift", "    await Task.sleep(for: .seconds(1))"),
      good: "    await context.loop.sleep(for: .seconds(1))",
      offences: code { line in
        ["SystemTime().", "Task.sleep", "Task.detached", ".random(in", " Task {"].contains {
          line.contains($0)
        }
          || line.words.contains {
            ["SystemRandomNumberGenerator", "ContinuousClock", "SuspendingClock"].contains($0)
          }
      }),
    TextRule(
      "no test waits for time to pass", remedy: "await a condition, or advance the simulated clock",
      in: [
        "Tests/Base", "Tests/ContractsTests", "Tests/Domain", "Tests/Platform", "Tests/Venues",
        "Tests/Services", "Tests/Apps",
      ],
      except: ["Tests/Platform/LoopTests/EventLoopTests.swift": "sleeping is what it tests"],
      bad: ("Tests/Base/A.swift", "  try await Task.sleep(for: .seconds(1))"),
      good: "  try await loop.sleeping(for: 1)",
      offences: code {
        $0.contains("Task.sleep") || $0.contains("Thread.sleep") || $0.contains("usleep(")
      }),
  ]
}
