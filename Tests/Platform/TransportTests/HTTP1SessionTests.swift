import TestKit
import Testing
import Transport

private let host = "Host: x\r\n"

private func echo(_ request: HTTPRequest) -> HTTPResponse {
  HTTPResponse(
    status: 200, contentType: "text/plain",
    body: "\(request.method) \(request.target) \(String(decoding: request.body, as: UTF8.self))")
}

@Suite struct `HTTP/1.1 session` {
  @Test func `requests on one connection are answered in order`() async throws {
    let server = try await EdgeServer { request in
      // The first yields often, the later ones would overtake it if they could.
      if request.target == "/1" { for _ in 0..<100 { await Task.yield() } }
      return echo(request)
    }
    defer { server.stop() }

    let answer = try await server.exchange(
      "GET /1 HTTP/1.1\r\n\(host)\r\nPOST /2 HTTP/1.1\r\n\(host)Content-Length: 2\r\n\r\nab"
        + "GET /3 HTTP/1.1\r\n\(host)Connection: close\r\n\r\n")

    let bodies = answer.split(separator: "\r\n").filter {
      $0.contains("GET /") || $0.contains("POST /")
    }
    #expect(bodies.count == 3)
    #expect(answer.ranges(of: "HTTP/1.1 200 OK").count == 3)
    let places = ["GET /1", "POST /2 ab", "GET /3"].map { answer.firstRange(of: $0)!.lowerBound }
    #expect(places == places.sorted())
    #expect(answer.ranges(of: "connection: close").count == 1)
  }

  @Test func `HEAD has the length and no body`() async throws {
    let server = try await EdgeServer { echo($0) }
    defer { server.stop() }

    let answer = try await server.exchange("HEAD /x HTTP/1.1\r\n\(host)Connection: close\r\n\r\n")

    #expect(answer.hasSuffix("content-length: 8\r\nconnection: close\r\n\r\n"))
  }

  @Test func `a refused request is told why and cut off`() async throws {
    let server = try await EdgeServer { echo($0) }
    defer { server.stop() }

    let answer = try await server.exchange(
      "POST / HTTP/1.1\r\n\(host)Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        + "GET /smuggled HTTP/1.1\r\n\(host)\r\n")

    #expect(answer.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
    #expect(
      answer.hasSuffix(
        #"{"error":{"code":400,"message":"both content-length and transfer-encoding are given","#
          + #""status":"INVALID_ARGUMENT","details":[]}}"#))
    #expect(!answer.contains("smuggled"))
  }

  @Test func `a responder cannot split its response`() async throws {
    let server = try await EdgeServer { _ in
      HTTPResponse(
        status: 204,
        headers: [
          HTTPHeader("x-a", "1\r\nx-evil: 2"), HTTPHeader("content-length", "77"),
          HTTPHeader("transfer-encoding", "chunked"),
        ])
    }
    defer { server.stop() }

    let answer = try await server.exchange("GET / HTTP/1.1\r\n\(host)Connection: close\r\n\r\n")

    #expect(answer == "HTTP/1.1 204 No Content\r\nx-a: 1  x-evil: 2\r\nconnection: close\r\n\r\n")
  }

  @Test func `100 Continue is sent to a peer that waits for it`() async throws {
    let server = try await EdgeServer { echo($0) }
    defer { server.stop() }

    let answer = try await server.exchange(
      "POST / HTTP/1.1\r\n\(host)Expect: 100-continue\r\nContent-Length: 2\r\n\r\n",
      until: "\r\n\r\n")

    #expect(answer == "HTTP/1.1 100 Continue\r\n\r\n")
  }

  @Test func `a peer that is silent, slow with its head or with its body is cut off`() async throws
  {
    var limits = HTTP1Limits()
    limits.idleMax = .milliseconds(30)
    limits.headMax = .milliseconds(30)
    limits.bodyTimeMax = .milliseconds(30)
    let server = try await EdgeServer(limits: limits) { echo($0) }
    defer { server.stop() }

    let silent = try await server.exchange("")
    let head = try await server.exchange("GET / HTTP/1.1\r\nHos")
    let body = try await server.exchange("POST / HTTP/1.1\r\n\(host)Content-Length: 9\r\n\r\nab")

    #expect(silent == "")
    #expect(head.hasPrefix("HTTP/1.1 408 "))
    #expect(body.hasPrefix("HTTP/1.1 408 "))
  }

  @Test func `when draining, the request in hand is answered and the connection closed`()
    async throws
  {
    let (begun, signal) = AsyncStream<Void>.makeStream()
    let (release, gate) = AsyncStream<Void>.makeStream()
    let server = try await EdgeServer { request in
      signal.yield()
      for await _ in release { break }
      return echo(request)
    }
    defer { server.stop() }

    async let answer = server.exchange(
      "GET /1 HTTP/1.1\r\n\(host)\r\nGET /2 HTTP/1.1\r\n\(host)\r\n")
    for await _ in begun { break }
    await server.drain()
    gate.yield()

    let text = try await answer
    #expect(text.contains("GET /1") && text.contains("connection: close"))
    #expect(!text.contains("GET /2"))
  }

  @Test func `the task of a request whose peer goes away is cancelled`() async throws {
    let (ended, signal) = AsyncStream<Bool>.makeStream()
    let server = try await EdgeServer { request in
      await withTaskCancellationHandler {
        let (never, _) = AsyncStream<Void>.makeStream()
        for await _ in never { break }
      } onCancel: {
        signal.yield(true)
      }
      return echo(request)
    }
    defer { server.stop() }

    let client = Task { try await server.exchange("GET /1 HTTP/1.1\r\n\(host)\r\nBAD\r\n") }
    // The raw client is not cut; closing comes from curl below.
    let curl = try await Curl.run(["--max-time", "0.2", "http://127.0.0.1:\(server.port)/slow"])
    for await wasCancelled in ended {
      #expect(wasCancelled)
      break
    }

    #expect(curl.status == 28)
    client.cancel()
  }

  @Test func `curl gets what it asked for`() async throws {
    var limits = HTTP1Limits()
    limits.bodyMax = 100_000
    let server = try await EdgeServer(limits: limits) { request in
      HTTPResponse(
        status: 200, headers: [HTTPHeader("x-method", request.method)], body: request.body)
    }
    defer { server.stop() }
    let url = "http://127.0.0.1:\(server.port)/a"
    let large = String(repeating: "x", count: 90_000)

    let get = try await Curl.run(["-si", url])
    let post = try await Curl.run(["-s", "--data-binary", "@-", url], input: large)
    let chunked = try await Curl.run(
      ["-s", "-H", "Transfer-Encoding: chunked", "--data-binary", "@-", url], input: large)
    let continued = try await Curl.run(
      ["-s", "-H", "Expect: 100-continue", "--data-binary", "@-", url], input: large)
    let tooLarge = try await Curl.run(
      [
        "-s", "-w", "%{http_code} %{content_type}", "-H", "Transfer-Encoding: chunked",
        "--data-binary", "@-", url,
      ], input: large + large)
    let twice = try await Curl.run(["-s", "-w", "%{num_connects} ", url, url])

    #expect(get.output.hasPrefix("HTTP/1.1 200 OK\r\nx-method: GET\r\n"))
    #expect(post.output == large)
    #expect(chunked.output == large)
    #expect(continued.output == large)
    #expect(
      tooLarge.output
        == #"{"error":{"code":413,"message":"the body is over 100000 bytes","#
        + #""status":"INVALID_ARGUMENT","details":[]}}413 application/json"#)
    #expect(twice.output == "1 0 ")
  }

  @Test func `a body that would be refused is not asked for`() async throws {
    var limits = HTTP1Limits()
    limits.bodyMax = 4
    let server = try await EdgeServer(limits: limits) { echo($0) }
    defer { server.stop() }
    func expecting(_ headers: String) async throws -> String {
      try await server.exchange(
        "POST / HTTP/1.1\r\n\(host)Expect: 100-continue\r\n\(headers)\r\n")
    }

    let large = try await expecting("Content-Length: 5\r\n")
    let twice = try await expecting("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n")
    let other = try await expecting("Expect: something\r\nContent-Length: 1\r\n")

    #expect(large.hasPrefix("HTTP/1.1 413 "))
    #expect(twice.hasPrefix("HTTP/1.1 400 "))
    #expect(other.hasPrefix("HTTP/1.1 417 "))
  }

  @Test func `no other protocol is changed to`() async throws {
    let server = try await EdgeServer { echo($0) }
    defer { server.stop() }

    let clear = try await server.exchange(
      "GET /a HTTP/1.1\r\n\(host)Connection: Upgrade, HTTP2-Settings, close\r\n"
        + "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
    let later = try await server.exchange(
      "GET /a HTTP/1.1\r\n\(host)\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

    #expect(clear.hasPrefix("HTTP/1.1 200 OK\r\n") && !clear.contains("upgrade"))
    #expect(later.hasPrefix("HTTP/1.1 200 OK\r\n") && later.contains("HTTP/1.1 505 "))
  }

  @Test func `RPC-09 what is smuggled behind a refused request is never answered`() async throws {
    let served = Counter()
    let server = try await EdgeServer { request in
      served.add()
      return echo(request)
    }
    defer { server.stop() }
    let hidden = "GET /smuggled HTTP/1.1\r\n\(host)\r\n"

    for (trick, status) in `HTTP/1.1 parser`.refused where trick.utf8.count > 20 {
      let answer = try await server.exchange(trick + "\r\n" + hidden)
      #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(trick): \(answer)")
      #expect(!answer.contains("smuggled"), "\(trick)")
    }
    #expect(served.value == 0)
  }

  @Test func `stock clients of each version, of chunks and of requests in a row are served`()
    async throws
  {
    let server = try await EdgeServer { request in
      HTTPResponse(
        status: 200, contentType: "text/plain",
        body: "\(request.method) \(request.target) \(request.body.count)")
    }
    defer { server.stop() }
    let url = "http://127.0.0.1:\(server.port)/a"

    let old = try await Curl.run(["-s", "--http1.0", "-d", "abc", url, url])
    let new = try await Curl.run(["-s", "--http1.1", "-d", "abc", url, "-X", "PUT"])
    let head = try await Curl.run(["-sI", url])
    let python = try await run(
      python, [fixture("python/pipelined_requests.py"), String(server.port)])

    #expect(old.output == "POST /a 3POST /a 3")
    #expect(new.output == "PUT /a 3")
    #expect(head.output.contains("content-length: 9\r\n"))
    #expect(python.output == "ok\n")
  }
}

/// The command-line curl, which Debian has where libcurl is used.
enum Curl {
  static func run(_ arguments: [String], input: String = "") async throws -> ProgramResult {
    try await TestKit.run("curl", ["--noproxy", "*"] + arguments, input: input)
  }
}
