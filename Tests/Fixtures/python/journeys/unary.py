"""Calls every unary method of the mesh with an empty request, and some with a full one.

An empty request may be refused, but with a reason: never UNKNOWN, INTERNAL or UNIMPLEMENTED.
unary.py STATE name=port...
"""

import sys

from mesh_client import Port, as_json, check, code_of, done, ports

# An empty request would be taken, and change what other journeys count on.
left_out = {"EngageKillSwitch", "ReleaseKillSwitch", "StopTrading", "CancelAllOrders"}
reasoned = {
    "OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "UNAUTHENTICATED",
    "PERMISSION_DENIED", "ALREADY_EXISTS",
}
full = {
    ("orderbook", "orderbook.v1.OrderbookService", "GetBook"): {"symbol": "BTCUSDT", "depth": 3},
    ("discovery", "discovery.v1.DiscoveryService", "Lookup"): {"service": "oms"},
    ("market-connector", "market.v1.MarketService", "GetVenue"): {"venue": "binance"},
    ("market-connector", "market.v1.VenueOrderService", "ListOpenOrders"): {"venue": "binance"},
    ("risk-manager", "risk.v1.RiskService", "GetLimits"): {},
    ("oms", "oms.v1.OrderService", "ListOrders"): {"pageSize": 5},
    ("oms", "oms.v1.OrderService", "GetTradingState"): {},
    ("portfolio-manager", "portfolio.v1.PortfolioService", "GetPortfolio"): {},
    ("trading-gateway", "trading.v1.TradingService", "ListStrategies"): {},
    ("auth", "auth.v1.AuthService", "GetKeySet"): {},
}

called = 0
meshes = {name: Port(sys.argv[1], port) for name, port in ports(sys.argv[2:]).items()}
for name, mesh in meshes.items():
    for service in mesh.services():
        if not service.startswith("shrivenquant."):
            continue
        for method in mesh.methods(service):
            if method.server_streaming or method.client_streaming or method.name in left_out:
                continue
            code, text = code_of(lambda: mesh.call(method))
            check(f"{name} {service}/{method.name} with nothing", code in reasoned, code, text)
            called += 1
check("many methods were called", called >= 30, called)
for (name, service, method), request in full.items():
    mesh = meshes[name]
    found = mesh.find(f"shrivenquant.{service}", method)
    code, text = code_of(lambda: as_json(mesh.call(found, request)))
    check(f"{name} {service}/{method} in full", code == "OK", code, text)
done()
