import Contracts
import Foundation
import Testing
import Wire

@testable import protoc_gen_shrivenquant

/// A counted field of a protobuf message, for requests written by hand.
private func field(_ number: UInt64, _ content: [UInt8]) -> [UInt8] {
  func varint(_ value: UInt64) -> [UInt8] {
    value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7F) | 0x80] + varint(value >> 7)
  }
  return varint(number << 3 | 2) + varint(UInt64(content.count)) + content
}

private func field(_ number: UInt64, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }

/// A CodeGeneratorRequest of these FileDescriptorProtos.
private func files(_ descriptors: [[UInt8]]) throws -> [(path: String, content: String)] {
  try Generator(request: descriptors.flatMap { field(15, $0) }).files()
}

/// A service with one method in a package, its options left out.
private func service(in package: String) -> [UInt8] {
  let method = field(1, "M") + field(2, ".\(package).Q") + field(3, ".\(package).Q")
  return field(1, "a.proto") + field(2, package) + field(4, field(1, "Q"))
    + field(6, field(1, "S") + field(2, method))
}

private let generated = URL(filePath: #filePath).deletingLastPathComponent()
  .appending(path: "../../Sources/Contracts/Generated").standardizedFileURL

@Suite struct `Code generator` {
  @Test func `the checked-in code is what the generator writes for the checked-in descriptors`()
    throws
  {
    let written = try files(FileDescriptor.all.map(\.bytes))

    // Embedded descriptors have no comments, so neither side shows its own.
    func code(_ text: String) -> [Substring] {
      text.split(separator: "\n").filter { !$0.drop { $0 == " " }.hasPrefix("///") }
    }
    for file in written where file.path != "FileDescriptor+All.swift" {
      // What only tools read is imported, not asked for.
      let here = try String(contentsOf: generated.appending(path: file.path), encoding: .utf8)
      #expect(code(here) == code(file.content), "\(file.path) is stale: run make protos")
    }
  }

  @Test func `a method of ours without a scope is refused by name`() throws {
    do {
      _ = try files([service(in: "shrivenquant.zoo.v1")])
      Issue.record("accepted")
    } catch let error as GenerationError {
      #expect(error.text.contains("shrivenquant.zoo.v1.S.M has no"))
    }
    #expect(
      try files([service(in: "grpc.zoo.v1")]).contains { $0.content.contains(".authenticated") })
  }

  @Test func `names become Swift's`() {
    #expect(SwiftName.namespace("shrivenquant.oms.v1") == "OmsV1")
    #expect(SwiftName.namespace("grpc.health.v1") == "GrpcHealthV1")
    #expect(SwiftName.property("exchange_time_ns") == "exchangeTimeNs")
    #expect(SwiftName.property("default") == "`default`")
    #expect(SwiftName.enumCase("SIDE_UNSPECIFIED", of: "Side") == "unspecified")
    #expect(SwiftName.enumCase("INTERVAL_1M", of: "Interval") == "interval1m")
    #expect(SwiftName.enumCase("POST_ONLY", of: "TimeInForce") == "postOnly")
    #expect(SwiftName.type("Any") == "AnyMessage")
    #expect(SwiftName.cSymbol("a.v1.OrderEvent.JSONKey") == "a__v1__order_event__jsonkey")
  }

  @Test func `base64 is what its reader expects`() {
    #expect(base64([]) == "" && base64([0xFF]) == "/w==" && base64([1, 2]) == "AQI=")
    #expect(base64(Array("any".utf8)) == "YW55")
  }
}
