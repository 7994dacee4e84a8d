import Chrono
import Seeds
import Testing

@testable import Transport

@Suite struct `Outliers among instances` {
  private var settings: OutlierSettings {
    var settings = OutlierSettings()
    settings.failuresInRowMax = 3
    settings.interval = .seconds(1)
    settings.volumeMin = 10
    settings.ejection = .seconds(2)
    settings.ejectionMax = .seconds(5)
    settings.ejectedPercentMax = 50
    return settings
  }

  private func at(_ seconds: Double) -> Uptime { Uptime(nanoseconds: 0) + .seconds(seconds) }

  private func detector(_ instances: Set<Int>) -> OutlierDetector<Int> {
    var detector = OutlierDetector<Int>(settings)
    detector.keep(instances)
    return detector
  }

  @Test func `failures in a row eject, a success between them does not`() {
    var detector = detector([1, 2])
    for _ in 0..<5 {
      #expect(detector.failed(1, at(0)) == false)
      #expect(detector.failed(1, at(0)) == false)
      detector.succeeded(1)
    }
    _ = detector.failed(1, at(0))
    _ = detector.failed(1, at(0))
    #expect(detector.failed(1, at(0)) == true)
    #expect(detector.isEjected(1) && !detector.isEjected(2))
  }

  @Test func `a high share of failures in an interval ejects, if there were enough calls`() {
    var detector = detector([1, 2])
    for call in 0..<20 {
      if call % 10 == 0 { detector.succeeded(1) } else { _ = detector.failed(1, at(0)) }
      detector.succeeded(2)
    }
    // Three failures in a row were among them.
    #expect(detector.isEjected(1))

    var few = self.detector([1, 2])
    for _ in 0..<2 { _ = few.failed(1, at(0)) }
    #expect(few.sweep(at(1)).ejected == [])
  }

  @Test func `ejections last longer each time, and are forgiven interval by interval`() {
    var detector = detector([1, 2])
    var now = 0.0
    for time in [2.0, 4, 5, 5] {
      for _ in 0..<3 { _ = detector.failed(1, at(now)) }
      #expect(detector.isEjected(1))
      var left = now
      while detector.isEjected(1), left < now + 20 {
        left += 1
        _ = detector.sweep(at(left))
      }
      #expect(left - now >= time && left - now <= time + 1.001, "\(left - now) of \(time)")
      now = left
    }
    for _ in 0..<10 {
      now += 1
      _ = detector.sweep(at(now))
    }
    #expect(detector.nextSweep == nil)
    for _ in 0..<3 { _ = detector.failed(1, at(now)) }
    _ = detector.sweep(at(now + 1))
    _ = detector.sweep(at(now + 2))
    #expect(!detector.isEjected(1))
  }

  @Test func `the last one stays, also when the others leave`() {
    var alone = detector([1])
    for _ in 0..<10 { #expect(alone.failed(1, at(0)) == false) }
    var both = detector([1, 2])
    for _ in 0..<3 { _ = both.failed(1, at(0)) }
    for _ in 0..<9 { #expect(both.failed(2, at(0)) == false) }
    both.keep([1])
    #expect(!both.isEjected(1))
  }

  @Test func `in any order of events the shares hold, and all come back`() {
    var chance = SeededGenerator(seed: 50)
    for _ in 0..<100 {
      var detector = OutlierDetector<Int>(settings)
      var instances = Set(0..<Int.random(in: 1...6, using: &chance))
      detector.keep(instances)
      var now = at(0)
      for _ in 0..<300 {
        now = now + .milliseconds(Int.random(in: 0...300, using: &chance))
        let instance = Int.random(in: 0..<7, using: &chance)
        switch Int.random(in: 0..<8, using: &chance) {
        case 0: detector.succeeded(instance)
        case 1:
          if Bool.random(using: &chance) {
            instances.insert(instance)
          } else if instances.count > 1 {
            instances.remove(instance)
          }
          detector.keep(instances)
        case 2: _ = detector.sweep(now)
        default: _ = detector.failed(instance, now)
        }
        let ejected = instances.filter { detector.isEjected($0) }.count
        #expect(ejected == detector.ejectedCount)
        #expect(ejected < instances.count || instances.isEmpty)
      }
      // Nobody fails any more: within the longest ejection all are back.
      for _ in 0..<20 {
        now = now + .seconds(1)
        _ = detector.sweep(now)
      }
      #expect(detector.ejectedCount == 0)
      #expect(detector.nextSweep == nil)
    }
  }
}
