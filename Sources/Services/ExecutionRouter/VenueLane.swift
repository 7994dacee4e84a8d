internal import Loop
private import Synchronization

/// The way of one kind of request to a venue: so many are under way at a time, the others wait their
/// turn. One that the venue did not answer keeps its place for a pause, which gets longer with each, so
/// that a venue that is away, or that we must not ask so often, is asked a few times in all and not a few
/// times for each order. The first answer ends that.
final class VenueLane: Sendable {
  private struct State {
    var running = 0
    var lastTicket = 0
    var waiting: [(ticket: Int, turn: CheckedContinuation<Bool, Never>)] = []
    var pace: RetryPace
  }

  private let most: Int
  private let loop: EventLoop
  private let state: Mutex<State>

  init(most: Int, pace: RetryPace, loop: EventLoop) {
    self.most = most
    self.loop = loop
    state = Mutex(State(pace: pace))
  }

  /// What a request came to, and whether the venue has answered it.
  struct Outcome<Value: Sendable>: Sendable {
    let value: Value
    let isAnswer: Bool
  }

  func run<Value: Sendable>(
    _ request: () async throws -> Outcome<Value>
  ) async throws -> Value {
    try await enter()
    defer { leave() }
    let outcome = try await request()
    if outcome.isAnswer {
      state.withLock { $0.pace.reset() }
    } else {
      await loop.sleep(for: state.withLock { $0.pace.take() })
    }
    return outcome.value
  }

  private func enter() async throws {
    let ticket = state.withLock { state in
      state.lastTicket += 1
      return state.lastTicket
    }
    let hasTurn = await withTaskCancellationHandler {
      await withCheckedContinuation { turn in
        let isFree = state.withLock { state in
          guard state.running >= most else {
            state.running += 1
            return true
          }
          state.waiting.append((ticket, turn))
          return false
        }
        if isFree {
          turn.resume(returning: true)
        } else if Task.isCancelled {
          giveUp(ticket)
        }
      }
    } onCancel: {
      giveUp(ticket)
    }
    guard hasTurn else { throw CancellationError() }
  }

  private func giveUp(_ ticket: Int) {
    let turn = state.withLock { state -> CheckedContinuation<Bool, Never>? in
      guard let index = state.waiting.firstIndex(where: { $0.ticket == ticket }) else { return nil }
      return state.waiting.remove(at: index).turn
    }
    turn?.resume(returning: false)
  }

  private func leave() {
    let next = state.withLock { state -> CheckedContinuation<Bool, Never>? in
      guard !state.waiting.isEmpty else {
        state.running -= 1
        return nil
      }
      return state.waiting.removeFirst().turn
    }
    next?.resume(returning: true)
  }
}
