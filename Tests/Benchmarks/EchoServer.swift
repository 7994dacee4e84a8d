import CAllocationCount
import Calls
import Chrono
import Contracts
import Glibc
import Journal
import Loop
import Security
import Synchronization
import Transport
import Wire

/// The server under test, one loop on one thread, in a process of its own: echoes a message, streams
/// messages, holds streams open, and accepts orders into a journal. It says `ready PORT` (0 on a Unix
/// socket), and when its stdin ends `operations N allocations M`, the heap allocations of its loop
/// during those N operations.
enum EchoServer {
  static let command = "serve"
  private static let service = "shrivenquant.benchmarks.v1.Echo"

  static let unary = MethodDescriptor(
    service: service, name: "Unary", shape: .unary, scope: .anonymous, isIdempotent: true,
    request: GoogleProtobuf.StringValue.typeName, response: GoogleProtobuf.StringValue.typeName)
  /// Answers with as many messages as the request's value says.
  static let stream = MethodDescriptor(
    service: service, name: "Stream", shape: .serverStreaming, scope: .anonymous,
    isIdempotent: true, request: GoogleProtobuf.Int64Value.typeName,
    response: GoogleProtobuf.StringValue.typeName)
  /// Reads what comes and answers nothing.
  static let hold = MethodDescriptor(
    service: service, name: "Hold", shape: .bidirectionalStreaming, scope: .anonymous,
    isIdempotent: true, request: GoogleProtobuf.StringValue.typeName,
    response: GoogleProtobuf.StringValue.typeName)
  static let accept = OmsV1.OrderService.acceptOrder

  /// 32 bytes as a message, 37 as gRPC frames it.
  static let message = GoogleProtobuf.StringValue.with {
    $0.value = "thirty characters of a message"
  }
  static let frame = framed(message.encoded())

  /// Uncompressed, with its length.
  static func framed(_ message: [UInt8]) -> [UInt8] {
    let count = UInt32(message.count)
    return [0] + (0..<4).map { UInt8(truncatingIfNeeded: count >> (24 - 8 * $0)) } + message
  }

  static func run(_ arguments: [String]) -> Int32 {
    guard let options = EchoServerOptions(arguments) else {
      note("usage: Benchmarks serve \(EchoServerOptions.usage)")
      return 2
    }
    let tally = Tally()
    do {
      try serve(try configuration(options, tally), spin: options.spin)
    } catch {
      note("the echo server failed: \(error)")
      return 1
    }
    say("operations \(tally.operations) allocations \(tally.allocations)\n")
    return 0
  }

  private static func configuration(
    _ options: EchoServerOptions, _ tally: Tally
  ) throws -> ServerConfiguration {
    var configuration = ServerConfiguration(address: options.address, methods: echoes(tally))
    configuration.plaintextPolicy = .everything
    // More than any benchmark opens, so that none of them meets it.
    configuration.limits.connectionsMax = 20_000
    if let folder = options.journal {
      configuration.methods.append(acceptor(try Journal.open(folder), tally))
    }
    if let files = options.credentials {
      guard let certificate = readWhole(files.certificate), let key = readWhole(files.key) else {
        throw Broken("\(files.certificate) or \(files.key) cannot be read")
      }
      configuration.tls = try .server(
        Credentials(certificate: certificate, key: key), clients: .notAsked, alpn: .h2)
    }
    return configuration
  }

  private static func serve(_ configuration: ServerConfiguration, spin: Duration) throws {
    try onLoop(spin: spin) { loop in
      let server = Server(configuration, loop: loop)
      var port = 0
      if case .tcp(_, let chosen) = try await server.start() { port = chosen }
      say("ready \(port)\n")
      let input = InputEnd()
      let registration = try loop.register(0, .readable, input)
      await input.wait()
      loop.unregister(registration)
      await server.stop()
    }
  }

  private static func echoes(_ tally: Tally) -> [ServerMethod] {
    [
      ServerMethod(
        unary,
        .unary { bytes, _ in
          tally.count()
          let request: GoogleProtobuf.StringValue = try decodeMessage(bytes)
          return request.encoded()
        }),
      .serverStreaming(stream) {
        (request: GoogleProtobuf.Int64Value, out: Outgoing<GoogleProtobuf.StringValue>, _) in
        for _ in 0..<request.value {
          tally.count()
          try await out.send(message)
        }
      },
      .bidirectionalStreaming(hold) {
        (requests: Incoming<GoogleProtobuf.StringValue>, _: Outgoing<GoogleProtobuf.StringValue>, _)
        in
        while try await requests.next() != nil {}
      },
    ]
  }

  /// Stamps an order, appends its first event to the journal, and answers when that is on the disk.
  private static func acceptor(_ journal: Journal, _ tally: Tally) -> ServerMethod {
    .unary(accept) { (request: OmsV1.AcceptOrderRequest, _) -> OmsV1.AcceptOrderResponse in
      tally.count()
      guard var order = request.order else { throw RPCError(.invalidArgument, "no order") }
      let now = SystemTime().now
      let time = GoogleProtobuf.Timestamp.with {
        $0.seconds = now.seconds
        $0.nanos = Int32(now.nanoseconds - now.seconds * 1_000_000_000)
      }
      order.version = 1
      order.createdAt = time
      order.updatedAt = time
      let event = OmsV1.OrderEvent.with {
        $0.time = time
        $0.kind = .accepted
        $0.order = order
      }
      let record = OmsV1.JournalRecord.with {
        $0.record = .event(.with { $0.event = event })
      }
      _ = try await journal.append(record.encoded())
      return .with { $0.order = order }
    }
  }
}

/// Operations and the loop's allocations between the first one after the warm-up and the last.
private final class Tally: Sendable {
  private static let warmUp = 1_000
  private let seen = Atomic<Int>(0)
  private let first = Atomic<Int64>(0)
  private let last = Atomic<Int64>(0)

  func count() {
    let number = seen.wrappingAdd(1, ordering: .relaxed).newValue
    if number == Self.warmUp { first.store(allocation_count(), ordering: .relaxed) }
    if number >= Self.warmUp { last.store(allocation_count(), ordering: .relaxed) }
  }

  var operations: Int { max(0, seen.load(ordering: .relaxed) - Self.warmUp) }
  var allocations: Int64 { last.load(ordering: .relaxed) - first.load(ordering: .relaxed) }
}

/// Waits for the end of stdin. Loop-confined.
private final class InputEnd: Pollable, @unchecked Sendable {
  private var continuation: CheckedContinuation<Void, Never>?
  private var isOver = false

  func ready(_ readiness: Readiness) {
    var byte: UInt8 = 0
    guard read(0, &byte, 1) <= 0, !isOver else { return }
    isOver = true
    continuation?.resume()
  }

  func wait() async {
    await withCheckedContinuation { continuation in
      if isOver { continuation.resume() } else { self.continuation = continuation }
    }
  }
}
