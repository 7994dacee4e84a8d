package import Calls
package import Contracts
private import Synchronization

/// `grpc.health.v1.Health`: whether the process, and each of its services, takes calls.
package final class HealthService: GrpcHealthV1.HealthHandler {
  package enum Status: Sendable, Hashable {
    case serving
    case notServing
  }

  private struct State {
    /// By full service name; the empty name stands for the whole process.
    var statuses: [String: Status] = [:]
    var watchers: [Int: Watcher] = [:]
    var lastWatcher = 0
    var isDraining = false
    var endsWatches = false
  }

  private struct Watcher {
    let service: String
    var seen: GrpcHealthV1.HealthCheckResponse.ServingStatus
    var waiter: CheckedContinuation<Void, Never>?
  }

  private let state = Mutex(State())

  /// The process itself is NOT_SERVING until told otherwise.
  package init() { state.withLock { $0.statuses[""] = .notServing } }

  package func set(_ status: Status, of service: String = "") {
    change { $0.statuses[service] = status }
  }

  /// From now on everything is NOT_SERVING, so that nobody sends new work here.
  package func drain() { change { $0.isDraining = true } }

  /// Watches end with UNAVAILABLE, as the connections that they are on are about to: a watch would
  /// keep its connection from ever being empty.
  package func endWatches() {
    let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
      state.isDraining = true
      state.endsWatches = true
      let waiters = state.watchers.values.compactMap(\.waiter)
      for id in state.watchers.keys { state.watchers[id]?.waiter = nil }
      return waiters
    }
    for waiter in waiters { waiter.resume() }
  }

  package func isServing(_ service: String = "") -> Bool {
    state.withLock { Self.status(of: service, $0) == .serving }
  }

  private func change(_ body: (inout State) -> Void) {
    let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
      body(&state)
      var waiters: [CheckedContinuation<Void, Never>] = []
      for (id, watcher) in state.watchers
      where Self.status(of: watcher.service, state) != watcher.seen {
        if let waiter = watcher.waiter { waiters.append(waiter) }
        state.watchers[id]?.waiter = nil
      }
      return waiters
    }
    for waiter in waiters { waiter.resume() }
  }

  private static func status(
    of service: String, _ state: State
  ) -> GrpcHealthV1.HealthCheckResponse.ServingStatus {
    guard let status = state.statuses[service] else { return .serviceUnknown }
    return state.isDraining || status == .notServing ? .notServing : .serving
  }

  package func check(
    _ request: GrpcHealthV1.HealthCheckRequest, _ context: ServerContext
  ) async throws -> GrpcHealthV1.HealthCheckResponse {
    var response = GrpcHealthV1.HealthCheckResponse()
    response.status = state.withLock { Self.status(of: request.service, $0) }
    guard response.status != .serviceUnknown else {
      throw RPCError(.notFound, "there is no service \(request.service)")
    }
    return response
  }

  package func watch(
    _ request: GrpcHealthV1.HealthCheckRequest,
    _ responses: Outgoing<GrpcHealthV1.HealthCheckResponse>, _ context: ServerContext
  ) async throws {
    let id = state.withLock { state in
      state.lastWatcher += 1
      state.watchers[state.lastWatcher] = Watcher(
        service: request.service, seen: Self.status(of: request.service, state))
      return state.lastWatcher
    }
    defer { state.withLock { $0.watchers[id] = nil } }
    while !Task.isCancelled {
      if state.withLock({ $0.endsWatches }) {
        throw RPCError(.unavailable, "the server is going away")
      }
      var response = GrpcHealthV1.HealthCheckResponse()
      response.status = state.withLock { state in
        let status = Self.status(of: request.service, state)
        state.watchers[id]?.seen = status
        return status
      }
      try await responses.send(response)
      await changed(id)
    }
  }

  /// Waits until the watched status is not the one seen last, or the task is cancelled.
  private func changed(_ id: Int) async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isDue = state.withLock { state in
          guard let watcher = state.watchers[id], !Task.isCancelled, !state.endsWatches,
            Self.status(of: watcher.service, state) == watcher.seen
          else { return true }
          state.watchers[id]?.waiter = continuation
          return false
        }
        if isDue { continuation.resume() }
      }
    } onCancel: {
      let waiter = state.withLock { state in
        defer { state.watchers[id]?.waiter = nil }
        return state.watchers[id]?.waiter
      }
      waiter?.resume()
    }
  }
}
