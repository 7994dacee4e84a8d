import Glibc

/// Sends orders over kept connections and waits for each answer.
final class OrderClient {
  private let port: Int
  private(set) var sent = 0
  private let head: String
  private let bodyStart: String
  private let bodyEnd: String

  /// `timeInForce` IOC: each ends at once.
  init(port: Int, token: String, price: String, timeInForce: String = "IOC", run: String = "b") {
    self.port = port
    head =
      "POST /v1/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer \(token)\r\n"
      + "Content-Type: application/json\r\nContent-Length: "
    bodyStart = "{\"clientOrderId\":\"\(run)\(getpid())-"
    bodyEnd =
      #"","symbol":"BTCUSDT","venue":"binance","side":"BUY","type":"LIMIT","timeInForce":"#
      + "\"\(timeInForce)\",\"price\":\"\(price)\",\"quantity\":\"0.001\"}"
  }

  /// One after another; nanoseconds of each, and the answers.
  func alone(orders: Int, pause: UInt32) throws -> (times: [Double], answers: [[UInt8]]) {
    let line = try Line(port: port)
    var times: [Double] = []
    var answers: [[UInt8]] = []
    for _ in 0..<orders {
      let began = now()
      try line.send(request())
      answers.append(try line.answer())
      times.append(Double(now() - began))
      usleep(pause)
    }
    return (times, answers)
  }

  /// Every connection has one order under way; nanoseconds of each that was answered.
  func load(connections: Int, seconds: Int) throws -> [Double] {
    try load(connections: connections, until: now() + UInt64(seconds) * 1_000_000_000, most: .max)
  }

  /// So many orders, as fast as they are answered.
  func load(connections: Int, orders: Int) throws {
    _ = try load(connections: connections, until: .max, most: sent + orders)
  }

  private func load(connections: Int, until end: UInt64, most: Int) throws -> [Double] {
    let lines = try (0..<connections).map { _ in try Line(port: port) }
    var began = [UInt64](repeating: 0, count: connections)
    var times: [Double] = []
    for (index, line) in lines.enumerated() {
      began[index] = now()
      try line.send(request())
    }
    var waiting = connections
    times.reserveCapacity(1 << 18)
    var polls = lines.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
    while waiting > 0 {
      guard poll(&polls, nfds_t(polls.count), 10_000) > 0 else {
        throw Broken("\(waiting) orders are not answered after 10 s")
      }
      for index in polls.indices where polls[index].revents != 0 {
        guard try lines[index].isAnswered() else { continue }
        let time = now()
        times.append(Double(time - began[index]))
        if time >= end || sent >= most {
          waiting -= 1
        } else {
          began[index] = time
          try lines[index].send(request())
        }
      }
    }
    return times
  }

  private func request() -> [UInt8] {
    sent += 1
    let body = "\(bodyStart)\(sent)\(bodyEnd)"
    return Array("\(head)\(body.utf8.count)\r\n\r\n\(body)".utf8)
  }

  private func now() -> UInt64 { monotonicNanoseconds() }
}

/// One connection and the answer that is coming in on it.
final class Line {
  let descriptor: Int32
  private var block = [UInt8](repeating: 0, count: 16_384)
  private var filled = 0
  private var body: ArraySlice<UInt8> = []

  init(port: Int) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var one: Int32 = 1
    setsockopt(
      descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard connected == 0 else { throw Broken("the gateway refuses: \(SystemCall.lastError)") }
  }

  deinit { close(descriptor) }

  func send(_ request: [UInt8]) throws {
    guard write(descriptor, request, request.count) == request.count else {
      throw Broken("an order could not be sent: \(SystemCall.lastError)")
    }
  }

  /// Waits for an answer 201; its body.
  func answer() throws -> [UInt8] {
    while try !isAnswered() {}
    return Array(body)
  }

  /// Reads what has come; true when it completes an answer 201.
  func isAnswered() throws -> Bool {
    let count = block.withUnsafeMutableBytes { bytes in
      read(descriptor, bytes.baseAddress! + filled, bytes.count - filled)
    }
    guard count > 0 else { throw Broken("the gateway has hung up") }
    filled += count
    guard let range = whole() else { return false }
    guard block[9..<12].elementsEqual("201".utf8) else {
      let text = String(decoding: block[..<min(filled, 600)], as: UTF8.self)
      throw Broken("an order was answered \(text)")
    }
    body = block[range]
    filled = 0
    return true
  }

  /// Where the body of an answer lies that has come whole.
  private func whole() -> Range<Int>? {
    guard let head = place(of: "\r\n\r\n", before: filled),
      let field = place(of: "content-length:", before: head)
    else { return nil }
    var length = 0
    for byte in block[(field + 15)..<head] {
      if byte == 0x20 { continue }
      guard UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte else { break }
      length = length * 10 + Int(byte - UInt8(ascii: "0"))
    }
    return filled >= head + 4 + length ? head + 4..<head + 4 + length : nil
  }

  private func place(of text: StaticString, before end: Int) -> Int? {
    let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    return block.withUnsafeBufferPointer { bytes in
      var start = 0
      while start + wanted.count <= end {
        if bytes[start] == wanted[0],
          memcmp(bytes.baseAddress! + start, wanted.baseAddress!, wanted.count) == 0
        {
          return start
        }
        start += 1
      }
      return nil
    }
  }
}
