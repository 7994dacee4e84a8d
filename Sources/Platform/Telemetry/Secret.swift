/// A value that no log, interpolation, dump or debugger description shows.
package struct Secret<Value: Sendable>: Sendable {
  private let value: Value

  package init(_ value: Value) { self.value = value }

  /// The only way to the value: the reader of a call sees that a secret is used here.
  package func withExposed<Result, Failure: Error>(
    _ body: (Value) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(value)
  }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  package var description: String { "<redacted>" }
  package var debugDescription: String { "<redacted>" }
  package var customMirror: Mirror { Mirror(self, children: [Mirror.Child]()) }
}

extension Secret: Equatable where Value: Equatable {
  package static func == (left: Secret, right: Secret) -> Bool { left.value == right.value }
}
