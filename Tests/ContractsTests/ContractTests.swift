import Calls
import Chrono
import Contracts
import Testing
import Units
import Wire

@Suite struct `Contracts` {
  @Test func `every method of ours says who may call it`() throws {
    for method in ContractCatalog.methods {
      let method = method
      #expect(method.path == "/\(method.service)/\(method.name)")
      if case .scope(let scope) = method.scope { #expect(scope.contains("."), "\(method.path)") }
    }
    #expect(OmsV1.OrderService.acceptOrder.scope == .mesh)
    #expect(OmsV1.OrderService.getOrder.scope == .scope("orders.read"))
    #expect(GrpcHealthV1.Health.check.scope == .anonymous)
    #expect(AuthV1.AuthService.createUser.routes.first?.successStatus == 201)
    #expect(OmsV1.OrderService.getOrder.isIdempotent)
    #expect(!AuthV1.AuthService.createUser.isIdempotent)
  }

  @Test func `RPC-08 every file, symbol and import can be found`() throws {
    for file in FileDescriptor.all {
      #expect(!file.bytes.isEmpty)
      for name in file.dependencies { #expect(FileDescriptor.named(name) != nil, "\(name)") }
    }
    let file = try #require(FileDescriptor.declaring("shrivenquant.oms.v1.OrderService.GetOrder"))
    #expect(file.name == "shrivenquant/oms/v1/oms_service.proto")
    #expect(FileDescriptor.declaring("shrivenquant.oms.v1.OrderEvent.Kind") != nil)
    #expect(FileDescriptor.declaring("shrivenquant.oms.v1.Nothing") == nil)
    #expect(FileDescriptor.extending("google.protobuf.MethodOptions", number: 72_295_728) != nil)
    #expect(FileDescriptor.extensionNumbers(of: "google.protobuf.MethodOptions").count == 3)
    let closure = file.withDependencies.map(\.name)
    #expect(closure.last == file.name && closure.contains("google/protobuf/descriptor.proto"))
  }

  @Test(arguments: [0, 1, -1, 1_500_000_000, -1_500_000_000, Int64.max, .min])
  func `instants pass through timestamps`(nanoseconds: Int64) throws {
    let instant = Instant(nanoseconds: nanoseconds)

    let timestamp = GoogleProtobuf.Timestamp(instant)

    #expect((0..<1_000_000_000).contains(timestamp.nanos))
    if nanoseconds != .min { #expect(try Instant(timestamp, field: "t") == instant) }
  }

  @Test func `times that an instant cannot hold are refused with the field`() {
    let late = GoogleProtobuf.Timestamp.with { $0.seconds = 253_402_300_799 }
    let odd = GoogleProtobuf.Timestamp.with { $0.nanos = -1 }

    #expect(throws: RPCError.invalid("at", "is outside the years 1678 to 2261")) {
      try Instant(late, field: "at")
    }
    #expect(throws: RPCError.invalid("at", "has nanos outside 0 to 999999999")) {
      try Instant(odd, field: "at")
    }
  }

  @Test func `decimals pass through their message`() throws {
    let price = try Decimal(parsing: "-50123.50")

    let wire = TypeV1.Decimal(price)

    #expect(try Decimal(wire, field: "price") == price)
    #expect(throws: RPCError.invalid("price", "is required")) {
      try Decimal(required: nil, field: "price")
    }
    #expect(throws: DecimalError.tooManyDigits) {
      try Decimal(TypeV1.Decimal.with { $0.scale = 19 })
    }
  }

  @Test func `durations pass through their message`() throws {
    for duration in [Duration.zero, .milliseconds(-1500), .nanoseconds(1), .seconds(86_400)] {
      #expect(try Duration(GoogleProtobuf.Duration(duration), field: "d") == duration)
    }
    let torn = GoogleProtobuf.Duration.with {
      $0.seconds = 1
      $0.nanos = -1
    }
    #expect(throws: RPCError.self) { try Duration(torn, field: "d") }
  }

  @Test func `an enum keeps a number that it does not know`() throws {
    let order = OmsV1.Order.with { $0.side = .unrecognized(-77) }

    #expect(try OmsV1.Order(decoding: order.encoded()).side == .unrecognized(-77))
    #expect(TypeV1.Side.allCases.count == 3)
  }

  @Test func `a member of a oneof is written even when it is empty`() throws {
    let outcome = MarketV1.VenueOrderOutcome.with { $0.outcome = .unknown(.init()) }

    #expect(outcome.encoded() == [0x1A, 0])
    #expect(try MarketV1.VenueOrderOutcome(decoding: [0x1A, 0]) == outcome)
  }
}
