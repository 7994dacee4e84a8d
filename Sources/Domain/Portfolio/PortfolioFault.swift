/// What a ledger cannot take. The ledger is unchanged.
package enum PortfolioFault: Error, Sendable, Hashable {
  /// The sum would not fit its integer.
  case overflow
  /// A price or quantity that is not positive.
  case malformedFill(executionID: String)

  package var problem: String {
    switch self {
    case .overflow: "the sum does not fit 128 bits"
    case .malformedFill(let id): "fill \(id) has a price or quantity that is not positive"
    }
  }
}
