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
}

/// The command-line curl, which Debian has where libcurl is used.
enum Curl {
  static func run(_ arguments: [String], input: String = "") async throws -> ProgramResult {
    try await TestKit.run("curl", ["--noproxy", "*"] + arguments, input: input)
  }
}
