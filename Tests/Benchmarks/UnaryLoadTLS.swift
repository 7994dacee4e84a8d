import Calls

/// `rpc.unary.tls`: as `rpc.unary`, over TLS 1.3 with one cipher suite and one certificate for all.
/// What counts is the CPU per request: encryption is the same for both, the way to it is not.
enum UnaryLoadTLS {
  private static let rounds = 5
  static let cipher = "TLS_AES_128_GCM_SHA256"

  static func run() throws -> [Figures] {
    try Load.requireTools()
    let workspace = try Workspace("unary-tls")
    try workspace.write(EchoServer.frame, to: "request")
    let (path, body) = (EchoServer.unary.path, "\(workspace.path)/request")
    try workspace.write(EchoServer.frame, to: "files\(path)")
    let files = try ServerFiles(in: workspace)
    let ours = try Contender.ours(files.options)
    let nghttpd = try Contender.nghttpd(files: "\(workspace.path)/files", credentials: files)
    let load = Load(cipher: cipher)
    for _ in 0..<rounds {
      for contender in [ours, nghttpd] { try contender.takeRound(load, path: path, body: body) }
    }
    var figures = Figures("rpc.unary.tls")
    let timed = try Load(timesRequests: true, cipher: cipher).run(
      port: ours.port, path: path, body: body)
    figures.measured(timed.nanoseconds)
    figures.operationsPerSecond = ours.requestsPerSecond
    UnaryLoad.compare(&figures, ours, nghttpd)
    figures.ratio = nghttpd.processorMicroseconds / ours.processorMicroseconds
    figures.allocations = ours.allocationsAtEnd()
    return [figures]
  }
}
