/// A number that goes up and down. Lock-free.
package final class Gauge: Sendable {
  private let number = AtomicDouble()

  init() {}

  package var value: Double { number.load() }

  package func set(_ value: Double) { number.store(value) }
  package func set(_ value: some BinaryInteger) { number.store(Double(value)) }
  package func add(_ amount: Double) { number.add(amount) }
  package func increment() { number.add(1) }
  package func decrement() { number.add(-1) }
}
