internal import AuthService
internal import DiscoveryService
internal import ExecutionRouterService
internal import GatewayService
internal import MarketConnectorService
internal import OMSService
internal import OrderbookService
internal import PortfolioManagerService
internal import RiskManagerService
package import ServiceKit
internal import TradingGatewayService

/// The services that this program can be: one line each.
package enum Catalog {
  package static let services: [CatalogEntry] = [
    CatalogEntry(Discovery.self),
    CatalogEntry(Auth.self),
    CatalogEntry(MarketConnector.self),
    CatalogEntry(Orderbook.self),
    CatalogEntry(RiskManager.self),
    CatalogEntry(OMS.self),
    CatalogEntry(ExecutionRouter.self),
    CatalogEntry(TradingGateway.self),
    CatalogEntry(PortfolioManager.self),
    CatalogEntry(Gateway.self),
  ]

  static var names: [String] { services.map(\.name.text) }

  static func entry(_ name: String) throws(UsageError) -> CatalogEntry {
    guard let entry = services.first(where: { $0.name.text == name }) else {
      throw UsageError(
        "there is no service \"\(name)\" in this program\(suggestion(for: name, among: names)) "
          + "(shrivenquant list shows them)")
    }
    return entry
  }
}

/// A service as commands see it.
package struct CatalogEntry: Sendable {
  package let name: ServiceName
  package let summary: String
  package let needs: [ServiceName]
  let run: @Sendable (ProcessOptions) -> Int32
  /// The tables of its settings; throws all that is wrong with them.
  let check: @Sendable (SettingsSources, PortTable) throws -> [SettingsTable]

  init<Service: ServiceDefinition>(_ type: Service.Type) {
    name = Service.name
    summary = Service.summary
    needs = Service.needs
    run = { ServiceProcess<Service>.run($0) }
    check = { sources, ports in
      let options = ProcessOptions(state: StateFolder("var"), ports: ports, sources: sources)
      return try ServiceProcess<Service>.load(options).tables
    }
  }
}
