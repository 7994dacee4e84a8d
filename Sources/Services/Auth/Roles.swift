/// What the roles allow, in scopes as the contracts name them.
enum Role: String, CaseIterable {
  case viewer
  case trader
  case admin

  private static let reading: Set<String> = [
    "market.read", "orders.read", "portfolio.read", "risk.read", "services.read", "strategies.read",
  ]
  private static let trading: Set<String> = [
    "orders.write", "strategies.write", "kill-switch.engage",
  ]
  private static let administering: Set<String> = [
    "kill-switch.release", "risk.write", "users.read", "users.write",
  ]

  var scopes: Set<String> {
    switch self {
    case .viewer: Self.reading
    case .trader: Self.reading.union(Self.trading)
    case .admin: Self.reading.union(Self.trading).union(Self.administering)
    }
  }

  /// The scopes of several roles; names that are no role allow nothing.
  static func scopes(of roles: [String]) -> Set<String> {
    roles.compactMap(Role.init(rawValue:)).reduce(into: []) { $0.formUnion($1.scopes) }
  }
}
