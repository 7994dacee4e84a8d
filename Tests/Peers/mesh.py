"""A real mesh for drivers that try it from outside: up, down, REST, psql, processes."""

import decimal
import http.client
import json
import os
import socket
import subprocess
import time

WHOLE_WITHIN = 120


def decimal_of(text):
    return decimal.Decimal(text or "0")


def again(body, within=30):
    deadline = time.monotonic() + within
    while True:
        try:
            return body()
        except (OSError, RuntimeError, ValueError, subprocess.TimeoutExpired):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def commands():
    """Number and words of every process."""
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{number}/cmdline", "rb") as file:
                words = file.read().decode(errors="replace").split("\0")
        except OSError:
            continue
        if len(words) > 2:
            yield int(number), words


def parent(number):
    try:
        with open(f"/proc/{number}/stat") as file:
            return int(file.read().rsplit(")", 1)[1].split()[1])
    except (OSError, IndexError, ValueError):
        return None


def cuts_sockets():
    """Whether `ss -K` ends connections here."""
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    with server, socket.create_connection(("127.0.0.1", port)) as client:
        cut_port(port)
        client.settimeout(0.5)
        try:
            return client.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True


def cut_port(port):
    try:
        subprocess.run(
            ["ss", "-K", "-t", "state", "connected", f"( sport = :{port} or dport = :{port} )"],
            capture_output=True, timeout=10, check=False)
    except FileNotFoundError:
        pass


class Mesh:
    def __init__(self, options, state):
        self.program, self.state, self.offset = options.program, state, options.port_offset
        self.environment = dict(os.environ)
        if options.ports:
            self.environment["SHRIVENQUANT_PORTS"] = options.ports
        self.tokens = {}
        with open(options.ports or f"{os.path.dirname(os.path.abspath(__file__))}/../../ports.toml") as file:
            pairs = [line.split(" = ") for line in file.read().splitlines() if " = " in line]
        self.ports = {name: int(port) for name, port in pairs}

    def run(self, *words, within=60, check=True):
        ended = subprocess.run(
            [self.program, *words, "--state", self.state], capture_output=True, text=True,
            timeout=within, env=self.environment)
        if check and ended.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: {ended.stderr.strip()[-400:]}")
        return ended.stdout

    def up(self, *settings):
        """Starts it with its limits out of the way, and with more settings: "oms.cancel_wait=2s"."""
        raised = [
            "risk-manager.orders_per_second=100000", "risk-manager.orders_per_minute=1000000",
            "risk-manager.max_long=1000000", "risk-manager.max_short=1000000",
        ]
        flags = [word for setting in [*raised, *settings] for word in ("--set", setting)]
        self.run("up", "--detach", "--port-offset", str(self.offset), *flags, within=300)

    def down(self, purge):
        self.run("down", *(["--purge"] if purge else []), within=120, check=False)

    def token(self, user):
        if user not in self.tokens:
            self.tokens[user] = again(lambda: self.run(
                "token", "--user", user, "--port-offset", str(self.offset))).strip()
        return self.tokens[user]

    def rest(self, method, path, body=None, user="trader", within=15):
        connection = http.client.HTTPConnection("127.0.0.1", 8080 + self.offset, timeout=within)
        headers = {"Authorization": "Bearer " + self.token(user)}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        finally:
            connection.close()

    def call(self, method, body, *words):
        """With the operator's certificate, past the gateway."""
        return json.loads(self.run(
            "call", method, json.dumps(body), *words, "--port-offset", str(self.offset)))

    def simulator(self, method, body):
        return self.call(f"SimulatorService/{method}", body, "--to", "venue-sim")

    def psql(self, query):
        ended = subprocess.run(
            ["psql", "-h", f"{self.state}/postgres/socket", "-d", "shrivenquant", "-AtX", "-F", "|",
             "-v", "ON_ERROR_STOP=1", "-c", query], capture_output=True, text=True, timeout=60)
        if ended.returncode != 0:
            raise RuntimeError(f"psql: {ended.stderr.strip()}")
        return [line.split("|") for line in ended.stdout.splitlines() if line]

    def processes(self):
        """Of each service its process now, of `up` too."""
        found = {}
        for number, words in commands():
            if "--state" not in words[:-1] or words[words.index("--state") + 1] != self.state:
                continue
            if words[1] == "run":
                found[words[2]] = number
            elif words[1] in ("up", "venue-sim"):
                found[words[1]] = number
        return found

    def process(self, service):
        return self.processes().get(service)

    def cut(self, service):
        """Ends every connection at a service's port, on both sides."""
        cut_port(self.ports[service] + self.offset)

    def postmaster(self):
        """PostgreSQL's first process: the one whose folder is ours."""
        for number, words in commands():
            if words[0].endswith("/postgres") and "-D" in words:
                folder = os.path.realpath(words[words.index("-D") + 1])
                ours = os.path.realpath(f"{self.state}/postgres")
                if folder.startswith(ours) or self.is_ours(folder):
                    return number
        return None

    def postgres(self):
        """All of PostgreSQL's processes, the first one first."""
        first = self.postmaster()
        if first is None:
            return []
        return [first] + [number for number, _ in commands() if parent(number) == first]

    def is_ours(self, folder):
        """A cluster of root's mesh may lie elsewhere: its socket's folder tells whose it is."""
        try:
            with open(f"{folder}/postmaster.pid") as file:
                lines = file.read().splitlines()
        except OSError:
            return False
        sockets = [os.path.realpath(line) for line in lines[4:5] if line]
        return os.path.realpath(f"{self.state}/postgres/socket") in sockets

    def whole(self):
        deadline = time.monotonic() + WHOLE_WITHIN
        text = ""
        while time.monotonic() < deadline:
            ended = subprocess.run(
                [self.program, "status", "--state", self.state, "--port-offset", str(self.offset)],
                capture_output=True, text=True, timeout=60, env=self.environment)
            text = ended.stdout
            if ended.returncode == 0:
                return
            time.sleep(0.25)
        raise RuntimeError(f"not whole again within {WHOLE_WITHIN} s:\n{text}")


