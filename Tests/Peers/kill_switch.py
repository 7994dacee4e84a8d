"""The kill switch under load, with its neighbours dead: from the request to the last new order at a venue.

    kill_switch.py --program PATH [--rounds N] [--rate N] [--case NAME]... [--limit MS] [--port-offset N]

Orders go to three venues of a real mesh all the time, half of them market orders and half resting ones.
In each round some processes are killed with SIGKILL, or stopped with SIGSTOP, `up` is stopped so that
nothing comes back, and the switch is engaged. Measured is the time from the request

- `POST /v1/kill-switch:engage`: from the moment before its bytes are written,
- `shrivenquant kill`: from its first word on the machine, the file `run/orders-held`; and told as well,
  from the moment before the command is started,

to the last new order that arrives at a venue's socket, as a proxy before the venues sees it. And:

- no order is accepted that was sent after the switch had answered;
- every open order is cancelled, at the venues and in the oms, while the processes are still dead.

Where the gateway is dead the orders come over gRPC, from a stock client (grpcio; such cases are skipped
without it). The last line counts rounds: `N passed, N failed`.
"""

import argparse
import collections
import http.client
import json
import multiprocessing
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from mesh import Mesh, again, decimal_of
from venue_tap import VenueTap

# Where 500 orders a second find room: by venue and symbol, of a hundred.
FLOW = (
    [("binance", symbol) for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT") for _ in range(28)]
    + [("okx", symbol) for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT") for _ in range(2)]
    + [("kraken", symbol) for symbol in ("BTCUSDT", "ETHUSDT") for _ in range(5)]
)
SIZES = {"BTCUSDT": "0.001", "ETHUSDT": "0.02", "SOLUSDT": "0.5"}
ALL = ("postgresql", "risk-manager", "discovery", "auth")
CASES = {"nothing": ("rest", None, ())}
for one in (*[(each,) for each in ALL], ALL):
    name = one[0] if len(one) == 1 else "all-four"
    CASES[f"{name}-killed"] = ("rest", signal.SIGKILL, one)
    CASES[f"{name}-stopped"] = ("rest", signal.SIGSTOP, one)
CASES["command"] = ("command", None, ())
CASES["command-gateway-killed"] = ("command", signal.SIGKILL, ("gateway",))
CASES["command-gateway-and-all-four-killed"] = ("command", signal.SIGKILL, ("gateway", *ALL))
CASES["command-gateway-and-all-four-stopped"] = ("command", signal.SIGSTOP, ("gateway", *ALL))
CLIENTS = 8
SETTLED_WITHIN = 20
# A record that PostgreSQL has not taken for half a minute makes the oms unready.
DEAD_ROUNDS = 5


class Load:
    """Orders at a steady rate, from a process of its own."""

    def __init__(self, send, rate, prices):
        self.send, self.rate, self.prices = send, rate, prices
        self.ours, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=self.run, args=(theirs,), daemon=True)
        self.process.start()

    def report(self):
        """The orders since the last report: (sent, answered, status, reason), times in nanoseconds."""
        self.ours.send("report")
        return self.ours.recv()

    def use(self, token):
        self.ours.send(token)
        self.ours.recv()

    def end(self):
        self.process.terminate()
        self.process.join()

    def run(self, theirs):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.token = theirs.recv()
        theirs.send(None)
        self.done = collections.deque()
        for number in range(CLIENTS):
            threading.Thread(target=self.client, args=(number,), daemon=True).start()
        while True:
            asked = theirs.recv()
            if asked == "report":
                done, self.done = self.done, collections.deque()
                theirs.send(list(done))
            else:
                self.token = asked
                theirs.send(None)

    def client(self, number):
        sender = self.send()
        interval = CLIENTS / self.rate
        due = time.monotonic() + interval * number / CLIENTS
        prefix = f"k{os.getpid()}-{number}-{time.time_ns() // 1_000_000 % 10 ** 9}"
        count = 0
        while True:
            pause = due - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            elif pause < -1:
                due = time.monotonic()  # What an outage has held back does not come as a burst.
            due += interval
            count += 1
            sent = time.time_ns()
            status, reason = sender.order(self.order(f"{prefix}-{count}", number + count), self.token)
            self.done.append((sent, time.time_ns(), status, reason))
            if status == 0:
                time.sleep(0.05)

    def order(self, client, count):
        venue, symbol = random.choice(FLOW)
        side = ("BUY", "SELL")[count % 2]
        order = {
            "clientOrderId": client, "venue": venue, "symbol": symbol, "side": side,
            "type": "MARKET", "quantity": SIZES[symbol]}
        if count // 2 % 2:
            order.update(type="LIMIT", price=self.prices[symbol][side])
        return order


class RestSender:
    """One keep-alive connection to the gateway; HTTP by hand, for the machine is small."""

    def __init__(self, port):
        self.port, self.connection = port, None

    def order(self, order, token):
        body = json.dumps(order)
        request = (
            f"POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}")
        try:
            if self.connection is None:
                self.connection = socket.create_connection(("127.0.0.1", self.port), timeout=5)
                self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connection.sendall(request.encode())
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += self.read()
            head, _, body = answer.partition(b"\r\n\r\n")
            length = int(re.search(rb"(?i)content-length: *(\d+)", head).group(1))
            while len(body) < length:
                body += self.read()
            status = int(head[9:12])
            return status, "" if status == 201 else reason_of(json.loads(body))
        except (OSError, AttributeError, ValueError) as error:
            self.connection = None
            return 0, str(error)

    def read(self):
        data = self.connection.recv(65536)
        if not data:
            raise ConnectionError("the gateway has closed")
        return data


class GrpcSender:
    """A stock gRPC client of the trading-gateway; the messages are those that it tells of itself."""

    def __init__(self, state, port):
        import grpc
        from google.protobuf import descriptor_pool, json_format, message_factory
        from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
            ProtoReflectionDescriptorDatabase)

        def content(name):
            with open(f"{state}/pki/{name}", "rb") as file:
                return file.read()
        self.grpc, self.parse = grpc, json_format.ParseDict
        self.channel = grpc.secure_channel(
            f"localhost:{port}",
            grpc.ssl_channel_credentials(
                content("ca.crt"), content("operator.key"), content("operator.crt")))
        pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(self.channel))
        service = pool.FindServiceByName("shrivenquant.trading.v1.TradingService")
        method = service.methods_by_name["SubmitOrder"]
        self.request = message_factory.GetMessageClass(method.input_type)
        self.call = self.channel.unary_unary(
            f"/{service.full_name}/{method.name}",
            request_serializer=self.request.SerializeToString, response_deserializer=bytes)

    def order(self, order, token):
        wire = {key: value for key, value in order.items() if key not in ("price", "quantity")}
        for name in ("price", "quantity"):
            if name in order:
                wire[name] = decimal_message(order[name])
        try:
            self.call(
                self.parse(wire, self.request()), timeout=5,
                metadata=(("authorization", "Bearer " + token),))
            return 201, ""
        except self.grpc.RpcError as error:
            text = error.details() or ""
            return (0, text) if error.code() == self.grpc.StatusCode.UNAVAILABLE else (400, text)


def decimal_message(text):
    whole, _, fraction = text.partition(".")
    return {"units": str(int(whole + fraction)), "scale": len(fraction)}


def reason_of(answer):
    error = answer.get("error", {})
    for detail in error.get("details", []):
        if detail.get("reason"):
            return detail["reason"]
    return str(error.get("message", ""))[:80]


class Driver:
    def __init__(self, options, state):
        self.options = options
        self.mesh = Mesh(options, state)
        self.rest_port = 8080 + options.port_offset
        self.tap = VenueTap(state, options.tap_port, 9443 + options.port_offset)
        self.sleeping = []

    def up(self):
        here = f"https://127.0.0.1:{self.options.tap_port}"
        self.mesh.up(
            *[f"market-connector.{venue}_rest_url={here}" for venue in ("binance", "kraken", "okx")],
            # What the simulator lets through when nobody stands before it.
            "market-connector.order_rate_max=10000", "market-connector.request_weight_max=60000")

    def prices(self):
        found = {}
        for symbol in SIZES:
            mid = decimal_of(self.mesh.rest("GET", f"/v1/books/{symbol}?depth=1", user="viewer")[1]["mid"])
            found[symbol] = {
                side: str((mid * decimal_of(factor)).quantize(decimal_of("0.1")))
                for side, factor in (("BUY", "0.9"), ("SELL", "1.1"))}
        return found

    # One case.

    def run(self, name):
        way, hurt, victims = CASES[name]
        senders = {
            "rest": lambda: RestSender(self.rest_port),
            "command": lambda: GrpcSender(
                self.mesh.state, self.mesh.ports["trading-gateway"] + self.options.port_offset),
        }
        load = Load(senders[way], self.options.rate, self.prices())
        results, faults = [], []
        # What the switch itself needs to be there again cannot stay dead from round to round.
        lasting = hurt is not None and not {"risk-manager", "gateway"} & set(victims)
        try:
            for number in range(self.options.rounds):
                if number % DEAD_ROUNDS == 0 or not lasting:
                    self.heal(victims)
                    self.refresh(load)
                    self.released()
                    self.flowing(load)
                    self.harm(hurt, victims)
                    time.sleep(random.uniform(0.15, 0.45))
                result, found = self.round(load, way)
                results.append(result)
                faults += [f"{name}, round {number + 1}: {fault}" for fault in found]
                if lasting:
                    self.released()
                    self.flowing(load)
        finally:
            load.end()
            self.heal(victims)
            self.released()
        return results, faults

    def round(self, load, way):
        faults = []
        now = time.time_ns()
        if not self.tap.since(now - 100_000_000):
            faults.append("no order was on its way when the switch was thrown")
        rate = self.tap.since(now - 1_000_000_000)
        load.report()
        began, answered = self.engage() if way == "rest" else self.command()
        time.sleep(0.3)
        last = self.tap.last()
        late = [each for each in load.report() if each[0] > answered and each[2] == 201]
        if late:
            faults.append(f"{len(late)} orders were accepted that were sent after the answer")
        # The command's own start, and the machine's with it, is told and not judged.
        counts_from = began if way == "rest" else self.written()
        figure, since_start = max(0, last - counts_from) / 1e6, max(0, last - began) / 1e6
        if figure > self.options.limit:
            faults.append(f"the last new order was at the venue after {figure:.1f} ms")
        try:
            cleared = self.cleared(began)
        except RuntimeError as error:
            cleared = float("nan")
            faults.append(str(error))
        return (figure, since_start, (answered - began) / 1e6, cleared, rate), faults

    def written(self):
        """When `kill` left its word on the machine, to a tick of the kernel's clock, rounded down."""
        return os.stat(f"{self.mesh.state}/run/orders-held").st_mtime_ns

    def engage(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.rest_port, timeout=15)
        connection.connect()
        headers = {
            "Authorization": "Bearer " + self.mesh.token("trader"), "Content-Type": "application/json"}
        body = json.dumps({"reason": "tried from outside"})
        began = time.time_ns()
        connection.request("POST", "/v1/kill-switch:engage", body, headers)
        answer = connection.getresponse()
        text = answer.read()
        answered = time.time_ns()
        connection.close()
        if answer.status != 200 or not json.loads(text).get("engaged"):
            raise RuntimeError(f"the switch answers {answer.status} {text[:300]}")
        return began, answered

    def command(self):
        words = [
            self.mesh.program, "kill", "--state", self.mesh.state, "--reason", "tried from outside",
            "--port-offset", str(self.options.port_offset)]
        began = time.time_ns()
        ended = subprocess.run(
            words, capture_output=True, text=True, timeout=30, env=self.mesh.environment)
        answered = time.time_ns()
        if ended.returncode != 0:
            raise RuntimeError(f"kill ends with {ended.returncode}: {ended.stderr}")
        return began, answered

    def cleared(self, began):
        """Milliseconds until nothing is open, at the venues and in the oms."""
        deadline = time.monotonic() + SETTLED_WITHIN
        key = json.load(open(f"{self.mesh.state}/bootstrap/venue-sim.json"))["apiKey"]
        resting = None
        while time.monotonic() < deadline:
            now = time.time_ns()
            resting = {}
            listed = self.mesh.call("oms/ListOrders", {"openOnly": True, "pageSize": 100})
            resting["oms"] = len(listed.get("orders", []))
            for venue in ("binance", "kraken", "okx"):
                account = self.mesh.simulator("GetSimulatedAccount", {"venue": venue, "apiKey": key})
                resting[venue] = len(account.get("openOrders", []))
            if not any(resting.values()):
                return (now - began) / 1e6
            time.sleep(0.05)
        raise RuntimeError(f"open after {SETTLED_WITHIN} s: {resting}")

    # Who is hurt, and how it goes on.

    def harm(self, hurt, victims):
        if not victims:
            return
        processes = self.mesh.processes()
        if hurt == signal.SIGKILL:
            os.kill(processes["up"], signal.SIGSTOP)
            self.sleeping.append(processes["up"])
        for victim in victims:
            numbers = self.mesh.postgres() if victim == "postgresql" else [processes[victim]]
            for number in numbers:
                try:
                    os.kill(number, hurt)
                except ProcessLookupError:
                    continue
                if hurt == signal.SIGSTOP:
                    self.sleeping.append(number)

    def heal(self, victims):
        for number in self.sleeping:
            try:
                os.kill(number, signal.SIGCONT)
            except ProcessLookupError:
                pass
        self.sleeping = []
        if victims:
            self.mesh.whole()

    def refresh(self, load):
        self.mesh.tokens = {}
        for user in ("trader", "admin", "viewer"):
            self.mesh.token(user)
        load.use(self.mesh.token("trader"))

    def released(self):
        def release():
            status, answer = self.mesh.rest(
                "POST", "/v1/kill-switch:release", {"reason": "the round is over"}, user="admin")
            if status != 200:
                raise RuntimeError(f"release: {status} {answer}")
        again(release, within=60)

    def flowing(self, load):
        deadline = time.monotonic() + 30
        while self.tap.since(time.time_ns() - 1_000_000_000) < self.options.rate * 0.6:
            if time.monotonic() > deadline:
                reasons = collections.Counter(each[2:] for each in load.report())
                found = self.tap.since(time.time_ns() - 1_000_000_000)
                raise RuntimeError(f"only {found} orders in a second: {reasons.most_common(5)}")
            time.sleep(0.02)


def told(values):
    values = sorted(values)
    return f"p50 {values[len(values) // 2]:.1f}, max {values[-1]:.1f}"


def has_grpc():
    try:
        import grpc_reflection  # noqa: F401
        return True
    except ImportError:
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--rounds", type=int, default=5, help="of each case")
    parser.add_argument("--rate", type=int, default=500, help="orders a second")
    parser.add_argument("--case", action="append", choices=list(CASES), help="only these")
    parser.add_argument("--limit", type=float, default=10, help="milliseconds")
    parser.add_argument("--port-offset", type=int, default=4000)
    parser.add_argument("--tap-port", type=int, default=14999)
    parser.add_argument("--state")
    parser.add_argument("--ports", help="ports.toml, when it is not found from here")
    options = parser.parse_args()
    state = options.state or tempfile.mkdtemp(prefix="kill-switch-")
    os.chmod(state, 0o755)
    driver = Driver(options, state)
    passed = failed = 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    try:
        driver.up()
        for name in options.case or CASES:
            if CASES[name][0] == "command" and not has_grpc():
                print(f"{name}: skipped, there is no grpcio-reflection here", flush=True)
                continue
            try:
                results, faults = driver.run(name)
            except Exception as error:
                results, faults = [], [f"{name}: {type(error).__name__}: {error}"]
            wrong = min(len({fault.split(':')[0] for fault in faults}), max(len(results), 1))
            passed, failed = passed + len(results) - wrong, failed + wrong
            if results:
                figures, starts, answers, clears, rates = zip(*results)
                start = f" ({told(starts)} from the command's start)" if starts != figures else ""
                print(
                    f"{name}: {len(results)} rounds at {sorted(rates)[len(rates) // 2]} orders/s; ms to the "
                    f"last new order {told(figures)}{start}; to the answer {told(answers)}; to nothing open "
                    f"{told(clears)}", flush=True)
            for fault in faults[:20]:
                print(f"  {fault}", flush=True)
            if not results and faults:
                break
    finally:
        driver.mesh.down(purge=not options.state and not failed)
        driver.tap.end()
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


main()
