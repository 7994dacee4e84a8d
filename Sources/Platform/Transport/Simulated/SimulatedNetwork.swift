package import Calls
package import Chrono
package import Loop

/// What goes wrong between processes, in a million packets each.
package struct NetworkFaults: Sendable, Hashable {
  /// The call's connection breaks, and one end or both hear of it, at once or late.
  package var lost = 0
  /// Held back by up to `lateMax`.
  package var late = 0
  package var lateMax = Duration.seconds(2)
  /// A request that may be repeated comes twice.
  package var doubled = 0
  /// Calls overtake each other; without it a pair of processes hears all of it in order.
  package var reorders = false

  package init() {}
}

/// The wires between the processes of a simulation: calls travel as packets with a delay, keep their
/// own order as on a connection, and end as calls do when a process or a wire is gone.
///
/// `@unchecked Sendable`: touched on the scheduler's thread only.
package final class SimulatedNetwork: @unchecked Sendable {
  package let scheduler: SimulatedScheduler
  package var faults = NetworkFaults()
  /// How many packets met each fault, for the run's summary.
  package private(set) var faultsMet = 0
  package private(set) var calls: UInt64 = 0

  var random: SeededRandom
  private var places: [String: SimulatedEndpoint] = [:]
  private var cuts: [Pair: Uptime] = [:]
  private var arrivals: [Pair: Uptime] = [:]

  struct Pair: Hashable {
    let from: String
    let to: String
  }

  /// What a packet takes at least, and at most so much more.
  private static let delayMin = Duration.microseconds(40)
  private static let delaySpread = 120_000
  /// A connection that has heard nothing for so long is given up.
  static let silenceMax = Duration.seconds(10)

  package init(_ scheduler: SimulatedScheduler) {
    self.scheduler = scheduler
    random = scheduler.random.fork()
  }

  // MARK: Processes

  /// A process begins under this name; the one before it, if any, is found no more.
  package func endpoint(_ name: String, _ loop: EventLoop) -> SimulatedEndpoint {
    let endpoint = SimulatedEndpoint(name, loop, self)
    places[name] = endpoint
    return endpoint
  }

  func find(_ name: String) -> SimulatedEndpoint? { places[name] }

  // MARK: Wires

  /// Nothing passes from one process to the other until then; the other way is not touched.
  package func cut(from: String, to: String, until moment: Uptime) {
    cuts[Pair(from: from, to: to)] = moment
  }

  package func heal() {
    cuts.removeAll()
    faults = NetworkFaults()
  }

  enum Fate {
    case arrives(Uptime)
    /// The connection is given up at this moment.
    case breaks(Uptime)
  }

  func fate(from: String, to: String, after previous: Uptime) -> Fate {
    let now = scheduler.uptime
    let pair = Pair(from: from, to: to)
    var moment = now + Self.delayMin + .nanoseconds(random.below(Self.delaySpread))
    if faults.lost > 0, random.happens(faults.lost) {
      faultsMet += 1
      return .breaks(random.below(2) == 0 ? moment : now + Self.silenceMax)
    }
    if faults.late > 0, random.happens(faults.late) {
      faultsMet += 1
      moment = moment + random.duration(.zero, faults.lateMax)
    }
    if let end = cuts[pair], end > now {
      faultsMet += 1
      guard end - now < Self.silenceMax else { return .breaks(now + Self.silenceMax) }
      moment = max(moment, end)
    }
    moment = max(moment, previous + .nanoseconds(1))
    if !faults.reorders {
      if let last = arrivals[pair] { moment = max(moment, last) }
      arrivals[pair] = moment
    }
    return .arrives(moment)
  }

  func doubles() -> Bool {
    guard faults.doubled > 0, random.happens(faults.doubled) else { return false }
    faultsMet += 1
    return true
  }

  func nextCall() -> UInt64 {
    calls += 1
    return calls
  }
}

/// A process of a simulated network.
///
/// `@unchecked Sendable`: touched on the scheduler's thread only.
package final class SimulatedEndpoint: @unchecked Sendable {
  package let name: String
  package let loop: EventLoop
  let network: SimulatedNetwork
  private(set) var isAlive = true
  private(set) var methods: [String: ServerMethod] = [:]
  /// Calls that this process makes, and those that it serves or is about to.
  var made: [UInt64: SimulatedCall] = [:]
  var served: [UInt64: SimulatedCall] = [:]

  init(_ name: String, _ loop: EventLoop, _ network: SimulatedNetwork) {
    self.name = name
    self.loop = loop
    self.network = network
  }

  /// From now on calls are taken.
  package func serve(_ methods: [ServerMethod]) {
    for method in methods { self.methods[method.descriptor.path] = method }
  }

  var serves: Bool { isAlive && !methods.isEmpty }

  package func channel(to name: String, as identity: Identity) -> any Channel {
    SimulatedChannel(client: self, server: name, identity: identity)
  }

  /// The process is gone, with everything in it; its peers hear of their broken connections.
  package func kill() {
    isAlive = false
    network.scheduler.drop(loop)
    for (_, call) in served.sorted(by: { $0.key < $1.key }) { call.serverDied() }
    for (_, call) in made.sorted(by: { $0.key < $1.key }) { call.clientDied() }
    served.removeAll()
    made.removeAll()
  }
}

struct SimulatedChannel: Channel {
  let client: SimulatedEndpoint
  let server: String
  let identity: Identity

  private static let defaultTimeout = Duration.seconds(10)
  private static let connectPause = Duration.milliseconds(100)

  func unary(
    _ method: MethodDescriptor, _ request: [UInt8], _ options: CallOptions
  ) async throws(RPCError) -> [UInt8] {
    let call = try await begin(method, options, whole: request)
    guard let response = try await call.next() else {
      throw RPCError(.internalError, "the server answered without a message")
    }
    return response
  }

  func open(
    _ method: MethodDescriptor, _ options: CallOptions
  ) async throws(RPCError) -> any ClientStream {
    try await begin(method, options, whole: nil)
  }

  private func begin(
    _ method: MethodDescriptor, _ options: CallOptions, whole: [UInt8]?
  ) async throws(RPCError) -> SimulatedCall {
    let loop = client.loop
    var deadline = options.deadline
    if deadline == nil, !method.shape.responsesStream {
      deadline = loop.uptime + Self.defaultTimeout
    }
    var place = client.network.find(server)
    while !(place?.serves ?? false) {
      guard options.waitsForReady else {
        throw RPCError(.unavailable, "\(server) is absent: nothing was sent")
      }
      if let deadline, loop.uptime >= deadline {
        throw RPCError(.deadlineExceeded, "\(server) is absent: nothing was sent")
      }
      if Task.isCancelled { throw RPCError(.cancelled, "the call was cancelled") }
      await loop.sleep(for: Self.connectPause)
      place = client.network.find(server)
    }
    let call = SimulatedCall(
      client, place!, method, deadline: deadline, identity: identity,
      traceParent: options.traceParent, metadata: options.metadata)
    call.start(whole: whole)
    return call
  }
}
