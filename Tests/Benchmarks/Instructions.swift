import Calls
import Glibc

/// `rpc.instructions`: what valgrind's callgrind counts for one unary echo in our server and in
/// nghttpd, plaintext and (`.tls`) over TLS. Each serves two loads of h2load in two processes, and what
/// the larger one cost more is divided by its further requests: the start is in both.
enum Instructions {
  private static let (small, large) = (2_000, 12_000)

  static func run() throws -> [Figures] {
    try Load.requireTools()
    for tool in ["valgrind", "strip"] where !isOnPath(tool) {
      throw Skipped(reason: "\(tool) is not installed (valgrind, binutils)")
    }
    let workspace = try Workspace("instructions")
    try workspace.write(EchoServer.frame, to: "request")
    try workspace.write(EchoServer.frame, to: "files\(EchoServer.unary.path)")
    let files = try ServerFiles(in: workspace)
    // Debian's valgrind gives up on the newer debug information of Swift's compiler.
    _ = try Child.output(
      of: ["strip", "-g", "-o", "\(workspace.path)/program", try realPath("/proc/self/exe")])
    return [
      try figures("rpc.instructions", workspace, nil, cipher: nil),
      try figures("rpc.instructions.tls", workspace, files, cipher: UnaryLoadTLS.cipher),
    ]
  }

  private static func figures(
    _ name: String, _ workspace: Workspace, _ files: ServerFiles?,
    cipher: String?
  ) throws -> Figures {
    let options = files?.options ?? []
    let ours = try perRequest(workspace, cipher) { tool in
      try Contender.ours(options, program: tool + ["\(workspace.path)/program"])
    }
    let nghttpd = try perRequest(workspace, cipher) { tool in
      try Contender.nghttpd(files: "\(workspace.path)/files", credentials: files, under: tool)
    }
    var figures = Figures(name)
    figures.peer = "nghttpd"
    figures.ratio = nghttpd / ours
    figures.more = [("instructions", ours), ("peer_instructions", nghttpd)]
    return figures
  }

  private static func perRequest(
    _ workspace: Workspace, _ cipher: String?, _ start: ([String]) throws -> Contender
  ) throws -> Double {
    let few = try count(small, workspace, cipher, start)
    let many = try count(large, workspace, cipher, start)
    return (many - few) / Double(large - small)
  }

  /// Of a whole process that serves so many requests.
  private static func count(
    _ requests: Int, _ workspace: Workspace, _ cipher: String?,
    _ start: ([String]) throws -> Contender
  ) throws -> Double {
    let output = "\(workspace.path)/callgrind.out"
    let contender = try start([
      "valgrind", "--tool=callgrind", "--callgrind-out-file=\(output)",
    ])
    let load = Load(cipher: cipher, requests: requests)
    _ = try load.run(
      port: contender.port, path: EchoServer.unary.path, body: "\(workspace.path)/request")
    contender.child.stop()
    let lines = (readWhole(output) ?? "").split(separator: "\n")
    let totals = lines.last { $0.hasPrefix("totals: ") || $0.hasPrefix("summary: ") }
    guard let count = totals.flatMap({ Double($0.split(separator: " ")[1]) }), count > 0 else {
      throw Broken("callgrind counted nothing")
    }
    return count
  }
}
