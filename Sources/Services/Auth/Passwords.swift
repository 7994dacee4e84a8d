internal import Calls
internal import Security

/// Hashes passwords away from the loop, a few at a time: a burst of logins must neither stop the
/// service nor take its memory.
actor Passwords {
  private let atOnceMax: Int
  private let waitingMax: Int
  private var running = 0
  private var waiting: [CheckedContinuation<Void, Never>] = []

  init(atOnceMax: Int, waitingMax: Int) {
    self.atOnceMax = atOnceMax
    self.waitingMax = waitingMax
  }

  /// The hash that an unknown name is checked against, so that it takes as long as a known one.
  private static let nobody = PasswordHash.make("nobody has this password")

  func hash(_ password: String) async throws(RPCError) -> String {
    try await turn()
    defer { release() }
    return await Task.detached { PasswordHash.make(password) }.value
  }

  /// `stored` is nil for a name that nobody has.
  func verify(_ password: String, against stored: String?) async throws(RPCError) -> Bool {
    try await turn()
    defer { release() }
    return await Task.detached {
      PasswordHash.verify(password, against: stored ?? Self.nobody) && stored != nil
    }.value
  }

  private func turn() async throws(RPCError) {
    if running < atOnceMax {
      running += 1
      return
    }
    guard waiting.count < waitingMax else {
      throw RPCError(
        .resourceExhausted, "too many logins at once (hashes_waiting_max)",
        details: [.retryInfo(delay: .seconds(1))])
    }
    await withCheckedContinuation { waiting.append($0) }
  }

  private func release() {
    if waiting.isEmpty { running -= 1 } else { waiting.removeFirst().resume() }
  }
}
