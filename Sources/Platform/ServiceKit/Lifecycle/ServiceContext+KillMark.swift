internal import Loop

extension ServiceContext {
  /// Calls `look` when the mark comes or goes: at once where the kernel tells, within
  /// the state folder's interval everywhere, until the service stops.
  package func watchMark(_ look: @escaping @Sendable () async -> Void) {
    spawn("watch for the mark", every: state.markInterval) { await look() }
    // A simulated loop has no descriptors.
    guard loop.scheduler == nil else { return }
    spawn("hear of the mark") { [loop, state] in
      try makeFolder(state.run)
      let watch = FolderWatch(state.run, loop) { _ = loop.spawn { await look() } }
      defer { watch?.stop() }
      while !Task.isCancelled { await loop.sleep(for: .seconds(3_600)) }
    }
  }
}
