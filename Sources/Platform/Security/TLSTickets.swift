internal import COpenSSL
private import Synchronization

/// What a client's peers have given it to come back with. Each is used once (RFC 8446, appendix C.4);
/// the newest first, and of too many the oldest is dropped.
///
/// It belongs to one set of certificates: `TLSContext.reload` begins with an empty one, so no ticket
/// outlives the trust under which it was given.
final class TLSTickets: Sendable {
  /// Peers that tickets are kept of; of one more, nothing is kept.
  static let peersMax = 1_024
  /// Tickets of one peer: as many connections may be resumed at once.
  static let perPeerMax = 4

  /// Owns an SSL_SESSION. `@unchecked Sendable`: the pointer is immutable, and who takes a ticket is
  /// its only user.
  final class Ticket: @unchecked Sendable {
    let pointer: OpaquePointer
    init(_ pointer: OpaquePointer) { self.pointer = pointer }
    deinit { SSL_SESSION_free(pointer) }
  }

  private let kept = Mutex<[String: [Ticket]]>([:])

  func keep(_ ticket: Ticket, of peer: String) {
    kept.withLock { kept in
      guard kept[peer] != nil || kept.count < Self.peersMax else { return }
      kept[peer, default: []].append(ticket)
      if kept[peer]!.count > Self.perPeerMax { kept[peer]!.removeFirst() }
    }
  }

  func take(of peer: String) -> Ticket? {
    kept.withLock { $0[peer]?.popLast() }
  }
}
