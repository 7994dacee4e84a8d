import Glibc

/// A blocking TCP socket of the loopback; nothing here waits longer than its limit.
final class LoopbackSocket {
  private let fd: Int32
  private static let waitSecondsMax = 5

  private init(fd: Int32) {
    self.fd = fd
    var limit = timeval(tv_sec: Self.waitSecondsMax, tv_usec: 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    // Thousands of connections a second would use up the ports: a reset leaves none waiting.
    var ending = linger(l_onoff: 1, l_linger: 0)
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &ending, socklen_t(MemoryLayout<linger>.size))
  }

  deinit { close(fd) }

  static func connected(to port: Int) -> LoopbackSocket? {
    let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    let made = LoopbackSocket(fd: fd)
    let code = withAddress(port) { connect(fd, $0, $1) }
    return code == 0 ? made : nil
  }

  /// Listens on a port that the kernel chooses.
  static func listening() -> (socket: LoopbackSocket, port: Int) {
    let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard withAddress(0, { bind(fd, $0, $1) }) == 0, listen(fd, 16) == 0 else {
      fatalError("no port on the loopback")
    }
    var (address, size) = (sockaddr_in(), socklen_t(MemoryLayout<sockaddr_in>.size))
    withUnsafeMutablePointer(to: &address) {
      _ = $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(fd, $0, &size) }
    }
    return (LoopbackSocket(fd: fd), Int(UInt16(bigEndian: address.sin_port)))
  }

  func accepted() -> LoopbackSocket? {
    let accepted = accept(fd, nil, nil)
    return accepted >= 0 ? LoopbackSocket(fd: accepted) : nil
  }

  /// Sends all of it, as far as the peer takes it, and says that nothing follows.
  func sendAndFinish(_ bytes: [UInt8]) {
    send(bytes)
    shutdown(fd, Int32(SHUT_WR))
  }

  func send(_ bytes: [UInt8]) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(fd, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { break }
      sent += count
    }
  }

  /// Reads until an HTTP/2 client has begun a call; false when it does not.
  func readsCall() -> Bool {
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 4_096)
    while true {
      let count = recv(fd, &block, block.count, 0)
      guard count > 0 else { return false }
      bytes.append(contentsOf: block[..<count])
      if bytes.count > Frames.preface.count, Frames.hasHeaders(bytes[Frames.preface.count...]) {
        return true
      }
    }
  }

  /// What comes until the peer closes; nil when it does not.
  func readToEnd() -> [UInt8]? {
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 16_384)
    while true {
      let count = recv(fd, &block, block.count, 0)
      if count < 0, errno == EAGAIN || errno == EWOULDBLOCK { return nil }
      guard count > 0 else { return bytes }
      bytes.append(contentsOf: block[..<count])
    }
  }

  private static func withAddress(
    _ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) -> Int32 {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }
}
