"""Rounds of chaos over a real mesh: bursts of orders at three venues while its processes, its venues
and its PostgreSQL are killed and stopped, its connections cut and its disk filled, and its venues go
wrong; afterwards everybody must agree.

    chaos.py --program PATH [--rounds N] [--seed N] [--orders N] [--port-offset N] [--state DIR]

As root the state lies on a small disk of its own, which is filled and freed, and connections are cut with
`ss -K`; what cannot be done here is said and left out.

The mesh is brought up on a state folder of its own and taken down at the end. Everything that a round
does follows from its seed. After each round, once the mesh is whole and nothing is open:

- every order that was acknowledged exists once, under its client order id, with the id that was told;
- executions by venue and symbol are the positions, and the orders' filled quantities;
- the venues' balances have moved by exactly the positions;
- psql has the same orders and the same executions;
- no order of ours rests at a venue.

The standard library, curl's protocol and psql are enough. The last line counts rounds: `N passed, N failed`.
"""

import argparse
import collections
import decimal
import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

from mesh import WHOLE_WITHIN, Mesh, again, cuts_sockets, decimal_of
from small_disk import SmallDisk

VENUES = {
    "binance": ["BTCUSDT", "ETHUSDT", "SOLUSDT"],
    "kraken": ["BTCUSDT", "ETHUSDT"],
    "okx": ["BTCUSDT", "ETHUSDT", "SOLUSDT"],
}
SIZES = {"BTCUSDT": "0.001", "ETHUSDT": "0.02", "SOLUSDT": "0.5"}
SERVICES = [
    "discovery", "auth", "market-connector", "orderbook", "risk-manager", "oms",
    "execution-router", "trading-gateway", "portfolio-manager", "gateway",
]
KINDS = [
    "kill", "kill", "kill", "stop", "stop", "away", "postgres", "postgres stopped", "simulator",
    "venue", "venue", "venue",
]
VENUE_FAULTS = [
    ("LOST_ACKNOWLEDGEMENT", {"count": 2}), ("STATUS_UNKNOWN", {"count": 2}),
    ("INTERNAL_ERROR", {"count": 2}), ("TOO_MANY_REQUESTS", {"count": 3}),
    ("LOST_FILL", {"count": 2}), ("LATE_FILL", {"count": 2}), ("BAN", {"duration": "3s"}),
    ("STREAM_DISCONNECT", {"scope": "PRIVATE_STREAMS"}), ("MAINTENANCE", {"duration": "3s"}),
]
DONE = {"FILLED", "CANCELLED", "REJECTED", "EXPIRED"}


class Round:
    def __init__(self, mesh, seed, orders, disk=None, cuts=False):
        self.mesh, self.seed, self.count = mesh, seed, orders
        self.disk = disk
        self.kinds = KINDS + ["disk", "disk"] * (disk is not None) + ["cut", "cut"] * cuts
        self.random = random.Random(seed)
        self.acknowledged = {}
        self.refused = collections.Counter()
        self.lock = threading.Lock()
        self.actions = []
        self.over = threading.Event()

    def orders(self):
        for number in range(self.count):
            venue = self.random.choice(list(VENUES))
            symbol = self.random.choice(VENUES[venue])
            order = {
                "clientOrderId": f"x{self.seed}-{number}", "venue": venue, "symbol": symbol,
                "side": self.random.choice(["BUY", "SELL"]), "quantity": SIZES[symbol],
            }
            if self.random.random() < 0.6:
                order["type"] = "MARKET"
            else:
                order["type"] = "LIMIT"
                order["passive"] = True
            yield order

    def priced(self, order, mid):
        if order.pop("passive", False):
            factor = decimal.Decimal("0.97" if order["side"] == "BUY" else "1.03")
            order["price"] = str((mid[order["symbol"]] * factor).quantize(decimal.Decimal("0.1")))
        return order

    def send(self, order):
        """Until it is answered for good: 201, or a refusal that is no doubt."""
        deadline = time.monotonic() + 90
        status, answer = 0, {}
        while time.monotonic() < deadline:
            try:
                status, answer = self.mesh.rest("POST", "/v1/orders", order)
            except (OSError, http.client.HTTPException, ValueError) as error:
                status, answer = 0, {"error": str(error)}
            if status == 201:
                with self.lock:
                    self.acknowledged[order["clientOrderId"]] = answer["orderId"]
                return
            reason = str(answer.get("error", {}))
            if status in (400, 404) and "NO_REFERENCE_PRICE" not in reason:
                with self.lock:
                    self.refused[re.sub(r"[0-9.]+", "#", reason)[:120]] += 1
                return
            time.sleep(0.1)
        with self.lock:
            self.refused[f"never answered: {status} {answer}"[:200]] += 1

    def burst(self):
        mid = {}
        for symbol in SIZES:
            _, book = self.mesh.rest("GET", f"/v1/books/{symbol}?depth=1", user="viewer")
            mid[symbol] = decimal_of(book["mid"])
        work = iter([self.priced(order, mid) for order in self.orders()])

        def client():
            while True:
                with self.lock:
                    order = next(work, None)
                if order is None:
                    return
                self.send(order)

        clients = [threading.Thread(target=client) for _ in range(8)]
        for one in clients:
            one.start()
        for one in clients:
            one.join()
        self.over.set()

    def chaos(self):
        chance = random.Random(self.seed * 7919 + 1)
        acts = {
            "kill": self.kill, "stop": self.stop, "away": self.away, "postgres": self.kill_postgres,
            "postgres stopped": self.stop_postgres, "simulator": self.kill_simulator,
            "venue": self.fault, "disk": self.fill, "cut": self.cut,
        }
        while not self.over.wait(chance.uniform(0.3, 1.2)):
            kind = chance.choice(self.kinds)
            try:
                acts[kind](chance)
            except (OSError, RuntimeError, subprocess.TimeoutExpired, ValueError) as error:
                self.note(f"({kind} failed: {str(error)[:80]})")

    def kill(self, chance):
        self.kill_one(chance.choice(SERVICES))

    def kill_simulator(self, chance):
        self.kill_one("venue-sim")

    def kill_one(self, service):
        self.note(f"kill {service}")
        process = self.mesh.process(service)
        if process:
            os.kill(process, signal.SIGKILL)

    def stop(self, chance):
        self.pause(chance.choice(SERVICES), chance.uniform(0.5, 3))

    def away(self, chance):
        """For longer than a lease lasts."""
        self.pause(chance.choice(["auth", "discovery"]), chance.uniform(6, 12))

    def pause(self, service, seconds):
        self.note(f"stop {service} for {seconds:.1f} s")
        process = self.mesh.process(service)
        self.pause_all([process] if process else [], seconds)

    def pause_all(self, processes, seconds):
        for process in processes:
            signal_if_there(process, signal.SIGSTOP)
        time.sleep(seconds)
        for process in processes:
            signal_if_there(process, signal.SIGCONT)

    def kill_postgres(self, chance):
        self.note("kill PostgreSQL")
        process = self.mesh.postmaster()
        if process:
            os.kill(process, signal.SIGKILL)

    def stop_postgres(self, chance):
        seconds = chance.uniform(1, 6)
        self.note(f"stop PostgreSQL for {seconds:.1f} s")
        self.pause_all(self.mesh.postgres(), seconds)

    def fault(self, chance):
        venue = chance.choice(list(VENUES))
        fault, terms = chance.choice(VENUE_FAULTS)
        self.note(f"{fault} at {venue}")
        self.mesh.simulator("InjectFault", dict(terms, venue=venue, kind=fault))

    def fill(self, chance):
        leave = chance.choice([0, 0, 4096, 65536, 3 << 20])
        seconds = chance.uniform(0.5, 6)
        self.note(f"fill the disk but {leave} bytes for {seconds:.1f} s")
        try:
            self.disk.fill(leave)
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                time.sleep(0.1)
                self.disk.fill(leave)
        finally:
            self.disk.free()

    def cut(self, chance):
        service = chance.choice([*SERVICES, "venue-sim"])
        seconds = chance.choice([0, chance.uniform(0.2, 3)])
        self.note(f"cut every connection of {service}" + (f" for {seconds:.1f} s" if seconds else ""))
        self.mesh.cut(service)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            time.sleep(0.05)
            self.mesh.cut(service)

    def note(self, what):
        self.actions.append(what)

    def run(self):
        # A token lives for minutes, and auth may be away in the middle of a round.
        self.mesh.tokens = {}
        for user in ("trader", "viewer"):
            self.mesh.token(user)
        before = balances(self.mesh)
        positions = self.positions()
        chaos = threading.Thread(target=self.chaos)
        chaos.start()
        self.burst()
        chaos.join()
        for venue in VENUES:
            again(lambda: self.mesh.simulator("InjectFault", {"venue": venue, "kind": "NO_FAULT"}))
        self.mesh.whole()
        self.settle()
        return self.compare(before, positions)

    def settle(self):
        """Cancels what is open until nothing is."""
        deadline = time.monotonic() + WHOLE_WITHIN
        open_orders = None
        while time.monotonic() < deadline:
            try:
                self.mesh.rest("POST", "/v1/orders:cancelAll", {"reason": "the round is over"})
                _, listed = self.mesh.rest("GET", "/v1/orders?openOnly=true&pageSize=1000")
                open_orders = listed.get("orders")
                if open_orders == []:
                    return
            except (OSError, http.client.HTTPException, ValueError):
                pass
            time.sleep(0.5)
        raise RuntimeError(f"open after {WHOLE_WITHIN} s: {json.dumps(open_orders)[:1000]}")

    def positions(self):
        _, answer = self.mesh.rest("GET", "/v1/positions", user="viewer")
        return {
            (each["venue"], each["symbol"]): decimal_of(each["quantity"])
            for each in answer["positions"]
        }

    # What must agree.

    def compare(self, before, positions_before):
        faults = []
        orders = pages(self.mesh, "/v1/orders", "orders")
        mine = [order for order in orders if order["clientOrderId"].startswith(f"x{self.seed}-")]
        by_client = collections.defaultdict(list)
        for order in mine:
            by_client[order["clientOrderId"]].append(order)
        for client, order_id in self.acknowledged.items():
            found = by_client.get(client, [])
            if len(found) != 1 or found[0]["orderId"] != order_id:
                faults.append(f"{client} was acknowledged as {order_id} and is {found}")
        for order in mine:
            if order["status"] not in DONE:
                faults.append(f"{order['orderId']} is {order['status']}")

        ids = {order["orderId"] for order in mine}
        executions = [
            each for each in pages(self.mesh, "/v1/executions", "executions") if each["orderId"] in ids
        ]
        keys = collections.Counter(
            (each["venue"], each["symbol"], each["executionId"], each["orderId"]) for each in executions)
        faults += [f"{key} is there {count} times" for key, count in keys.items() if count > 1]
        filled = collections.defaultdict(decimal.Decimal)
        moved = collections.defaultdict(decimal.Decimal)
        for each in executions:
            quantity = decimal_of(each["quantity"])
            filled[each["orderId"]] += quantity
            sign = 1 if each["side"] == "BUY" else -1
            moved[(each["venue"], each["symbol"])] += sign * quantity
            if each.get("feeAsset") and each["symbol"].startswith(each["feeAsset"]):
                moved[(each["venue"], each["symbol"])] -= decimal_of(each["fee"])
        for order in mine:
            if decimal_of(order["filledQuantity"]) != filled[order["orderId"]]:
                faults.append(
                    f"{order['orderId']} says filled {order['filledQuantity']}, its executions "
                    f"{filled[order['orderId']]}")

        def positions_agree():
            now = self.positions()
            return [
                f"position {key} moved by {now.get(key, 0) - positions_before.get(key, 0)}, "
                f"executions by {moved[key]}"
                for key in set(now) | set(moved)
                if now.get(key, 0) - positions_before.get(key, 0) != moved[key]
            ]
        faults += eventually_none(positions_agree)

        after = balances(self.mesh)
        for (venue, symbol), quantity in moved.items():
            base = symbol.removesuffix("USDT")
            change = after[venue].get(base, 0) - before[venue].get(base, 0)
            if change != quantity:
                faults.append(f"{venue}'s {base} moved by {change}, our executions say {quantity}")
        for venue in VENUES:
            resting = account(self.mesh, venue).get("openOrders", [])
            if resting:
                faults.append(f"{venue} has {len(resting)} orders of ours: {resting[:3]}")

        def record_agrees():
            rows = self.mesh.psql(
                "SELECT order_id, status, filled_quantity FROM oms.orders "
                f"WHERE client_order_id LIKE 'x{self.seed}-%'")
            record = {row[0]: (row[1], decimal_of(row[2])) for row in rows}
            wanted = {
                order["orderId"]: (order["status"], decimal_of(order["filledQuantity"])) for order in mine
            }
            count = self.mesh.psql(
                "SELECT count(*) FROM oms.executions "
                f"WHERE client_order_id LIKE 'x{self.seed}-%'")
            different = [
                f"psql says {record.get(key)} of {key}, the API {wanted.get(key)}"
                for key in set(record) | set(wanted) if record.get(key) != wanted.get(key)
            ]
            if int(count[0][0]) != len(executions):
                different.append(f"psql has {count[0][0]} executions, the API {len(executions)}")
            return different
        faults += eventually_none(record_agrees)
        return faults, len(mine), len(executions)


def signal_if_there(process, number):
    try:
        os.kill(process, number)
    except ProcessLookupError:
        pass


def eventually_none(problems, within=30):
    deadline = time.monotonic() + within
    while True:
        try:
            found = problems()
        except (OSError, RuntimeError, ValueError, KeyError, http.client.HTTPException) as error:
            found = [str(error)]
        if not found or time.monotonic() > deadline:
            return found[:5]
        time.sleep(0.5)


def pages(mesh, path, name):
    found, token = [], ""
    while True:
        _, answer = again(lambda: mesh.rest(
            "GET", f"{path}?pageSize=1000" + (f"&pageToken={token}" if token else "")))
        found += answer[name]
        token = answer.get("nextPageToken", "")
        if not token:
            return found


def account(mesh, venue):
    with open(f"{mesh.state}/bootstrap/venue-sim.json") as file:
        key = json.load(file)["apiKey"]
    return again(lambda: mesh.simulator("GetSimulatedAccount", {"venue": venue, "apiKey": key}))


def balances(mesh):
    return {
        venue: {
            each["asset"]: decimal_of(each.get("free")) + decimal_of(each.get("locked"))
            for each in account(mesh, venue)["balances"]
        } for venue in VENUES
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 10_000))
    parser.add_argument("--orders", type=int, default=300)
    parser.add_argument("--port-offset", type=int, default=3000)
    parser.add_argument("--state")
    parser.add_argument("--ports", help="ports.toml, when it is not found from here")
    options = parser.parse_args()
    state = options.state or tempfile.mkdtemp(prefix="chaos-")
    # PostgreSQL runs as a user of its own, and would lie elsewhere than in a folder that is root's alone.
    os.chmod(state, 0o755)
    mesh = Mesh(options, state)
    disk = None if options.state else SmallDisk(state)
    if disk is None or disk.problem:
        print(f"the disk is not filled: {disk.problem if disk else 'the state folder is given'}", flush=True)
    cuts = cuts_sockets()
    if not cuts:
        print("connections are not cut: `ss -K` cannot do it here", flush=True)
    passed = failed = 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    try:
        # Small segments: their edges are where a full disk hurts.
        mesh.up("oms.journal_segment_bytes=4194304", "execution-router.journal_segment_bytes=4194304")
        for number in range(options.rounds):
            seed = options.seed + number
            one = Round(
                mesh, seed, options.orders, disk if disk and not disk.problem else None, cuts)
            began = time.monotonic()
            try:
                faults, orders, executions = one.run()
            except Exception as error:  # a round that cannot end has failed, and the next may not begin
                faults, orders, executions = [f"{type(error).__name__}: {error}"], 0, 0
            passed, failed = passed + (not faults), failed + bool(faults)
            print(
                f"round {seed}: {'failed' if faults else 'passed'}, {orders} orders, {executions} executions, "
                f"{len(one.acknowledged)} acknowledged, {sum(one.refused.values())} refused, "
                f"{len(one.actions)} faults, {time.monotonic() - began:.0f} s", flush=True)
            if faults:
                for fault in faults[:20]:
                    print(f"  {fault}", flush=True)
                print(f"  refused: {dict(one.refused)}", flush=True)
                print(f"  done: {'; '.join(one.actions)}", flush=True)
                print(f"  again: --seed {seed} --rounds 1", flush=True)
                break
    finally:
        # What a failed round has left is worth a look.
        mesh.down(purge=not options.state and not failed)
        if disk and not failed:
            disk.unmount()
            os.rmdir(state)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


main()
