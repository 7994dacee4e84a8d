import Calls
import Contracts
import Testing

@testable import ServiceKit

@Suite struct `Where services are` {
  func directory() throws -> ServiceDirectory {
    let text = "[services]\noms = 50060\nauth = 50051"
    let ports = try PortTable(file: TOMLFile(parsing: Array(text.utf8), name: "ports.toml"))
    return ServiceDirectory(ports: ports, host: "127.0.0.1")
  }

  func event(
    _ kind: DiscoveryV1.WatchResponse.Kind, _ service: String = "", _ id: String = "",
    port: UInt32 = 0, health: DiscoveryV1.InstanceHealth = .serving
  ) -> DiscoveryV1.WatchResponse {
    var event = DiscoveryV1.WatchResponse()
    event.kind = kind
    guard !service.isEmpty else { return event }
    var instance = DiscoveryV1.Instance()
    instance.service = service
    instance.instanceId = id
    instance.host = "127.0.0.1"
    instance.port = port
    instance.health = health
    event.instance = instance
    return event
  }

  @Test func `DISC-04 the port table answers only until discovery has`() throws {
    let directory = try directory()
    #expect(directory.places(of: "oms").map(\.port) == [50_060])

    directory.take(event(.added, "oms", "a", port: 7001))

    #expect(directory.places(of: "oms").map(\.port) == [7001])
    #expect(directory.places(of: "auth").map(\.port) == [50_051])
    #expect(directory.places(of: "nobody").isEmpty)
  }

  @Test func `DISC-02 instances that do not serve are passed over while another serves`() throws {
    let directory = try directory()
    directory.take(event(.added, "oms", "a", port: 7001))
    directory.take(event(.added, "oms", "b", port: 7002, health: .notServing))
    #expect(directory.places(of: "oms").map(\.port) == [7001])

    directory.take(event(.changed, "oms", "b", port: 7002))
    directory.take(event(.removed, "oms", "a", port: 7001))

    #expect(directory.places(of: "oms").map(\.port) == [7002])
  }

  @Test func `an instance takes the place of the dead one at its address`() throws {
    let directory = try directory()
    directory.take(event(.added, "oms", "dead", port: 7001))

    directory.take(event(.added, "oms", "new", port: 7001))
    #expect(directory.places(of: "oms").map(\.port) == [7001])

    directory.take(event(.removed, "oms", "dead", port: 7001))
    #expect(directory.places(of: "oms").map(\.port) == [7001])
  }
}
