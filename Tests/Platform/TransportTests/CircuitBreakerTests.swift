import Chrono
import Seeds
import Testing

@testable import Transport

@Suite struct `Circuit to a service` {
  private var settings: CircuitSettings {
    var settings = CircuitSettings()
    settings.failuresMax = 3
    settings.pause = .seconds(1)
    settings.pauseMax = .seconds(3)
    settings.probesMax = 2
    return settings
  }

  private func at(_ seconds: Double) -> Uptime {
    Uptime(nanoseconds: 1_000_000_000) + .seconds(seconds)
  }

  @Test func `GWY-10 opens after failures in a row, lets probes through, closes with a success`() {
    var circuit = CircuitBreaker(settings)
    circuit.failed(at(0))
    circuit.failed(at(0))
    circuit.succeeded()
    circuit.failed(at(0))
    circuit.failed(at(0))
    #expect(circuit.admit(at(0)) == .pass)
    circuit.failed(at(0))

    #expect(circuit.state == .open)
    #expect(circuit.admit(at(0.999)) == .refuse(until: at(1)))
    #expect(circuit.admit(at(1)) == .probe)
    #expect(circuit.admit(at(1)) == .probe)
    #expect(circuit.admit(at(1)) == .refuse(until: at(2)))
    circuit.succeeded()
    #expect(circuit.state == .closed)
  }

  @Test func `GWY-10 a probe that fails opens it for twice as long, within a limit`() {
    var circuit = CircuitBreaker(settings)
    for _ in 0..<3 { circuit.failed(at(0)) }
    var now = 0.0
    for pause in [1.0, 2, 3, 3] {
      #expect(circuit.admit(at(now + pause - 0.001)) == .refuse(until: at(now + pause)))
      now += pause
      #expect(circuit.admit(at(now)) == .probe)
      circuit.failed(at(now))
    }
  }

  @Test func `what ends late says nothing about an open circuit`() {
    var circuit = CircuitBreaker(settings)
    for _ in 0..<3 { circuit.failed(at(0)) }
    circuit.succeeded()
    circuit.failed(at(0.5))
    #expect(circuit.admit(at(0.9)) == .refuse(until: at(1)))
  }

  @Test func `probes that end without an answer, or never, make room for others`() {
    var circuit = CircuitBreaker(settings)
    for _ in 0..<3 { circuit.failed(at(0)) }
    for _ in 0..<2 { #expect(circuit.admit(at(1)) == .probe) }
    circuit.withdrawn()
    #expect(circuit.admit(at(1.1)) == .probe)
    #expect(circuit.admit(at(1.2)) == .refuse(until: at(2)))
    #expect(circuit.admit(at(2)) == .probe)
  }

  @Test func `an instance that comes up ends the pause`() {
    var circuit = CircuitBreaker(settings)
    for _ in 0..<3 { circuit.failed(at(0)) }
    circuit.instanceArrived(at(0.1))
    #expect(circuit.admit(at(0.1)) == .probe)
  }

  @Test func `without a threshold it never opens`() {
    var circuit = CircuitBreaker(CircuitSettings())
    for _ in 0..<100 { circuit.failed(at(0)) }
    #expect(circuit.isClosed)
  }

  @Test func `GWY-10 in any order of events it refuses only while open, never for ever`() {
    var chance = SeededGenerator(seed: 10)
    for _ in 0..<200 {
      var circuit = CircuitBreaker(settings)
      var now = at(0)
      var failuresInRow = 0
      for _ in 0..<200 {
        now = now + .milliseconds(Int.random(in: 0...700, using: &chance))
        let before = circuit.state
        switch Int.random(in: 0..<6, using: &chance) {
        case 0, 1:
          circuit.failed(now)
          failuresInRow += 1
          if before == .closed {
            #expect((circuit.state == .open) == (failuresInRow >= settings.failuresMax))
          }
          if before == .halfOpen { #expect(circuit.state == .open) }
        case 2:
          circuit.succeeded()
          if before != .open {
            failuresInRow = 0
            #expect(circuit.state == .closed)
          }
        case 3: circuit.withdrawn()
        case 4: circuit.instanceArrived(now)
        default:
          switch circuit.admit(now) {
          case .pass: #expect(before == .closed)
          case .probe: #expect(circuit.state == .halfOpen)
          case .refuse(let until):
            #expect(before != .closed)
            #expect(until > now && until - now <= settings.pauseMax)
            var later = circuit
            #expect(later.admit(until) == .probe)
          }
        }
      }
    }
  }
}
