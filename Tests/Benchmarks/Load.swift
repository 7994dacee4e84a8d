import Glibc

/// h2load, one thread on the client's core, posting one gRPC message again and again.
struct Load {
  var connections = 10
  var streams = 32
  var seconds = 1
  /// The time of each request is kept: some work for the client, so not for rounds that count.
  var timesRequests = false
  /// Over TLS with this cipher suite; nil for plaintext.
  var cipher: String?
  /// So many requests in all, instead of a time.
  var requests: Int?

  static func requireTools() throws {
    for tool in ["h2load", "nghttpd"] where !isOnPath(tool) {
      throw Skipped(reason: "\(tool) is not installed (nghttp2-client, nghttp2-server)")
    }
  }

  func run(port: Int, path: String, body: String) throws -> LoadRound {
    let log = "\(body).log"
    var arguments = [
      "h2load", "-c", String(connections), "-m", String(streams), "-t", "1",
      "-d", body, "-H", "content-type: application/grpc", "-H", "te: trailers",
    ]
    if let requests {
      arguments += ["-n", String(requests)]
    } else {
      arguments += ["-D", String(seconds)]
    }
    if let cipher { arguments += ["--tls13-ciphers", cipher] }
    if timesRequests { arguments += ["--log-file", log] }
    let scheme = cipher == nil ? "http" : "https"
    let text = try Child.output(
      of: arguments + ["\(scheme)://127.0.0.1:\(port)\(path)"], core: Cores.client)
    if let cipher, !text.contains("Cipher: \(cipher)") {
      throw Broken("not spoken: \(cipher)")
    }
    var round = try LoadRound(reading: text)
    if timesRequests {
      round.nanoseconds = Self.times(readWhole(log) ?? "")
      unlink(log)
    }
    return round
  }

  /// Lines of `start status microseconds`.
  private static func times(_ log: String) -> [Double] {
    log.utf8.split(separator: UInt8(ascii: "\n")).compactMap { line in
      let fields = line.split(separator: UInt8(ascii: "\t"))
      guard fields.count == 3, let microseconds = Double(Substring(fields[2])) else { return nil }
      return microseconds * 1_000
    }
  }
}

/// What h2load said.
struct LoadRound {
  let requests: Int
  let requestsPerSecond: Double
  /// Of each request, when they were timed.
  var nanoseconds: [Double] = []

  init(reading text: String) throws {
    var (rate, requests) = (0.0, 0)
    for line in text.split(separator: "\n") {
      let words = line.split { $0 == " " || $0 == "," }
      if line.hasPrefix("finished in "), words.count > 3 { rate = Double(words[3]) ?? 0 }
      guard line.hasPrefix("requests: "), words.count > 12 else { continue }
      // "requests: 9 total, 9 started, 9 done, 9 succeeded, 0 failed, 0 errored, 0 timeout"
      requests = Int(words[7]) ?? 0
      guard words[9] == "0", words[11] == "0" else { throw Broken("requests failed: \(line)") }
    }
    guard requests > 0, rate > 0 else { throw Broken("no request succeeded:\n\(text)") }
    (self.requests, requestsPerSecond) = (requests, rate)
  }
}

func isOnPath(_ program: String) -> Bool {
  let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/sbin:/usr/bin:/sbin:/bin"
  return path.split(separator: ":").contains { access("\($0)/\(program)", X_OK) == 0 }
}

func realPath(_ path: String) throws -> String {
  guard let resolved = realpath(path, nil) else { throw Broken("\(path): \(SystemCall.lastError)") }
  defer { free(resolved) }
  return String(cString: resolved)
}
