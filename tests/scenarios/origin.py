"""Servers that stand behind weir: an HTTP/1.1 one that plays any part, and a TCP one.

`Origin` reads every request strictly (wire.py) and keeps what it saw; what it answers is
decided by the path: a part registered by the test, or one of the standing ones
(see `standing`). Whatever weir sends that is not a clean request lands in `unclean`.
A killed origin keeps its port reserved, so that nobody else can take it meanwhile.
"""

import hashlib
import json
import socket
import struct
import threading
import time

import wire
from wire import Cut, Fields, Unclean

KEPT_BODY = 1 << 20
KEEP, CLOSE = "keep", "close"


def reset(sock):
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    except OSError:
        pass


class Seen:
    """One request as the origin saw it."""

    def __init__(self, conn, line, fields, raw):
        method, _, rest = line.partition(b" ")
        target, _, version = rest.rpartition(b" ")
        if not wire.TOKEN.match(method) or not wire.TARGET.match(target):
            raise Unclean(f"request line {line!r}")
        if version not in (b"HTTP/1.1", b"HTTP/1.0"):
            raise Unclean(f"request line {line!r}")
        self.conn = conn
        self.method = method.decode()
        self.target = target.decode()
        self.path = self.target.partition("?")[0]
        self.version = version.decode()
        self.fields = fields
        self.raw = raw
        self.trailers = Fields()
        self.body = b""
        self.size = 0
        self.sha256 = hashlib.sha256()
        self.whole = False          # the body came to its proper end
        self.at = time.monotonic()
        self.frame = wire.framing(fields)
        if version == b"HTTP/1.1" and len(fields.all("Host")) != 1:
            raise Unclean(f"Host fields {fields.all('Host')}")

    def __getitem__(self, name):
        return self.fields.get(name)

    def take(self, data):
        self.size += len(data)
        self.sha256.update(data)
        if self.size <= KEPT_BODY:
            self.body += data

    def read_body(self):
        if not self.whole:
            if self.frame == "chunked":
                self.trailers = wire.read_chunked(self.conn.reader, self.take)
            elif self.frame:
                wire.read_length(self.conn.reader, self.frame, self.take)
            self.whole = True
        return self.body

    def __repr__(self):
        return f"<{self.method} {self.target} {self.fields} {self.size} bytes>"


class Conn:
    """One connection weir has opened; parts write to it as they like."""

    def __init__(self, origin, sock, number):
        self.origin = origin
        self.sock = sock
        self.number = number
        self.reader = wire.Reader(sock)

    def send(self, data):
        self.sock.sendall(data)

    def answer(self, status=200, body=b"", fields=(), reason="Said", chunked=False):
        head = [f"HTTP/1.1 {status} {reason}", f"X-Origin: {self.origin.name}"]
        head += [f"{n}: {v}" for n, v in fields]
        if chunked:
            head.append("Transfer-Encoding: chunked")
            body = wire.chunked(body)
        elif status not in (204, 304) and status >= 200:
            head.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(head).encode("latin-1") + b"\r\n\r\n"
                  + (b"" if self.head_only else body))
        return KEEP

    head_only = False

    def wait_end(self, seconds=30):
        """Read and forget until weir closes; True when it did."""
        self.sock.settimeout(seconds)
        try:
            while True:
                self.reader.buffer = b""
                self.reader.fill()
        except EOFError:
            return True
        except TimeoutError:
            return False


def echo(conn, seen):
    """Says in JSON what came."""
    seen.read_body()
    text = json.dumps({
        "origin": conn.origin.name, "method": seen.method, "target": seen.target,
        "fields": seen.fields, "size": seen.size, "sha256": seen.sha256.hexdigest(),
        "trailers": seen.trailers, "conn": conn.number, "version": seen.version,
    }).encode()
    return conn.answer(200, text, [("Content-Type", "application/json")])


def bulk(conn, seen, size, chunked):
    """`size` bytes of a pattern, in pieces; the pattern's period is prime."""
    seen.read_body()
    frame = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    conn.send(f"HTTP/1.1 200 OK\r\nX-Origin: {conn.origin.name}\r\n{frame}\r\n\r\n".encode())
    if conn.head_only:
        return KEEP
    piece = pattern(1 << 18)
    while size > 0:
        part = piece[:size]
        conn.send(b"%x\r\n%s\r\n" % (len(part), part) if chunked else part)
        size -= len(part)
    if chunked:
        conn.send(b"0\r\n\r\n")
    return KEEP


def pattern(size):
    unit = bytes(range(251))
    return (unit * (size // 251 + 1))[:size]


# The answer to the key that RFC 6455 uses for its example, and so do the plays.
WEBSOCKET = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
             "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
SWITCHED = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")


def tunnel(conn, seen):
    """Accepts an upgrade to websocket and echoes what comes after it."""
    conn.send(SWITCHED)
    conn.origin.tunnels += 1
    try:
        while True:
            conn.send(conn.reader.some(65536))
    except EOFError:
        return CLOSE


def standing(conn, seen):
    """The parts every origin can play, by the first words of the path."""
    words = seen.path.strip("/").split("/")
    word, value = words[0], words[1] if len(words) > 1 else ""
    if word == "size":
        return bulk(conn, seen, int(value), False)
    if word == "chunked":
        return bulk(conn, seen, int(value), True)
    if word == "delay":
        seen.read_body()
        conn.origin.stopping.wait(float(value))
        return echo(conn, seen)
    if word == "status":
        seen.read_body()
        return conn.answer(int(value), b"" if value in ("204", "304") else b"as asked\n")
    if word == "hang":
        seen.read_body()
        conn.wait_end()
        return CLOSE
    if word == "reset":
        seen.read_body()
        reset(conn.sock)
        return CLOSE
    if word == "close":
        seen.read_body()
        return CLOSE
    if word == "garbage":
        conn.send(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        return CLOSE
    if word == "ws":
        return tunnel(conn, seen)
    return echo(conn, seen)


class Origin:
    def __init__(self, name="one", host="127.0.0.1", port=0):
        self.name = name
        self.host = host
        self.port = port
        self.parts = {}             # path -> part(conn, seen) returning KEEP or CLOSE
        self.accepts = True         # False: connections are taken and never spoken to
        self.forget()
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.conns = set()
        self.number = 0
        self.tunnels = 0
        self.listener = self.placeholder = None
        self.restart()

    # what it saw

    def forget(self):
        self.requests = []          # every Seen, whole or cut
        self.checks = []            # requests for /healthz, kept apart
        self.unclean = []           # (why, bytes) that no careful proxy sends
        self.accepted = 0           # connections

    def seen(self, path=None):
        return [s for s in list(self.requests) if path is None or s.path == path]

    def last(self):
        return self.requests[-1]

    @property
    def address(self):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def open(self):
        return len(self.conns)

    # what it plays

    def on(self, path, part):
        self.parts[path] = part

    def say(self, path, raw, then=KEEP, read=True):
        """Answers `path` with exactly these bytes; then 'keep', 'close', 'reset', 'hang'."""
        def part(conn, seen):
            if read:
                seen.read_body()
            for piece in raw if isinstance(raw, (list, tuple)) else [raw]:
                if isinstance(piece, (int, float)):
                    time.sleep(piece)
                else:
                    conn.send(piece)
            if then == "reset":
                time.sleep(0.05)    # let the bytes be read before the reset overtakes them
                reset(conn.sock)
            elif then == "hang":
                conn.wait_end()
            return KEEP if then == KEEP else CLOSE
        self.parts[path] = part

    # life

    def restart(self):
        if self.placeholder:
            self.placeholder.close()
            self.placeholder = None
        sock = self.bound()
        sock.listen(512)
        self.listener = sock
        threading.Thread(target=self.accept, args=(sock,), daemon=True).start()

    def bound(self):
        sock = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((self.host, self.port))
        self.port = sock.getsockname()[1]
        return sock

    def kill(self):
        """As when the process dies: no listener, every connection reset."""
        listener, self.listener = self.listener, None
        if not listener:
            return
        try:
            listener.shutdown(socket.SHUT_RDWR)     # wakes the accepting thread
        except OSError:
            pass
        listener.close()
        self.placeholder = socket.socket(listener.family)
        self.placeholder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for _ in range(100):
            try:
                self.placeholder.bind((self.host, self.port))
                break
            except OSError:
                time.sleep(0.02)
        with self.lock:
            conns = list(self.conns)
        for conn in conns:
            try:
                conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                     struct.pack("ii", 1, 0))
                conn.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def stop(self):
        self.stopping.set()
        self.kill()
        if self.placeholder:
            self.placeholder.close()
            self.placeholder = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.number += 1
                self.accepted += 1
                conn = Conn(self, sock, self.number)
                self.conns.add(conn)
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        try:
            while not self.accepts:
                if self.stopping.wait(0.05):
                    return
            while self.exchange(conn) == KEEP:
                pass
        except EOFError:
            pass                    # weir closed between requests
        except Unclean as e:
            self.unclean.append((str(e), conn.reader.buffer[:200]))
        except (Cut, OSError, ValueError) as e:
            if isinstance(e, ValueError):
                self.unclean.append((repr(e), b""))
        finally:
            with self.lock:
                self.conns.discard(conn)
            conn.sock.close()

    def exchange(self, conn):
        try:
            line, fields, raw = wire.read_head(conn.reader)
        except Cut as e:
            self.unclean.append(("a head cut short", e.args[0]))
            raise
        seen = Seen(conn, line, fields, raw)
        conn.head_only = seen.method == "HEAD"
        (self.checks if seen.path == "/healthz" else self.requests).append(seen)
        if seen["Expect"] == "100-continue" and seen.path not in self.parts:
            conn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        part = self.parts.get(seen.path, standing)
        return part(conn, seen)


class TcpOrigin:
    """A server of plain TCP; `part(sock, address)` plays one connection."""

    def __init__(self, part=None, host="127.0.0.1"):
        self.part = part or tcp_echo
        self.accepted = 0
        self.listener = socket.create_server((host, 0))
        self.port = self.listener.getsockname()[1]
        self.address = f"{host}:{self.port}"
        self.socks = set()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, address = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            self.socks.add(sock)
            threading.Thread(target=self.serve, args=(sock, address), daemon=True).start()

    def serve(self, sock, address):
        try:
            self.part(sock, address)
        except OSError:
            pass
        finally:
            self.socks.discard(sock)
            sock.close()

    def stop(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for sock in list(self.socks):
            reset(sock)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def tcp_echo(sock, _):
    """Echoes until the client's end, then says 'bye' and ends: shows a half-close."""
    while True:
        data = sock.recv(65536)
        if not data:
            sock.sendall(b"bye")
            return
        sock.sendall(data)


class UnixOrigin(Origin):
    """Behind the path of a socket; it does not come back once it was killed."""

    def __init__(self, name, path):
        self.path = path
        super().__init__(name, host=path)

    @property
    def address(self):
        return f"unix:{self.path}"

    def bound(self):
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(self.path)
        return sock

    def kill(self):
        listener, self.listener = self.listener, None
        if listener:
            listener.shutdown(socket.SHUT_RDWR)     # wakes the accepting thread
            listener.close()
