private import Synchronization
internal import Venue

/// The token of a connection that needs one: to be used within a quarter of an hour, and good as long
/// as the connection lives (docs.kraken.com/api/docs/guides/spot-ws-auth).
final class KrakenToken: Sendable {
  private let rest: KrakenREST
  private let value = Mutex("")

  init(_ rest: KrakenREST) { self.rest = rest }

  var text: String { value.withLock { $0 } }

  func renew() async throws(VenueError) {
    do throws(VenueFailure) {
      let text = try await rest.openTicket()
      value.withLock { $0 = text }
    } catch {
      throw error.asVenueError
    }
  }
}
