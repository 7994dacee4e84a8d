internal import Calls

/// An error as a person reads it in a log or on a terminal.
package func errorText(_ error: any Error) -> String {
  guard let error = error as? RPCError else { return "\(error)" }
  return "\(error.code.name): \(error.message)"
}
