internal import CLinux
internal import Glibc

/// The socket options that all connections share.
enum SocketOptions {
  static func set(_ fd: Int32, _ level: Int32, _ option: Int32, _ value: Int32 = 1) {
    var value = value
    setsockopt(fd, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  /// Small messages leave at once; dead peers are noticed after a minute or so.
  static func prepare(_ fd: Int32, family: Int32) {
    guard family == AF_INET || family == AF_INET6 else { return }
    set(fd, Int32(IPPROTO_TCP), TCP_NODELAY)
    set(fd, SOL_SOCKET, SO_KEEPALIVE)
    set(fd, Int32(IPPROTO_TCP), TCP_KEEPIDLE, 30)
    set(fd, Int32(IPPROTO_TCP), TCP_KEEPINTVL, 10)
    set(fd, Int32(IPPROTO_TCP), TCP_KEEPCNT, 3)
  }

  static func open(family: Int32) throws(TransportError) -> Int32 {
    let flags =
      Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
      | Int32(SOCK_NONBLOCK.rawValue)
    let fd = socket(family, flags, 0)
    guard fd >= 0 else {
      throw TransportError("socket: \(String(cString: strerror(clinux_errno())))")
    }
    return fd
  }
}
