import Calls
import Contracts
import Seeds
import Testing
import Transcoding
import Wire

private let seed = UInt64.random(in: 0..<1_000_000)

/// Outside input, damaged at random: it is read or refused as the caller's fault, and never more.
@Suite struct `Damaged REST input` {
  private let transcoder = try! Transcoder(methods: ContractCatalog.methods)

  @Test func `bodies are read or refused with INVALID_ARGUMENT`() throws {
    print("damage seed \(seed)")
    var random = SeededGenerator(seed: seed)
    let valid = Array(
      #"{"order":{"orderId":"o","side":"BUY","price":"50123.50","createdAt":"2026-01-31T23:59:59.5Z","version":7}}"#
        .utf8)
    for _ in 0..<3000 {
      var body = valid
      for _ in 0...Int.random(in: 0...3, using: &random) {
        let at = Int.random(in: body.indices, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: body[at] = .random(in: 0...255, using: &random)
        case 1: body.remove(at: at)
        default: body.insert(contentsOf: body[at...].prefix(9), at: at)
        }
      }
      do throws(RPCError) {
        let bytes = try JSONCodec.decode("shrivenquant.oms.v1.AcceptOrderRequest", body)
        #expect((try? OmsV1.AcceptOrderRequest(decoding: bytes)) != nil, "\(body), seed \(seed)")
      } catch {
        #expect(error.code == .invalidArgument, "\(body), seed \(seed)")
      }
    }
  }

  @Test func `paths and queries are bound or refused with INVALID_ARGUMENT`() {
    var random = SeededGenerator(seed: seed &+ 1)
    let pieces = [
      "/", "v1", "orders", ":", "cancelAll", "%", "%2F", "%ff", "é", "..", "?", "{", "*", "risk",
      "=", "&", "pageSize", "symbol", "a.b", "x", "/v1/orders", "/v1/orders/",
    ]
    for _ in 0..<5000 {
      func text() -> String {
        (0..<Int.random(in: 0...5, using: &random)).map { _ in
          pieces.randomElement(using: &random)!
        }.joined()
      }
      let method = ["GET", "POST", "DELETE", "PATCH"].randomElement(using: &random)!
      let (path, query) = ("/" + text(), text())
      do throws(RPCError) {
        guard let match = try transcoder.match(method: method, path: path) else { continue }
        _ = try transcoder.requestBytes(match, query: query, body: [])
      } catch {
        #expect(error.code == .invalidArgument, "\(method) \(path)?\(query), seed \(seed)")
      }
    }
  }
}
