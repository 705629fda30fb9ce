"""A client that sends exactly the bytes it is told and reads answers strictly."""

import socket
import struct

import wire
from wire import Cut, Fields, Unclean


class Response:
    """One final response with the interim ones that came before it."""

    def __init__(self, status, reason, fields, interim, version):
        self.status = status
        self.reason = reason
        self.fields = fields
        self.interim = interim      # [(status, fields)]
        self.version = version
        self.body = b""
        self.size = 0               # counts also what `keep` threw away
        self.trailers = Fields()
        self.framed = None          # 'chunked', 'length', 'close' or 'none'
        self.whole = False          # the body came to its proper end

    def __getitem__(self, name):
        return self.fields.get(name)

    def json(self):
        import json
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.fields} {self.body[:200]!r}>"


def connect(address, source=None, timeout=10):
    if address.startswith("unix:"):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(timeout)
        sock.connect(address[5:])
        return sock
    host, port = address.rsplit(":", 1)
    host = host.strip("[]") or "127.0.0.1"
    sock = socket.create_connection((host, int(port)), timeout,
                                    (source, 0) if source else None)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def request_bytes(method="GET", target="/", fields=(), body=None, host="test.example",
                  version="HTTP/1.1"):
    """A plain request; `fields` may be a dict or pairs, a Host is added if none is there."""
    pairs = list(fields.items()) if isinstance(fields, dict) else list(fields)
    if host is not None and not any(n.lower() == "host" for n, _ in pairs):
        pairs.insert(0, ("Host", host))
    names = {n.lower() for n, _ in pairs}
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        pairs.append(("Content-Length", str(len(body))))
    head = f"{method} {target} {version}\r\n" + "".join(f"{n}: {v}\r\n" for n, v in pairs)
    return head.encode("latin-1") + b"\r\n" + (body or b"")


class RawClient:
    def __init__(self, address, source=None, timeout=10):
        self.sock = connect(address, source, timeout)
        self.reader = wire.Reader(self.sock)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def abort(self):
        """Close with a reset in place of a FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def half_close(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass                    # the peer has closed already

    def send(self, data):
        self.sock.sendall(data)

    def try_send(self, data):
        """False when the peer had closed before everything was taken."""
        try:
            self.sock.sendall(data)
            return True
        except OSError:
            return False

    def ask(self, method="GET", target="/", fields=(), body=None, **more):
        keep = more.pop("keep", None)
        self.send(request_bytes(method, target, fields, body, **more))
        return self.response(method, keep)

    def head(self):
        """The status line and fields of the next response, interim ones collected."""
        interim = []
        while True:
            line, fields, _ = wire.read_head(self.reader)
            version, space, rest = line.partition(b" ")
            code, space2, reason = rest.partition(b" ")
            if (version not in (b"HTTP/1.1", b"HTTP/1.0") or not space or not space2
                    or len(code) != 3 or not code.isdigit()):
                raise Unclean(f"status line {line!r}")
            status = int(code)
            if 100 <= status < 200 and status != 101:
                if wire.framing(fields) is not None:
                    raise Unclean(f"interim response with a body: {fields}")
                interim.append((status, fields))
                continue
            return Response(status, reason.decode("latin-1"), fields, interim,
                            version.decode())

    def body(self, response, method="GET", keep=None):
        """Reads the body that belongs to `response`; keeps the first `keep` bytes."""
        parts = []

        def take(data):
            response.size += len(data)
            if keep is None or response.size <= keep:
                parts.append(data)

        frame = wire.framing(response.fields)
        try:
            if method == "HEAD" or response.status in (101, 204, 304):
                response.framed = "none"
            elif frame == "chunked":
                response.framed = "chunked"
                response.trailers = wire.read_chunked(self.reader, take)
            elif frame is not None:
                response.framed = "length"
                wire.read_length(self.reader, frame, take)
            else:
                response.framed = "close"
                while True:
                    try:
                        take(self.reader.some(65536))
                    except EOFError as e:
                        if str(e) == "reset":
                            raise Cut("reset in a close-delimited body") from e
                        break
            response.whole = True
        finally:
            response.body = b"".join(parts)
        return response

    def response(self, method="GET", keep=None):
        return self.body(self.head(), method, keep)

    def closed(self, within=10):
        """True when the peer ends the connection without another byte."""
        if self.reader.buffer:
            return False
        self.sock.settimeout(within)
        try:
            self.reader.fill()
        except EOFError:
            return True
        except TimeoutError:
            return False
        return False

    def silent(self, seconds=0.2):
        """True when nothing comes and the connection stays open for that long."""
        if self.reader.buffer:
            return False
        before = self.sock.gettimeout()
        self.sock.settimeout(seconds)
        try:
            self.reader.fill()
        except TimeoutError:
            return True
        except EOFError:
            return False
        finally:
            self.sock.settimeout(before)
        return False


def ask(address, method="GET", target="/", fields=(), body=None, **more):
    """One request on a connection of its own."""
    source, timeout = more.pop("source", None), more.pop("timeout", 10)
    with RawClient(address, source, timeout) as c:
        return c.ask(method, target, fields, body, **more)
