"""A proxy between the mesh and its simulated venues that notes when each order request arrives.

It ends the mesh's TLS with the simulator's own certificate and opens another to the simulator, so that it
reads the requests as the venue does: nothing in the program knows of it. It runs as a process of its own,
and takes the times from the kernel, which has them from the arrival of the bytes: how soon it is given the
processor does not matter.
"""

import multiprocessing
import re
import selectors
import socket
import ssl
import struct
import time

# What makes a new order, at Binance, OKX and Kraken; the rest of the request line ends the match, so
# that neither a cancel nor a question is taken for one.
NEW = re.compile(
    rb"POST /(?:api/v3/order|api/v5/trade/order|0/private/AddOrder)(?:\?\S*)? HTTP/1\.1\r\n")
CANCEL = re.compile(
    rb"DELETE /api/v3/order(?:\?\S*)? HTTP/1\.1\r\n"
    rb"|POST /(?:api/v5/trade/cancel-order|0/private/CancelOrder) HTTP/1\.1\r\n")
TAIL = 4096
# asm-generic/socket.h; Python has no name for it.
SO_TIMESTAMPNS = 35
KEPT = 1 << 16


class VenueTap:
    def __init__(self, state, port, venue_port):
        self.state, self.port, self.venue_port = state, port, venue_port
        self.times = multiprocessing.Array("q", KEPT, lock=False)
        self.orders = multiprocessing.Value("q", 0, lock=False)
        self.cancels = multiprocessing.Value("q", 0, lock=False)
        self.process = multiprocessing.Process(target=self.run, daemon=True)
        self.process.start()

    def end(self):
        self.process.terminate()

    # Asked by the driver.

    def last(self):
        """When the latest new order came, in nanoseconds since 1970; 0 before the first."""
        count = self.orders.value
        return self.times[(count - 1) % KEPT] if count else 0

    def since(self, time_ns):
        """How many new orders have come since then, of the latest 65,536."""
        count = self.orders.value
        found = 0
        while found < min(count, KEPT) and self.times[(count - 1 - found) % KEPT] >= time_ns:
            found += 1
        return found

    # In the process of its own.

    def run(self):
        try:
            self.serve()
        except KeyboardInterrupt:
            pass

    def serve(self):
        here = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        while True:
            # `up` makes the certificates before it starts who comes here.
            try:
                here.load_cert_chain(f"{self.state}/pki/venue-sim.crt", f"{self.state}/pki/venue-sim.key")
                there = ssl.create_default_context(cafile=f"{self.state}/pki/ca.crt")
                break
            except (OSError, ssl.SSLError):
                time.sleep(0.02)
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, selectors.EVENT_READ, None)
        while True:
            for key, events in self.selector.select():
                if key.data is None:
                    self.accept(listener, here, there)
                elif key.data.socket:
                    key.data.ready(events)

    def accept(self, listener, here, there):
        mesh, _ = listener.accept()
        try:
            venue = socket.create_connection(("127.0.0.1", self.venue_port), timeout=5)
        except OSError:
            return mesh.close()
        ours = Side(self, mesh, Look(self), lambda *bios: here.wrap_bio(*bios, server_side=True))
        theirs = Side(
            self, venue, None, lambda *bios: there.wrap_bio(*bios, server_hostname="localhost"))
        ours.other, theirs.other = theirs, ours
        theirs.step()

    def end_pair(self, side):
        for each in (side, side.other):
            if each.socket:
                self.selector.unregister(each.socket)
                each.socket.close()
                each.socket = None


class Look:
    """Notes the order requests of one connection, also those that come in two pieces."""

    def __init__(self, tap):
        self.tap, self.tail = tap, b""

    def seen(self, data, when):
        tap, text = self.tap, self.tail + data
        for match in NEW.finditer(text):
            if match.end() > len(self.tail):
                tap.times[tap.orders.value % KEPT] = when
                tap.orders.value += 1
        tap.cancels.value += sum(match.end() > len(self.tail) for match in CANCEL.finditer(text))
        # As much of a request line as may still lack its end.
        self.tail = text[text.rfind(b"\n") + 1:][-TAIL:]


class Side:
    """One of the two connections of a pair."""

    def __init__(self, tap, plain, look, wrap):
        self.tap, self.socket, self.look, self.other = tap, plain, look, None
        plain.setblocking(False)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.come, self.gone = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = wrap(self.come, self.gone)
        self.unsealed, self.sealed = b"", b""
        tap.selector.register(plain, selectors.EVENT_READ, self)

    def ready(self, events):
        try:
            if events & selectors.EVENT_READ:
                data, notes, _, _ = self.socket.recvmsg(65536, 64)
                if not data:
                    return self.tap.end_pair(self)
                self.come.write(data)
                self.step(self.time(notes))
            else:
                self.flush()
        except BlockingIOError:
            pass
        except OSError:
            self.tap.end_pair(self)

    @staticmethod
    def time(notes):
        for level, kind, data in notes:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                seconds, nanoseconds = struct.unpack("qq", data)
                return seconds * 1_000_000_000 + nanoseconds
        return time.time_ns()

    def step(self, when=0):
        """What has come goes to the other side, and what waits for the handshake goes out."""
        try:
            while data := self.tls.read(65536):
                if self.look:
                    self.look.seen(data, when)
                self.other.send(data)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            return self.tap.end_pair(self)
        self.send(b"")

    def send(self, data):
        if not self.socket:
            return
        self.unsealed += data
        try:
            while self.unsealed:
                self.unsealed = self.unsealed[self.tls.write(self.unsealed):]
        except ssl.SSLWantReadError:
            pass
        self.flush()

    def flush(self):
        self.sealed += self.gone.read()
        try:
            while self.sealed:
                self.sealed = self.sealed[self.socket.send(self.sealed):]
        except BlockingIOError:
            pass
        except OSError:
            return self.tap.end_pair(self)
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.sealed else 0)
        if self.tap.selector.get_key(self.socket).events != events:
            self.tap.selector.modify(self.socket, events, self)
