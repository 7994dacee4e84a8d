internal import Calls
internal import Chrono
internal import Contracts
internal import Loop
internal import Risk
internal import ServiceKit
internal import Telemetry
internal import Translation

extension LimitBook {
  /// In force when this returns from its first step, whatever the disk does; on disk as a rule when it
  /// answers. When that takes too long or fails, the answer says so and the writing goes on.
  func engage(reason: String, by actor: String) async -> RiskV1.KillSwitch {
    lastNumber += 1
    let change = KillSwitchChange(
      number: lastNumber, isEngaged: true, reason: reason, actor: actor, time: context.time.now)
    register.apply(.killSwitch(change))
    unsaved.append(change)
    wakeAll()
    save()
    await wait(within: config.durableWait) {
      !unsaved.contains { $0.number <= change.number } || journalProblem != nil
    }
    return killSwitch
  }

  /// As it is now, with what is amiss.
  var killSwitch: RiskV1.KillSwitch {
    var message = RiskV1.KillSwitch(register.killSwitch)
    if !unsaved.isEmpty {
      let why = journalProblem ?? "the disk has not answered yet"
      let kept = mark.isThere ? "\(mark.path) keeps it meanwhile" : "a restart may forget it"
      message.warning = "engaged, and not in the journal yet: \(why); \(kept)"
    }
    return message
  }

  /// With the latest changes, newest first.
  var killSwitchWithHistory: RiskV1.KillSwitch {
    var message = killSwitch
    message.changes = register.killSwitch.history.reversed().map(RiskV1.KillSwitchChange.init)
    return message
  }

  /// One writer at a time, which does not give up.
  private func save() {
    guard !isSaving else { return }
    isSaving = true
    context.spawn("write the kill switch") { [self] in
      while await saveNext() {}
    }
  }

  /// False when there is nothing left to do.
  private func saveNext() async -> Bool {
    guard let change = unsaved.first, !Task.isCancelled else {
      isSaving = false
      return false
    }
    do throws(RPCError) {
      try await append(.killSwitch(change), by: change.actor)
      unsaved.removeAll { $0.number == change.number }
      if unsaved.isEmpty { dropMark() }
      wakeAll()
    } catch {
      leaveMark(change)
      wakeAll()
      await context.loop.sleep(for: Self.retryInterval)
    }
    return true
  }

  private static var retryInterval: Duration { .milliseconds(200) }

  private func leaveMark(_ change: KillSwitchChange) {
    guard !mark.isThere else { return }
    do {
      try mark.leave(.init(reason: change.reason, actor: change.actor), at: change.time)
    } catch {
      context.log.error(
        "the kill switch is engaged in memory alone", ["error": LogValue(describing: error)])
    }
  }

  /// The journal has what the mark says.
  private func dropMark() {
    do { try mark.remove() } catch {
      context.log.error("the mark stays", ["error": LogValue(describing: error)])
    }
  }

  /// Takes over what somebody left on the machine while this process was not there.
  func absorbMark() {
    guard let content = mark.read() else { return }
    // Engaged by this mark already, and on its way to the journal.
    if register.killSwitch.isEngaged, !unsaved.isEmpty { return }
    if register.killSwitch.isEngaged { return dropMark() }
    context.log.warning(
      "kill switch engaged by a mark on the machine",
      ["mark": .text(mark.path), "by": .text(content.actor), "reason": .text(content.reason)])
    lastNumber += 1
    let change = KillSwitchChange(
      number: lastNumber, isEngaged: true, reason: content.reason, actor: content.actor,
      time: context.time.now)
    register.apply(.killSwitch(change))
    unsaved.append(change)
    wakeAll()
    save()
  }

  /// On disk first. An engagement that was asked for later wins, whichever is written first.
  func release(reason: String, by actor: String) async throws -> RiskV1.KillSwitch {
    try await exclusively {
      await wait(within: config.durableWait) { unsaved.isEmpty || journalProblem != nil }
      guard unsaved.isEmpty else {
        throw RPCError(
          .unavailable,
          "the engagement itself is not on disk yet: \(journalProblem ?? "the disk is silent")")
      }
      let before = register.killSwitch
      do { try mark.remove() } catch {
        throw RPCError(
          .unavailable, "the mark of \"shrivenquant kill\" cannot be removed: \(error)")
      }
      lastNumber += 1
      let change = KillSwitchChange(
        number: lastNumber, isEngaged: false, reason: reason, actor: actor, time: context.time.now)
      do {
        try await commit(.killSwitch(change), by: actor)
      } catch {
        if before.isEngaged, let last = before.history.last { leaveMark(last) }
        throw error
      }
      guard register.killSwitch.number == change.number else {
        throw RPCError(.aborted, "engaged again meanwhile by \(register.killSwitch.actor)")
      }
      return killSwitch
    }
  }
}
