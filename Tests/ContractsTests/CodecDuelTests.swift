import CContracts
import Contracts
import Seeds
import Testing
import Transcoding
import Wire

/// Unpacks and packs with protobuf-c; nil when it refuses.
private func throughC(_ name: String, _ bytes: [UInt8]) -> [UInt8]? {
  guard let message = protobuf_c_message_unpack(ccontracts_message(name), nil, bytes.count, bytes)
  else { return nil }
  defer { protobuf_c_message_free_unpacked(message, nil) }
  var packed = [UInt8](repeating: 0, count: protobuf_c_message_get_packed_size(message))
  let count = protobuf_c_message_pack(message, &packed)
  precondition(count == packed.count)
  return packed
}

private let seed = UInt64.random(in: 0..<1_000_000)

@Suite struct `Generated codec against protobuf-c` {
  @Test func `random messages mean the same to both`() throws {
    print("codec duel seed \(seed)")
    var wire = RandomWire(random: SeededGenerator(seed: seed), taste: .anything)
    for type in ContractCatalog.messages {
      for _ in 0..<40 { try meanTheSame(type, wire.message(ccontracts_message(type.typeName))) }
    }
  }

  private func meanTheSame<M: Message>(_ type: M.Type, _ bytes: [UInt8]) throws {
    let swift = try M(decoding: bytes)
    let c = try #require(throughC(M.typeName, bytes), "protobuf-c refuses \(bytes), seed \(seed)")

    let encoded = swift.encoded()

    // Each order of fields may differ; through protobuf-c both become its own.
    #expect(throughC(M.typeName, encoded) == c, "\(M.typeName) \(bytes), seed \(seed)")
    #expect(try M(decoding: c) == swift, "\(M.typeName) \(bytes), seed \(seed)")
    #expect(try M(decoding: encoded) == swift, "\(M.typeName) \(bytes), seed \(seed)")
  }

  @Test func `cut messages are accepted by both or by none`() {
    var wire = RandomWire(random: SeededGenerator(seed: seed &+ 1), taste: .anything)
    for type in ContractCatalog.messages {
      for _ in 0..<30 {
        let bytes = wire.message(ccontracts_message(type.typeName))
        let cut = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &wire.random)))
        // A cut never breaks a character's bytes out of its counted text, so UTF-8 plays no part.
        let accepted = (try? type.init(decoding: cut)) != nil
        #expect(
          accepted == (throughC(type.typeName, cut) != nil), "\(type.typeName) \(cut), seed \(seed)"
        )
      }
    }
  }

  @Test func `damaged and random bytes crash neither, and what both accept means the same`() throws
  {
    var wire = RandomWire(random: SeededGenerator(seed: seed &+ 2), taste: .anything)
    for type in ContractCatalog.messages {
      for round in 0..<60 {
        var bytes = wire.message(ccontracts_message(type.typeName))
        if round.isMultiple(of: 2) || bytes.isEmpty {
          bytes = (0..<Int.random(in: 0...24, using: &wire.random)).map { _ in
            UInt8.random(in: 0...255, using: &wire.random)
          }
        } else {
          for _ in 0...Int.random(in: 0...2, using: &wire.random) {
            bytes[Int.random(in: bytes.indices, using: &wire.random)] = .random(
              in: 0...255, using: &wire.random)
          }
        }
        try damaged(type, bytes)
      }
    }
  }

  private func damaged<M: Message>(_ type: M.Type, _ bytes: [UInt8]) throws {
    let c = throughC(M.typeName, bytes)
    do throws(WireError) {
      let swift = try M(decoding: bytes)
      // What is accepted is kept whole, also a known field of another wire type, which protobuf-c
      // refuses and every other implementation takes for an unknown field. (NaN equals nothing, so bytes are compared.)
      #expect(
        try M(decoding: swift.encoded()).encoded() == swift.encoded(), "\(bytes), seed \(seed)")
    } catch {
      guard c != nil else { return }
      // The only reasons for which protobuf-c is laxer: it takes any bytes for text, field number 0,
      // longer tags, and lengths that cut the last element of a packed run.
      switch error {
      case .notUTF8, .badFieldNumber, .overlongVarint, .raggedPacked: break
      default:
        Issue.record("only protobuf-c accepts \(M.typeName) \(bytes): \(error), seed \(seed)")
      }
    }
  }

  @Test func `random messages come back from their JSON`() throws {
    var wire = RandomWire(random: SeededGenerator(seed: seed &+ 3), taste: .sayable)
    for type in ContractCatalog.messages {
      // An entry of a map has no JSON of its own.
      if ccontracts_is_map_entry(ccontracts_message(type.typeName)) != 0 { continue }
      for _ in 0..<10 {
        try comeBack(type, wire.message(ccontracts_message(type.typeName)))
      }
    }
  }

  private func comeBack<M: Message>(_ type: M.Type, _ bytes: [UInt8]) throws {
    let swift = try M(decoding: bytes)
    let json = try JSONCodec.encode(M.typeName, bytes)

    let back = try M(decoding: JSONCodec.decode(M.typeName, json))

    #expect(back == swift, "\(M.typeName) \(String(decoding: json, as: UTF8.self)), seed \(seed)")
  }

  @Test func `both know the same messages`() {
    let described = (0..<ccontracts_messages_count).map {
      String(cString: ccontracts_message_at($0)!.pointee.name)
    }
    let generated = ContractCatalog.messages.map { $0.typeName }

    #expect(Set(generated).isSubset(of: described))
    #expect(ccontracts_message("shrivenquant.oms.v1.Nothing") == nil)
    // Only what tools read has no Swift type.
    let others = Set(described).subtracting(generated)
    #expect(others.allSatisfy { $0.hasPrefix("google.protobuf.") || $0.hasPrefix("google.api.") })
  }
}
