internal import Chrono

/// large_unary for as long as is asked.
extension InteropClient {
  func rpcSoak() async throws { try await soak { try await largeUnary(channel) } }

  func channelSoak() async throws {
    try await soak {
      let (channel, close) = open()
      defer { close() }
      try await largeUnary(channel)
    }
  }

  private func soak(_ iteration: () async throws -> Void) async throws {
    let timeMax = settings.soakTimeMax ?? settings.soakLatencyMax * settings.soakIterations
    let end = time.uptime + timeMax
    var failures: [String] = []
    for index in 0..<settings.soakIterations {
      let began = time.uptime
      guard began < end else {
        throw InteropFault(
          "\(index) of \(settings.soakIterations) iterations were done within \(timeMax)")
      }
      do {
        try await iteration()
        let took = time.uptime - began
        if took > settings.soakLatencyMax { failures.append("one took \(took)") }
      } catch {
        failures.append("\(error)")
      }
    }
    guard failures.count <= settings.soakFailuresMax else {
      throw InteropFault(
        "\(failures.count) of \(settings.soakIterations) iterations failed, the last so: "
          + failures[failures.count - 1])
    }
  }
}
