/// The calls of a channel that wait for a connection, first come first served. Those that ended
/// meanwhile are passed over, and their memory is let go when they are more than half.
struct WaitingCalls {
  private var calls: [ClientCall?] = []
  private var head = 0
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  mutating func add(_ call: ClientCall) {
    call.isWaiting = true
    calls.append(call)
    count += 1
  }

  /// Back to where it was taken from: still the first.
  mutating func putBack(_ call: ClientCall) {
    call.isWaiting = true
    count += 1
    if head > 0 {
      head -= 1
      calls[head] = call
    } else {
      calls.insert(call, at: 0)
    }
  }

  /// The call has ended; it is skipped from now on.
  mutating func remove(_ call: ClientCall) {
    guard call.isWaiting else { return }
    call.isWaiting = false
    count -= 1
    if calls.count - head > 64, count < (calls.count - head) / 2 {
      calls = calls[head...].filter { $0?.isWaiting == true }
      head = 0
    }
  }

  mutating func takeFirst() -> ClientCall? {
    while head < calls.count {
      let call = calls[head]
      calls[head] = nil
      head += 1
      if head == calls.count {
        calls.removeAll(keepingCapacity: calls.count <= 1024)
        head = 0
      }
      if let call, call.isWaiting {
        call.isWaiting = false
        count -= 1
        return call
      }
    }
    return nil
  }

  /// All that wait, in their order; they wait no longer.
  mutating func takeAll() -> [ClientCall] {
    var all: [ClientCall] = []
    while let call = takeFirst() { all.append(call) }
    return all
  }
}
