import Glibc
import TestKit
import Testing

@testable import Commands

@Suite struct `Ports that somebody else has` {
  /// A socket of ours at a port of the kernel's choice.
  private func bound() throws -> (file: Int32, port: Int) {
    let file = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(file, $0, size) == 0 && listen(file, 1) == 0 && getsockname(file, $0, &size) == 0
      }
    }
    try #require(isBound)
    return (file, Int(in_port_t(bigEndian: address.sin_port)))
  }

  @Test func `the port and the process that has it are named`() throws {
    let (file, port) = try bound()
    defer { close(file) }

    let holder = try #require(PortHolder.of(port))

    #expect(holder.process == getpid() && !holder.isOutgoing && holder.port == port)
    #expect(holder.text.hasPrefix("port \(port) is taken by process \(getpid()) ("))
  }

  @Test func `a port that was given back has no holder`() throws {
    let (file, port) = try bound()
    close(file)
    #expect(PortHolder.of(port) == nil)
  }

  @Test func `of an outgoing connection it is said what keeps them away`() {
    let holder = PortHolder(port: 50_060, process: 7, command: "curl -s x", isOutgoing: true)
    #expect(holder.text.contains("outgoing connection of process 7 (curl -s x)"))
    #expect(holder.text.contains("ip_local_reserved_ports"))
    let hidden = PortHolder(port: 50_060, process: nil, command: "", isOutgoing: false)
    #expect(hidden.text == "port 50060 is taken by a process that cannot be seen from here")
  }
}
