internal import CPostgres
internal import Chrono
internal import Loop
internal import Telemetry

/// One connection, driven by its loop in libpq's pipeline mode: a request is any number of statements
/// and one Sync, which makes them one transaction with one commit.
///
/// connecting -> open -> closed. Whatever breaks closes it, answers every request, and tells its owner
/// once. Loop-confined.
final class DatabaseConnection: Pollable {
  typealias Answer = Result<[Rows], SQLError>

  private struct Request {
    let isSimple: Bool
    let completion: (Answer) -> Void
    var rows: [Rows] = []
    var error: SQLError?
    var timer: TimerToken?
  }

  private let loop: EventLoop
  private let settings: DatabaseSettings
  private var handle: OpaquePointer?
  private var registration: Registration?
  private var wantsWrite = false
  private var requests: [Request] = []
  private var opened: ((Result<Void, SQLError>) -> Void)?
  private var connectTimer: TimerToken?
  /// Called once, when an open connection closes for whatever reason but `close()`.
  var lost: ((SQLError) -> Void)?

  // The server cancels by itself after `statementMax`; only a dead server is silent for longer.
  private static let silenceMax: Duration = .seconds(5)

  init(_ settings: DatabaseSettings, _ loop: EventLoop) {
    self.settings = settings
    self.loop = loop
  }

  var isOpen: Bool { handle != nil && opened == nil }
  var isIdle: Bool { isOpen && requests.isEmpty }

  /// Neither inside a transaction nor in one that failed.
  var isClean: Bool { isIdle && PQtransactionStatus(handle) == PQTRANS_IDLE }

  // MARK: Opening

  func open(_ completion: @escaping (Result<Void, SQLError>) -> Void) {
    opened = completion
    let handle = settings.url.withExposed { url in
      let options = connectionOptions(url)
      return CStringList(options.map(\.0)).withPointers { names in
        CStringList(options.map(\.1)).withPointers { values in
          PQconnectStartParams(names, values, 1)
        }
      }
    }
    self.handle = handle
    guard let handle, PQstatus(handle) != CONNECTION_BAD else {
      return close(SQLError(.unavailable, failureText))
    }
    PQsetNoticeProcessor(handle, { _, _ in }, nil)
    connectTimer = loop.schedule(after: settings.connectMax) { [weak self] in
      guard let self, opened != nil else { return }
      close(SQLError(.unavailable, "no answer from the server in \(settings.connectMax)"))
    }
    watch(.writable)
  }

  private func connectionOptions(_ url: String) -> [(String, String)] {
    var server =
      "-c timezone=UTC -c datestyle=ISO -c bytea_output=hex -c client_min_messages=warning"
    server += " -c statement_timeout=\(settings.statementMax.wholeNanoseconds / 1_000_000)"
    if let schema = settings.schema { server += " -c search_path=\(schema)" }
    return [
      ("dbname", url), ("application_name", settings.applicationName),
      ("client_encoding", "UTF8"), ("options", server),
    ]
  }

  private func advance() {
    switch PQconnectPoll(handle) {
    case PGRES_POLLING_READING: watch(.readable)
    case PGRES_POLLING_WRITING: watch(.writable)
    case PGRES_POLLING_OK: finishOpening()
    default: close(SQLError(.unavailable, failureText))
    }
  }

  private func finishOpening() {
    guard PQsetnonblocking(handle, 1) == 0, PQenterPipelineMode(handle) == 1 else {
      return close(SQLError(.unavailable, failureText))
    }
    watch(.readable)
    if let connectTimer { loop.cancel(connectTimer) }
    let completion = opened
    opened = nil
    completion?(.success(()))
  }

  /// libpq may open another socket at any step of connecting, also under the same number, which
  /// removes the old one from epoll: so it is registered anew each time.
  private func watch(_ interest: Readiness) {
    if let registration { loop.unregister(registration) }
    registration = nil
    wantsWrite = interest.contains(.writable)
    do throws(SystemError) {
      registration = try loop.register(PQsocket(handle), interest, self)
    } catch {
      close(SQLError(.unavailable, "\(error)"))
    }
  }

  // MARK: Requests

  /// Sends `statements` and one Sync. The answer has one `Rows` per statement, or the first error.
  func run(_ statements: [Statement], _ completion: @escaping (Answer) -> Void) {
    guard isOpen else { return completion(.failure(SQLError(.closed, "the connection is closed"))) }
    for statement in statements {
      if let error = unsendable(statement) { return completion(.failure(error)) }
    }
    begin(Request(isSimple: false, completion: completion))
    for statement in statements {
      guard send(statement) else { return breakDown() }
    }
    guard PQpipelineSync(handle) == 1 else { return breakDown() }
    flush()
  }

  /// Sends a script of several commands without parameters, outside the pipeline.
  func runScript(_ sql: String, _ completion: @escaping (Answer) -> Void) {
    precondition(requests.isEmpty, "a script cannot join a pipeline")
    guard isOpen else { return completion(.failure(SQLError(.closed, "the connection is closed"))) }
    begin(Request(isSimple: true, completion: completion))
    guard PQexitPipelineMode(handle) == 1, PQsendQuery(handle, sql) == 1 else { return breakDown() }
    flush()
  }

  private func begin(_ request: Request) {
    var request = request
    request.timer = loop.schedule(after: settings.statementMax + Self.silenceMax) { [weak self] in
      self?.close(SQLError(.connectionLost, "the server does not answer"))
    }
    requests.append(request)
  }

  private func unsendable(_ statement: Statement) -> SQLError? {
    guard statement.parameters.count <= Int(UInt16.max) else {
      return SQLError(.mismatch, "\(statement.parameters.count) parameters are over 65535")
    }
    for (index, value) in statement.parameters.enumerated() where !value.isBinary {
      // Text cannot hold it in PostgreSQL, and C would silently end the string there.
      if value.encoded?.contains(0) == true {
        return SQLError(.mismatch, "parameter $\(index + 1) holds a zero character")
      }
    }
    return nil
  }

  private func send(_ statement: Statement) -> Bool {
    var values = CStringList()
    var lengths: [Int32] = []
    for value in statement.parameters {
      let encoded = value.encoded
      values.append(encoded)
      lengths.append(Int32(encoded?.count ?? 0))
    }
    let types = statement.parameters.map(\.typeIdentifier)
    let formats = statement.parameters.map { $0.isBinary ? Int32(1) : 0 }
    return values.withPointers { pointers in
      PQsendQueryParams(
        handle, statement.sql, Int32(types.count), types, pointers, lengths, formats, 0) == 1
    }
  }

  private func flush() {
    guard handle != nil else { return }
    let code = PQflush(handle)
    if code < 0 { return breakDown() }
    guard wantsWrite != (code == 1), let registration else { return }
    wantsWrite = code == 1
    loop.change(registration, to: wantsWrite ? [.readable, .writable] : .readable)
  }

  // MARK: Answers

  func ready(_ readiness: Readiness) {
    guard handle != nil else { return }
    if opened != nil { return advance() }
    guard PQconsumeInput(handle) == 1 else { return breakDown() }
    flush()
    while handle != nil, !requests.isEmpty, PQisBusy(handle) == 0 {
      guard PQstatus(handle) != CONNECTION_BAD else { return breakDown() }
      take(PQgetResult(handle))
    }
  }

  private func take(_ result: OpaquePointer?) {
    guard let result else {
      // In a pipeline: the end of one statement's results. In a script: the end of all.
      if requests[0].isSimple { finishScript() }
      return
    }
    switch PQresultStatus(result) {
    case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
      requests[0].rows.append(Rows(result))
    case PGRES_PIPELINE_SYNC:
      PQclear(result)
      finishRequest()
    case PGRES_PIPELINE_ABORTED:
      PQclear(result)
    default:
      let error = SQLError(result)
      requests[0].error = requests[0].error ?? error
      PQclear(result)
    }
  }

  private func finishScript() {
    guard PQenterPipelineMode(handle) == 1 else { return breakDown() }
    finishRequest()
  }

  private func finishRequest() {
    let request = requests.removeFirst()
    if let timer = request.timer { loop.cancel(timer) }
    if let error = request.error {
      request.completion(.failure(error))
    } else {
      request.completion(.success(request.rows))
    }
  }

  // MARK: Closing

  private var failureText: String {
    guard let handle else { return "out of memory" }
    return String(
      String(cString: PQerrorMessage(handle)).split(separator: "\n").joined(separator: "; "))
  }

  private func breakDown() { close(SQLError(.connectionLost, failureText)) }

  func close() {
    lost = nil
    close(SQLError(.closed, "the database is closed"))
  }

  private func close(_ error: SQLError) {
    guard handle != nil || opened != nil else { return }
    if let registration { loop.unregister(registration) }
    if let connectTimer { loop.cancel(connectTimer) }
    registration = nil
    PQfinish(handle)
    handle = nil
    let (unanswered, opened, lost) = (requests, opened, lost)
    requests = []
    self.opened = nil
    self.lost = nil
    for request in unanswered {
      if let timer = request.timer { loop.cancel(timer) }
      let cause = request.error
      request.completion(
        .failure(
          SQLError(
            error.kind == .unavailable ? .connectionLost : error.kind,
            cause?.message ?? error.message, sqlstate: cause?.sqlstate ?? "")))
    }
    if let opened { opened(.failure(error)) } else { lost?(error) }
  }
}
