"""Counts, in a recorded Binance capture, where the book can be held against the venue's own top.

An independent reading of the capture: chains the depth differences from the recorded snapshot, and
compares the best bid and ask with every bookTicker that speaks of the same update id. Prints one line
of JSON: how many compare, how many of them differ (none should), and the last update id.
"""

import gzip
import json
import sys
from decimal import Decimal

messages = []
with gzip.open(sys.argv[1], "rt") as capture:
    for line in capture:
        messages.append(json.loads(line.split(" ", 1)[1]))

snapshot = next(m for m in messages if "lastUpdateId" in m)
sides = {"b": {}, "a": {}}


def take(side, levels):
    for price, quantity in levels:
        if Decimal(quantity) == 0:
            sides[side].pop(Decimal(price), None)
        else:
            sides[side][Decimal(price)] = Decimal(quantity)


def top():
    bid, ask = max(sides["b"]), min(sides["a"])
    return bid, sides["b"][bid], ask, sides["a"][ask]


take("b", snapshot["bids"])
take("a", snapshot["asks"])
last = snapshot["lastUpdateId"]
states = {last: top()}
tickers = []
for message in messages:
    message = message.get("data", message)
    if message.get("e") == "depthUpdate":
        if message["u"] <= last:
            continue
        take("b", message["b"])
        take("a", message["a"])
        last = message["u"]
        states[last] = top()
    elif "u" in message and "B" in message and "A" in message:
        ticker = tuple(Decimal(message[key]) for key in ("b", "B", "a", "A"))
        tickers.append((message["u"], ticker))

compared = [(states[u], ticker) for u, ticker in tickers if u in states]
print(json.dumps({
    "comparable": len(compared),
    "different": sum(1 for state, ticker in compared if state != ticker),
    "distinct": len({u for u, _ in tickers if u in states}),
    "lastUpdateId": last,
}))
