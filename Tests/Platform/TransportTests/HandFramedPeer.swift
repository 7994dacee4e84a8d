import CNGHTTP2
import Calls
import Chrono
import Loop
import Transport

/// A field as it is on the wire.
typealias WireField = (name: String, value: [UInt8])

/// One end of an HTTP/2 connection that sends the frames it is told to, whatever they mean, and
/// keeps what it is sent. It acknowledges SETTINGS and opens no windows.
///
/// `@unchecked Sendable`: everything is touched on its loop.
final class HandFramedPeer: ConnectionDriver, @unchecked Sendable {
  /// What came on one stream.
  struct Stream {
    /// Head and trailers, in the order they came.
    var blocks: [[WireField]] = []
    var data: [UInt8] = []
    var isEnded = false
    var reset: UInt32?

    var isOver: Bool { isEnded || reset != nil }

    /// The first value of a name in any block.
    func text(_ name: String) -> String? {
      for block in blocks {
        if let field = block.first(where: { $0.name == name }) {
          return String(decoding: field.value, as: UTF8.self)
        }
      }
      return nil
    }
  }

  enum Flags {
    static let endStream: UInt8 = 0x1
    static let endHeaders: UInt8 = 0x4
  }

  private let isClient: Bool
  /// Called when a stream's header block is complete.
  private let headersCame: (HandFramedPeer, Int32) -> Void
  private var connection: Connection?
  private var input: [UInt8] = []
  private var prefaceLeft: Int
  private var inflater: OpaquePointer?
  private(set) var streams: [Int32: Stream] = [:]
  private(set) var isClosed = false
  private(set) var receivedGoAway = false

  private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  init(isClient: Bool, headersCame: @escaping (HandFramedPeer, Int32) -> Void = { _, _ in }) {
    self.isClient = isClient
    self.headersCame = headersCame
    prefaceLeft = isClient ? 0 : Self.preface.count
    nghttp2_hd_inflate_new(&inflater)
  }

  deinit { nghttp2_hd_inflate_del(inflater) }

  /// A client of the server at an address. On the loop.
  static func connect(to address: Address, loop: EventLoop) async throws -> HandFramedPeer {
    let peer = HandFramedPeer(isClient: true)
    peer.connection = try await Connector.connect(
      address, tls: nil, loop: loop, deadline: loop.uptime + .seconds(10))
    peer.connection?.driver = peer
    peer.connection?.resumeReading()
    peer.send(preface)
    peer.send(type: 4, flags: 0, stream: 0, [])
    return peer
  }

  /// The server's end of a connection that was just accepted.
  func attach(_ connection: Connection) {
    self.connection = connection
    connection.driver = self
  }

  // MARK: Sending

  func send(_ bytes: [UInt8]) { connection?.send(bytes) }

  func send(type: UInt8, flags: UInt8, stream: Int32, _ payload: [UInt8]) {
    let count = payload.count
    send(
      [UInt8(count >> 16 & 255), UInt8(count >> 8 & 255), UInt8(count & 255), type, flags]
        + Self.bytes(UInt32(stream)) + payload)
  }

  private static func bytes(_ number: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
  }

  /// Literal fields, never indexed, as HPACK has them.
  func sendHeaders(_ stream: Int32, _ fields: [WireField], endsStream: Bool) {
    var block: [UInt8] = []
    for field in fields {
      block.append(0x10)
      Self.append(Array(field.name.utf8), to: &block)
      Self.append(field.value, to: &block)
    }
    // What one frame may hold; the rest is CONTINUATION.
    let pieces = stride(from: 0, to: max(1, block.count), by: 16_384).map {
      Array(block[$0..<min($0 + 16_384, block.count)])
    }
    for (index, piece) in pieces.enumerated() {
      var flags: UInt8 = index == pieces.count - 1 ? Flags.endHeaders : 0
      if index == 0, endsStream { flags |= Flags.endStream }
      send(type: index == 0 ? 1 : 9, flags: flags, stream: stream, piece)
    }
  }

  private static func append(_ text: [UInt8], to block: inout [UInt8]) {
    var count = text.count
    if count < 127 {
      block.append(UInt8(count))
    } else {
      block.append(127)
      count -= 127
      while count >= 128 {
        block.append(UInt8(count & 127 | 128))
        count >>= 7
      }
      block.append(UInt8(count))
    }
    block += text
  }

  func sendData(_ stream: Int32, _ bytes: [UInt8], endsStream: Bool) {
    send(type: 0, flags: endsStream ? Flags.endStream : 0, stream: stream, bytes)
  }

  func sendReset(_ stream: Int32, _ code: UInt32) {
    send(type: 3, flags: 0, stream: stream, Self.bytes(code))
  }

  func close() { connection?.abort() }

  // MARK: Receiving

  func connected() {
    if !isClient { send(type: 4, flags: 0, stream: 0, []) }
  }

  func received(_ bytes: UnsafeRawBufferPointer) {
    input += bytes
    let preface = min(prefaceLeft, input.count)
    input.removeFirst(preface)
    prefaceLeft -= preface
    while input.count >= 9 {
      let length = Int(input[0]) << 16 | Int(input[1]) << 8 | Int(input[2])
      guard input.count >= 9 + length else { return }
      let stream = input[5...8].reduce(Int32(0)) { $0 << 8 | Int32($1) }
      let (type, flags, payload) = (input[3], input[4], Array(input[9..<9 + length]))
      input.removeFirst(9 + length)
      take(type, flags, stream, payload)
    }
  }

  private func take(_ type: UInt8, _ flags: UInt8, _ stream: Int32, _ payload: [UInt8]) {
    let ends = flags & Flags.endStream != 0
    switch type {
    case 0:
      streams[stream, default: Stream()].data += payload
      if ends { streams[stream]?.isEnded = true }
    case 1, 9:
      if type == 1 { streams[stream, default: Stream()].blocks.append([]) }
      if type == 1, ends { streams[stream]?.isEnded = true }
      inflate(payload, of: stream, isLast: flags & Flags.endHeaders != 0)
      if flags & Flags.endHeaders != 0 { headersCame(self, stream) }
    case 3:
      streams[stream, default: Stream()].reset = payload.reduce(0) { $0 << 8 | UInt32($1) }
    case 4 where flags & 1 == 0: send(type: 4, flags: 1, stream: 0, [])
    case 7: receivedGoAway = true
    default: break
    }
  }

  private func inflate(_ block: [UInt8], of stream: Int32, isLast: Bool) {
    var fields = streams[stream]?.blocks.popLast() ?? []
    defer { streams[stream]?.blocks.append(fields) }
    var rest = block[...]
    var field = nghttp2_nv()
    var flags: Int32 = 0
    repeat {
      let count = rest.withUnsafeBufferPointer { bytes in
        nghttp2_hd_inflate_hd2(
          inflater, &field, &flags, bytes.baseAddress, bytes.count, isLast ? 1 : 0)
      }
      precondition(count >= 0, "the header block is damaged: \(count)")
      rest = rest.dropFirst(count)
      if UInt32(flags) & NGHTTP2_HD_INFLATE_EMIT.rawValue != 0 {
        let name = UnsafeBufferPointer(start: field.name, count: field.namelen)
        let value = UnsafeBufferPointer(start: field.value, count: field.valuelen)
        fields.append((String(decoding: name, as: UTF8.self), Array(value)))
      }
      if UInt32(flags) & NGHTTP2_HD_INFLATE_FINAL.rawValue != 0 {
        nghttp2_hd_inflate_end_headers(inflater)
        return
      }
    } while !rest.isEmpty || UInt32(flags) & NGHTTP2_HD_INFLATE_EMIT.rawValue != 0
  }

  func drained() {}

  func closed(_ reason: CloseReason) { isClosed = true }
}

/// A message as gRPC frames it.
func framed(_ message: [UInt8], flags: UInt8 = 0) -> [UInt8] {
  let count = message.count
  return [flags, UInt8(count >> 24 & 255), UInt8(count >> 16 & 255), UInt8(count >> 8 & 255)]
    + [UInt8(count & 255)] + message
}

/// Fields of which all values are text.
func wire(_ fields: [(String, String)]) -> [WireField] {
  fields.map { ($0.0, Array($0.1.utf8)) }
}
