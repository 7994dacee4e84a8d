package import Units

/// A client of the simulated exchange as it is set up: its key pair and what it owns at first.
package struct SimulatedAccountSettings: Sendable {
  package var apiKey: String
  package var secret: [UInt8]
  package var balances: [String: Decimal]
  /// Asked for by OKX besides the signature.
  package var passphrase: String

  package init(
    apiKey: String, secret: [UInt8], balances: [String: Decimal], passphrase: String = ""
  ) {
    self.passphrase = passphrase
    self.apiKey = apiKey
    self.secret = secret
    self.balances = balances
  }
}

struct Balance: Hashable {
  var free = AssetAmount.zero
  var locked = AssetAmount.zero
}

/// An account's money. What open orders may spend is locked; nothing is ever spent twice.
struct SimulatedAccount {
  let apiKey: String
  let secret: [UInt8]
  let passphrase: String
  private(set) var balances: [String: Balance] = [:]
  /// Assets whose balance changed since the last `takeChanged`.
  private var changed: Set<String> = []

  init(_ settings: SimulatedAccountSettings) {
    apiKey = settings.apiKey
    secret = settings.secret
    passphrase = settings.passphrase
    for (asset, decimal) in settings.balances {
      guard let amount = AssetAmount(decimal), amount >= .zero else {
        preconditionFailure("the balance of \(asset) is \(decimal)")
      }
      balances[asset] = Balance(free: amount)
    }
  }

  func free(_ asset: String) -> AssetAmount { balances[asset]?.free ?? .zero }

  mutating func credit(_ asset: String, _ amount: AssetAmount) {
    balances[asset, default: Balance()].free += amount
    changed.insert(asset)
  }

  mutating func debit(_ asset: String, _ amount: AssetAmount) { credit(asset, .zero - amount) }

  /// Moves from free to locked; a negative amount moves back.
  mutating func lock(_ asset: String, _ amount: AssetAmount) {
    guard amount != .zero else { return }
    balances[asset, default: Balance()].free -= amount
    balances[asset, default: Balance()].locked += amount
    changed.insert(asset)
  }

  mutating func restore(_ asset: String, _ balance: Balance) { balances[asset] = balance }

  /// The assets that changed, in alphabetical order.
  mutating func takeChanged() -> [(asset: String, balance: Balance)] {
    defer { changed.removeAll(keepingCapacity: true) }
    return changed.sorted().map { ($0, balances[$0] ?? Balance()) }
  }
}
