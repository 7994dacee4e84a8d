package import Loop

/// Runs `body` as a task on an event loop of its own thread, which ends with it.
package func withLoop<R: Sendable>(
  _ body: @escaping @Sendable (EventLoop) async throws -> R
) async throws -> R {
  let loop = EventLoop(name: "test")
  let thread = loop.start()
  let result = await Task(executorPreference: loop) {
    () async -> Result<R, any Error> in
    do { return .success(try await body(loop)) } catch { return .failure(error) }
  }.value
  loop.stop()
  thread.join()
  return try result.get()
}

/// Waits until `condition` holds, looking at it every millisecond; false after `limit`. For
/// conditions that nothing announces.
package func eventually(
  within limit: Duration = .seconds(30), _ condition: () async -> Bool
) async -> Bool {
  let clock = ContinuousClock()
  let end = clock.now + limit
  while clock.now < end {
    if await condition() { return true }
    // A yield would come back before the loop looks at its sockets.
    do { try await Task.sleep(for: .milliseconds(1)) } catch { return await condition() }
  }
  return await condition()
}
