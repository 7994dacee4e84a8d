internal import Bytes
internal import Chrono
internal import JSON
internal import Security
private import Synchronization
internal import Telemetry
internal import Transport
internal import Venue

/// Requests to Binance's REST API: signed with the key's secret, on the venue's clock.
final class BinanceREST: Sendable {
  enum Access {
    case open
    /// The key alone, in a header.
    case key
    /// Key, timestamp and HMAC-SHA256 over the parameters.
    case signed
  }

  /// A whole answer of any status.
  struct Answer {
    let status: Int
    let body: [UInt8]

    var isSuccess: Bool { (200..<300).contains(status) }

    /// The code of an error body.
    var code: Int64? {
      do throws(JSONError) {
        return try JSONDocument(parsing: body).root.int64("code")
      } catch {
        return nil
      }
    }
  }

  let counters: VenueCounters
  private let client: HTTPClient
  private let settings: VenueSettings
  private let time: any TimeSource
  /// The venue's clock minus ours, in milliseconds.
  private let clockOffset = Mutex<Int64>(0)

  init(
    _ settings: VenueSettings, client: HTTPClient, time: any TimeSource, counters: VenueCounters
  ) {
    self.settings = settings
    self.client = client
    self.time = time
    self.counters = counters
  }

  var clockOffsetMilliseconds: Int64 { clockOffset.withLock { $0 } }

  /// The body of a successful answer.
  func body(
    _ method: String, _ path: String, _ parameters: [(String, String)] = [], _ access: Access
  ) async throws(BinanceFailure) -> [UInt8] {
    let answer = try await send(method, path, parameters, access)
    guard answer.isSuccess else {
      throw BinanceErrors.failure(status: answer.status, body: answer.body)
    }
    return answer.body
  }

  /// The answer of any status. A timestamp that the venue refuses (-1021) was not carried out, so
  /// the clocks are compared anew and the request is made once more.
  func send(
    _ method: String, _ path: String, _ parameters: [(String, String)], _ access: Access
  ) async throws(BinanceFailure) -> Answer {
    let answer = try await once(method, path, parameters, access)
    guard access == .signed, answer.status == 400, answer.code == -1021 else { return answer }
    try await compareClocks()
    return try await once(method, path, parameters, access)
  }

  /// Estimates the offset from one exchange with the venue: its answer is as of the middle of ours.
  func compareClocks() async throws(BinanceFailure) {
    let before = time.now
    let answer = try await once("GET", "/api/v3/time", [], .open)
    let after = time.now
    guard answer.isSuccess else {
      throw BinanceErrors.failure(status: answer.status, body: answer.body)
    }
    do throws(JSONError) {
      let venue = try JSONDocument(parsing: answer.body).root.int64("serverTime")
      let middle = (before.milliseconds + after.milliseconds) / 2
      clockOffset.withLock { $0 = venue - middle }
    } catch {
      throw .unknown("/api/v3/time: \(error)")
    }
  }

  private func once(
    _ method: String, _ path: String, _ parameters: [(String, String)], _ access: Access
  ) async throws(BinanceFailure) -> Answer {
    var query = parameters.map { "\($0.0)=\(percentEncoded($0.1))" }.joined(separator: "&")
    if access == .signed { query = signed(query) }
    let url = settings.restURL + path + (query.isEmpty ? "" : "?" + query)
    var request = HTTPClientRequest(method: method, url: url, timeout: settings.requestTimeout)
    if access != .open { request.headers = [HTTPHeader("x-mbx-apikey", settings.apiKey)] }
    counters.requests.increment()
    do throws(HTTPClientError) {
      let response = try await client.send(request)
      return Answer(status: response.status, body: response.body)
    } catch {
      // Only a promise that nothing was sent makes silence a refusal.
      throw error.mayHaveReachedPeer
        ? .unknown(error.description)
        : .definite(.venueUnavailable, text: error.description)
    }
  }

  private func signed(_ query: String) -> String {
    let timestamp = time.now.milliseconds + clockOffsetMilliseconds
    let window = settings.receiveWindow.wholeNanoseconds / 1_000_000
    let text =
      query + (query.isEmpty ? "" : "&") + "recvWindow=\(window)&timestamp=\(timestamp)"
    let tag = Digest.hmacSHA256(Array(text.utf8), key: settings.secret)
    return text + "&signature=" + Hexadecimal.encode(tag)
  }
}
