import Glibc
import Synchronization

/// Between the market-connector and the venue's REST port: passes bytes on, and notes when the first of
/// them came that go to the venue. One thread, which ends with the process.
final class VenueRelay: Sendable {
  let port: Int
  private let venue: Int
  private let listener: Int32
  private let first = Atomic<UInt64>(0)

  init(toPort venue: Int) throws {
    self.venue = venue
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = Self.address(0)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listener = listener
    let code = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(listener, address, size) == 0 && listen(listener, 64) == 0
          ? getsockname(listener, address, &size) : -1
      }
    }
    guard code == 0 else { throw Broken("no port for the relay: \(SystemCall.lastError)") }
    port = Int(UInt16(bigEndian: address.sin_port))
  }

  func start() throws {
    let relay = Unmanaged.passRetained(self)
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<VenueRelay>.fromOpaque(argument!).takeUnretainedValue().run()
        return nil
      }, relay.toOpaque())
    guard code == 0 else { throw Broken("no thread for the relay: errno \(code)") }
  }

  /// Forgets what has come so far.
  func clear() { first.store(0, ordering: .sequentiallyConsistent) }
  /// When the first bytes for the venue came since; nil while none have.
  var firstAt: UInt64? {
    let time = first.load(ordering: .sequentiallyConsistent)
    return time == 0 ? nil : time
  }

  private static func address(_ port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    return address
  }

  private func run() {
    var polls = [pollfd(fd: listener, events: Int16(POLLIN), revents: 0)]
    /// The other end of each; every even one is the venue's.
    var peers: [Int32] = [-1]
    var block = [UInt8](repeating: 0, count: 1 << 16)
    while poll(&polls, nfds_t(polls.count), -1) > 0 {
      for index in polls.indices where index > 0 && polls[index].revents != 0 {
        let count = read(polls[index].fd, &block, block.count)
        if index % 2 == 1, count > 0 {
          _ = first.compareExchange(
            expected: 0, desired: monotonicNanoseconds(), ordering: .sequentiallyConsistent)
        }
        if count > 0 {
          _ = write(peers[index], block, count)
        } else {
          shutdown(peers[index], Int32(SHUT_RDWR))
          polls[index].fd = -1
        }
      }
      if polls[0].revents != 0 { accept(&polls, &peers) }
    }
  }

  private func accept(_ polls: inout [pollfd], _ peers: inout [Int32]) {
    let near = Glibc.accept(listener, nil, nil)
    let far = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = Self.address(venue)
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(far, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard near >= 0, connected == 0 else {
      close(near)
      close(far)
      return
    }
    for (descriptor, peer) in [(near, far), (far, near)] {
      var one: Int32 = 1
      setsockopt(
        descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
      polls.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
      peers.append(peer)
    }
  }
}

func monotonicNanoseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
