import Glibc

/// Servers of others that are built here, from sources beside ours.
enum Peers {
  private static let sources = "\(Workspace.root)/Tests/Benchmarks/Peers"
  private static let folder = "\(Workspace.root)/.build/peers"

  /// The gRPC C++ callback server on the server's core; nil, with a note, when it cannot be built.
  static func grpcServer() -> Contender? {
    do {
      let child = try Child([try program()], core: Cores.server)
      return Contender(
        name: "gRPC C++ callback", port: try Contender.announcedPort(child), child: child)
    } catch let skip as Skipped {
      note("  without gRPC C++: \(skip.reason)")
    } catch {
      note("  without gRPC C++: \(error)")
    }
    return nil
  }

  /// Nanoseconds of each call of gRPC C++'s blocking client, one after another, on the client's core.
  static func sequentialCalls(port: Int, warmUp: Int, _ calls: Int) throws -> [Double] {
    let arguments = [try program(), "call", "127.0.0.1:\(port)", String(warmUp), String(calls)]
    let text = try Child.output(of: arguments, core: Cores.client)
    let times = text.split(separator: "\n").compactMap { Double($0) }
    guard times.count == calls else { throw Broken("gRPC C++'s client made \(times.count) calls") }
    return times
  }

  /// Two threads that hand a cache line to and fro.
  static func lineProgram() throws -> String {
    let (source, program) = ("\(sources)/line.c", "\(folder)/line")
    if modified(program) >= modified(source), modified(source) > 0 { return program }
    guard isOnPath("gcc") else { throw Skipped(reason: "gcc is missing") }
    try Workspace.make(folder)
    _ = try Child.output(of: ["gcc", "-O2", "-pthread", source, "-o", program])
    return program
  }

  /// Built once, and again when its source is newer.
  private static func program() throws -> String {
    let program = "\(folder)/echo"
    let newest = max(modified("\(sources)/echo.cpp"), modified("\(sources)/echo.proto"))
    if newest > 0, modified(program) >= newest { return program }
    for tool in ["g++", "protoc", "grpc_cpp_plugin", "pkg-config"] where !isOnPath(tool) {
      throw Skipped(
        reason: "\(tool) is missing (g++ libgrpc++-dev protobuf-compiler-grpc pkg-config)")
    }
    note("  building the gRPC C++ echo server")
    try Workspace.make(folder)
    let script = """
      set -e
      cd '\(folder)'
      protoc -I'\(sources)' -I/usr/include --cpp_out=. --grpc_out=. \
        --plugin=protoc-gen-grpc="$(command -v grpc_cpp_plugin)" echo.proto
      g++ -std=c++17 -O2 -I. '\(sources)/echo.cpp' echo.pb.cc echo.grpc.pb.cc -o echo.new \
        $(pkg-config --cflags --libs grpc++ protobuf)
      mv echo.new echo
      """
    _ = try Child.output(of: ["bash", "-c", script])
    return program
  }

  private static func modified(_ path: String) -> Int {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mtim.tv_sec : 0
  }
}
