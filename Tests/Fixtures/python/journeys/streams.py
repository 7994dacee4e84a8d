"""Reads the server-streaming methods of several services for a while.

streams.py STATE name=port...
"""

import sys

import grpc
from mesh_client import Port, as_json, check, done, ports

wanted = [
    ("discovery", "discovery.v1.DiscoveryService", "Watch", {}, 10),
    ("risk-manager", "risk.v1.RiskService", "StreamLimits", {}, 2),
    ("orderbook", "orderbook.v1.OrderbookService", "StreamTops", {}, 10),
    ("orderbook", "orderbook.v1.OrderbookService", "StreamBook", {"symbol": "BTCUSDT", "depth": 5}, 5),
    ("market-connector", "market.v1.MarketService", "StreamMarketData", {"symbols": ["BTCUSDT"]}, 50),
    ("oms", "oms.v1.OrderService", "StreamEvents", {}, 1),
]
meshes = {name: Port(sys.argv[1], port) for name, port in ports(sys.argv[2:]).items()}
for name, service, method, request, count in wanted:
    mesh = meshes[name]
    stream = mesh.call(mesh.find(f"shrivenquant.{service}", method), request, timeout=30)
    messages = []
    problem = ""
    try:
        for message in stream:
            messages.append(as_json(message))
            if len(messages) == count:
                break
    except grpc.RpcError as error:
        problem = f"{error.code().name}: {error.details()}"
    stream.cancel()
    check(f"{name} {method} tells {count}", len(messages) == count and not problem, problem, messages[:2])
    if method == "StreamMarketData" and messages:
        for venue in sorted({message["venue"] for message in messages}):
            own = [message for message in messages if message["venue"] == venue]
            check(f"{venue} begins with a snapshot", "snapshot" in own[0], own[0])
            numbers = [int(message["sequence"]) for message in own[1:]]
            check(f"{venue}'s sequence grows", numbers == sorted(set(numbers)), numbers)
    if method == "Watch":
        added = [message for message in messages if message.get("kind") == "ADDED"]
        check("the watch begins with who is there", len(added) >= 9, messages)
done()
