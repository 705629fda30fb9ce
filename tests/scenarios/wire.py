"""HTTP/1.1 read with the utmost strictness, for both ends of the stage.

The origin uses it to prove that weir sent nothing but well-formed requests, the client
to prove that weir answered with nothing but well-formed responses. It is written apart
from weir's own parser on purpose: two readers that agree are worth more than one.
It does not repair, guess or skip anything: whatever is not plain is `Unclean`.
"""

import re
import socket

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
VALUE = re.compile(rb"[\x21-\x7e\x80-\xff]([\x20\x09\x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?\Z")
TARGET = re.compile(rb"[\x21-\x7e]+\Z")
DIGITS = re.compile(rb"[0-9]{1,19}\Z")
CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}\Z")
HEAD_LIMIT = 1 << 20


class Unclean(Exception):
    """The other side sent bytes that no careful peer would send."""


class Cut(Exception):
    """The connection ended in the middle of a message."""


class Reader:
    """A buffered reader of one socket; end of stream and reset both raise EOFError."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = b""

    def fill(self):
        try:
            data = self.sock.recv(65536)
        except (ConnectionError, OSError) as e:
            if isinstance(e, (socket.timeout, TimeoutError)):
                raise
            raise EOFError("reset") from e
        if not data:
            raise EOFError("closed")
        self.buffer += data

    def until(self, mark, limit):
        """The bytes before `mark`, which is taken away too."""
        start = 0
        while True:
            at = self.buffer.find(mark, start)
            if at >= 0:
                found, self.buffer = self.buffer[:at], self.buffer[at + len(mark):]
                return found
            if len(self.buffer) > limit:
                raise Unclean(f"no {mark!r} within {limit} bytes: {self.buffer[:80]!r}")
            start = max(0, len(self.buffer) - len(mark))
            self.fill()

    def some(self, most):
        if not self.buffer:
            self.fill()
        data, self.buffer = self.buffer[:most], self.buffer[most:]
        return data

    def exactly(self, count):
        while len(self.buffer) < count:
            self.fill()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data


class Fields(list):
    """Header fields as (name, value) in the order of the wire, names as they came."""

    def all(self, name):
        return [v for n, v in self if n.lower() == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        if len(values) > 1:
            raise Unclean(f"{name} came {len(values)} times: {values}")
        return values[0] if values else default


def parse_fields(lines):
    fields = Fields()
    for line in lines:
        if b"\r" in line or b"\n" in line or b"\0" in line:
            raise Unclean(f"control byte in field line {line!r}")
        name, colon, value = line.partition(b":")
        value = value.strip(b" \t")
        if not colon or not TOKEN.match(name):
            raise Unclean(f"field line {line!r}")
        if value and not VALUE.match(value):
            raise Unclean(f"field value {line!r}")
        fields.append((name.decode("latin-1"), value.decode("latin-1")))
    return fields


def read_head(reader):
    """The start line and the fields; EOFError before the first byte, Cut after it."""
    if not reader.buffer:
        reader.fill()
    try:
        raw = reader.until(b"\r\n\r\n", HEAD_LIMIT)
    except EOFError as e:
        raise Cut(reader.buffer) from e
    lines = raw.split(b"\r\n")
    if b"\r" in lines[0] or b"\n" in lines[0]:
        raise Unclean(f"start line {lines[0]!r}")
    return lines[0], parse_fields(lines[1:]), raw


def framing(fields):
    """'chunked', a length, or None when the fields say nothing."""
    coding = [v.lower() for v in fields.all("Transfer-Encoding")]
    lengths = fields.all("Content-Length")
    if coding and lengths:
        raise Unclean(f"Content-Length {lengths} beside Transfer-Encoding {coding}")
    if coding:
        if coding != ["chunked"]:
            raise Unclean(f"Transfer-Encoding {coding}")
        return "chunked"
    if lengths:
        if len(lengths) != 1 or not DIGITS.match(lengths[0].encode("latin-1")):
            raise Unclean(f"Content-Length {lengths}")
        return int(lengths[0])
    return None


def read_chunked(reader, take):
    """Calls take(bytes) for the data; returns the trailer fields."""
    try:
        while True:
            line = reader.until(b"\r\n", 1024)
            if not CHUNK_SIZE.match(line):
                raise Unclean(f"chunk line {line!r}")
            left = int(line, 16)
            if left == 0:
                break
            while left:
                data = reader.some(min(left, 65536))
                left -= len(data)
                take(data)
            if reader.exactly(2) != b"\r\n":
                raise Unclean("chunk data does not end with CRLF")
        lines = []
        while True:
            line = reader.until(b"\r\n", HEAD_LIMIT)
            if not line:
                return parse_fields(lines)
            lines.append(line)
    except EOFError as e:
        raise Cut("in a chunked body") from e


def read_length(reader, length, take):
    try:
        while length:
            data = reader.some(min(length, 65536))
            length -= len(data)
            take(data)
    except EOFError as e:
        raise Cut(f"{length} bytes short") from e


def chunked(*parts, trailers=b""):
    """The wire form of a chunked body."""
    out = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts if p)
    return out + b"0\r\n" + trailers + b"\r\n"
