import CAllocationCount
import CContracts
import CProtobuf
import Chrono
import Contracts
import Wire

/// What does an order cost to write and to read, beside protobuf-c in the same run? Nanoseconds for one
/// message, one sample a batch; the rounds of the four are interleaved, for the machine's mood is not
/// constant.
struct CodecMeasurement {
  let wireBytes: Int
  var encode: [Double] = []
  var decode: [Double] = []
  /// protobuf_c_message_pack into a buffer that is there.
  var packC: [Double] = []
  /// protobuf_c_message_unpack and free, with malloc.
  var unpackC: [Double] = []
  /// Of the heap, per message.
  var encodeAllocations = 0.0
  var decodeAllocations = 0.0
}

func codecBenchmark(rounds: Int = 400, batch: Int = 500) -> CodecMeasurement {
  let order = benchmarkOrder()
  let bytes = order.encoded()
  precondition((110...140).contains(bytes.count), "an order of \(bytes.count) bytes")
  let descriptor = ccontracts_message(OmsV1.Order.typeName)
  guard let unpacked = protobuf_c_message_unpack(descriptor, nil, bytes.count, bytes) else {
    preconditionFailure("protobuf-c refuses the order")
  }
  defer { protobuf_c_message_free_unpacked(unpacked, nil) }
  var buffer = [UInt8](repeating: 0, count: bytes.count)
  var measurement = CodecMeasurement(wireBytes: bytes.count)
  var sum = 0
  for _ in 0..<rounds {
    measurement.encode.append(nanoseconds(batch) { sum &+= order.encoded().count })
    measurement.decode.append(
      nanoseconds(batch) {
        guard let read = try? OmsV1.Order(decoding: bytes) else { return }
        sum &+= Int(read.version)
      })
    measurement.packC.append(
      nanoseconds(batch) {
        sum &+= protobuf_c_message_get_packed_size(unpacked)
        sum &+= protobuf_c_message_pack(unpacked, &buffer)
      })
    measurement.unpackC.append(
      nanoseconds(batch) {
        let read = protobuf_c_message_unpack(descriptor, nil, bytes.count, bytes)
        sum &+= read == nil ? 0 : 1
        protobuf_c_message_free_unpacked(read, nil)
      })
  }
  measurement.encodeAllocations = allocations(batch) { sum &+= order.encoded().count }
  measurement.decodeAllocations = allocations(batch) {
    guard let read = try? OmsV1.Order(decoding: bytes) else { return }
    sum &+= Int(read.version)
  }
  precondition(sum != 0 && buffer.count == bytes.count)
  return measurement
}

/// An order as it looks in the middle of its life.
func benchmarkOrder() -> OmsV1.Order {
  .with { order in
    order.orderId = "01J8ZK3V9QW6T2"
    order.clientOrderId = "maker-000001234567"
    order.account = "main"
    order.venue = "binance"
    order.symbol = "BTCUSDT"
    order.side = .buy
    order.type = .limit
    order.timeInForce = .gtc
    order.price = .with {
      $0.units = 5_012_350
      $0.scale = 2
    }
    order.quantity = .with {
      $0.units = 125_000
      $0.scale = 6
    }
    order.status = .partiallyFilled
    order.filledQuantity = .with {
      $0.units = 25_000
      $0.scale = 6
    }
    order.createdAt = .with {
      $0.seconds = 1_769_903_999
      $0.nanos = 123_456_789
    }
    order.updatedAt = .with {
      $0.seconds = 1_769_904_000
      $0.nanos = 987_654_321
    }
    order.version = 3
  }
}

/// Nanoseconds of one call, over a batch of them.
private func nanoseconds(_ batch: Int, _ body: () -> Void) -> Double {
  let time = SystemTime()
  let start = time.uptime
  for _ in 0..<batch { body() }
  return Double(time.uptime.nanoseconds - start.nanoseconds) / Double(batch)
}

/// Allocations of one call, over a batch of them.
private func allocations(_ batch: Int, _ body: () -> Void) -> Double {
  let before = allocation_count()
  for _ in 0..<batch { body() }
  return Double(allocation_count() - before) / Double(batch)
}
