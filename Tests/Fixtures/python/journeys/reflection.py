"""Lists every service of every port by reflection, with all methods and their messages.

reflection.py STATE name=port...
"""

import sys

from mesh_client import Port, check, done, ports

expected = {
    "auth": ["auth.v1.AuthService"],
    "discovery": ["discovery.v1.DiscoveryService"],
    "execution-router": ["execution.v1.ExecutionService"],
    "market-connector": ["market.v1.MarketService", "market.v1.VenueOrderService"],
    "oms": ["oms.v1.OrderService"],
    "orderbook": ["orderbook.v1.OrderbookService"],
    "portfolio-manager": ["portfolio.v1.PortfolioService"],
    "risk-manager": ["risk.v1.RiskService"],
    "trading-gateway": ["trading.v1.TradingService"],
    "gateway": [],
}
for name, port in ports(sys.argv[2:]).items():
    mesh = Port(sys.argv[1], port)
    services = mesh.services()
    wanted = [f"shrivenquant.{service}" for service in expected[name]] + ["grpc.health.v1.Health"]
    check(f"{name} lists its services", set(wanted) <= set(services), services)
    for service in wanted:
        for method in mesh.methods(service):
            # The descriptors of the messages come over the wire when they are asked for.
            fields = len(method.input_type.fields) + len(method.output_type.fields)
            check(f"{name} describes {service}/{method.name}", fields >= 0)
done()
