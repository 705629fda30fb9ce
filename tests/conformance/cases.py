"""Requests as bytes, and what may come of each: the table of hostile (and odd) input.

A case is refused, accepted, or either. Refused: one of the named statuses, the connection
ends, and the origin has seen no whole request of it. Accepted: status 200, the origin saw
exactly the named requests, and a plain request right behind on the same connection gets
its own answer, so that both sides agree where the first one ended. The numbers are those
of the checklist of hostile input the project keeps. Anything named `smuggled` must never
arrive as a request.
"""

G = b"GET /c HTTP/1.1\r\nHost: a\r\n"
P = b"POST /c HTTP/1.1\r\nHost: a\r\n"
E = b"\r\n"
S = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
HELLO = b"5\r\nhello\r\n0\r\n\r\n"
SEEN_GET = ("GET", "/c", b"")
SEEN_HELLO = ("POST", "/c", b"hello")
BAD = {400}
BAD_CODING = {400, 501}
BAD_VERSION = {400, 505}

ALL = []


class Case:
    def __init__(self, item, name, data, codes, seen, before=0, method="GET", closes=False,
                 silent_close=False):
        self.item = item
        self.name = f"{item:02d} {name}"
        self.data = data
        self.codes = set(codes)         # statuses of a refusal; empty: it must be accepted
        self.seen = list(seen)          # whole requests the origin may have seen, in order
        self.accept = bool(seen) and before < len(seen)
        self.before = before            # good answers that come before the one in question
        self.method = method            # how to read the answer: HEAD has no body
        self.closes = closes            # even if accepted, the connection must end
        self.silent_close = silent_close    # ending without an answer is a refusal too


def refuse(item, name, data, codes=BAD, seen=(), **more):
    """Refused after the requests in `seen`, each of which gets its answer first."""
    ALL.append(Case(item, name, data, codes, seen, before=len(seen), **more))


def accept(item, name, data, *seen, **more):
    ALL.append(Case(item, name, data, (), seen, before=len(seen) - 1, **more))


def either(item, name, data, *seen, codes=BAD, **more):
    ALL.append(Case(item, name, data, codes, seen, **more))


def shown(data):
    return ascii(data)[2:-1][:40]


# 1: both framings at once
CL5, TE = b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"
either(1, "CL then TE", P + CL5 + TE + E + HELLO, SEEN_HELLO, closes=True)
either(1, "TE then CL", P + TE + CL5 + E + HELLO, SEEN_HELLO, closes=True)
either(1, "TE, CL 0", P + TE + b"Content-Length: 0\r\n" + E + HELLO, SEEN_HELLO, closes=True)
either(1, "CL short of a hidden request",
       P + b"Content-Length: 4\r\n" + TE + E + b"0\r\n\r\n" + S, ("POST", "/c", b""),
       closes=True)
either(1, "CL over a hidden request",
       P + b"Content-Length: %d\r\n" % (len(S) + 5) + TE + E + b"0\r\n\r\n" + S,
       ("POST", "/c", b""), closes=True)
either(1, "GET with both", G + TE + CL5 + E + HELLO, ("GET", "/c", b"hello"), closes=True)

# 2: lengths that differ
refuse(2, "two lengths", P + CL5 + b"Content-Length: 6\r\n" + E + b"hello!")
refuse(2, "two lengths, 0 first", P + b"Content-Length: 0\r\n" + CL5 + E + b"hello")
refuse(2, "list 5, 6", P + b"Content-Length: 5, 6\r\n" + E + b"hello!")
refuse(2, "list 0, 5", P + b"Content-Length: 0, 5\r\n" + E + b"hello")
either(2, "list 5, 5", P + b"Content-Length: 5, 5\r\n" + E + b"hello", SEEN_HELLO)
either(2, "same twice", P + CL5 + CL5 + E + b"hello", SEEN_HELLO)
refuse(2, "5 and empty", P + CL5 + b"Content-Length:\r\n" + E + b"hello")
refuse(2, "5 and +5", P + CL5 + b"Content-Length: +5\r\n" + E + b"hello")

# 3: lengths that are no number
for value in (b"+5", b"-5", b"-0", b"0x5", b"1_0", b"5 5", b'"5"', b"", b"5a", b"a5", b"5.0",
              b"5e0", b"5;", b"5,", b",5", b"\x0b5", b"5\x0b", b"5\x0c", b"5\x00", b"0b1", b"five",
              b"\xb2", b"\xd9\xa5", b"'5'", b"(5)", b"5\t5"):
    refuse(3, f"CL {shown(value)}", P + b"Content-Length: " + value + E + E + b"hello")
for value in (2**63, 2**64, 2**64 + 1, 2**64 + 5, 2**65 + 5, 10**25):
    refuse(3, f"CL {value}", P + b"Content-Length: %d\r\n" % value + E + b"hello", {400, 413})
for value in (b"5 ", b"5\t", b"\t5", b"  5  "):
    accept(3, f"CL with blanks {shown(value)}", P + b"Content-Length:" + value + E + E
           + b"hello", SEEN_HELLO)
either(3, "CL 005", P + b"Content-Length: 005\r\n" + E + b"hello", SEEN_HELLO)
accept(3, "cOnTeNt-LeNgTh", P + b"cOnTeNt-LeNgTh: 5\r\n" + E + b"hello", SEEN_HELLO)
accept(3, "CL 0", P + b"Content-Length: 0\r\n" + E, ("POST", "/c", b""))

# 4: codings
for value in (b"gzip", b"gzip, chunked", b"chunked, gzip", b"chunked, chunked", b"xchunked",
              b"chunkedx", b"chunk", b'"chunked"', b"'chunked'", b"identity",
              b"chunked, identity", b"identity, chunked", b"chunked;q=1", b"chunked ;a",
              b"\x0bchunked", b"chunked\x0b", b"\x0cchunked", b"chunked\x00", b"ch\tunked",
              b"chunked foo", b"foo chunked", b"", b"chunked\xa0", b"\xc2\xa0chunked",
              b"chunked, x", b"x, chunked", b"chunked/1.0", b"(chunked)"):
    refuse(4, f"TE {shown(value)}", P + b"Transfer-Encoding: " + value + E + E + HELLO, BAD_CODING)
refuse(4, "two TE lines", P + TE + TE + E + HELLO, BAD_CODING)
refuse(4, "gzip line, chunked line", P + b"Transfer-Encoding: gzip\r\n" + TE + E + HELLO,
       BAD_CODING)
refuse(4, "chunked line, identity line", P + TE + b"Transfer-Encoding: identity\r\n" + E + HELLO,
       BAD_CODING)
refuse(4, "unknown TE hides a request", P + b"Transfer-Encoding: cow\r\n" + E + S, BAD_CODING)
for value in (b"chunked,", b",chunked", b" , chunked"):
    either(4, f"TE {shown(value)}", P + b"Transfer-Encoding: " + value + E + E + HELLO,
           SEEN_HELLO, codes=BAD_CODING)
for value in (b"chunked", b"Chunked", b"CHUNKED", b"  chunked  ", b"\tchunked\t"):
    accept(4, f"TE {shown(value)}", P + b"Transfer-Encoding:" + value + E + E + HELLO, SEEN_HELLO)

# 5: a coding in HTTP/1.0
P10 = b"POST /c HTTP/1.0\r\nHost: a\r\n"
either(5, "TE in 1.0", P10 + TE + E + HELLO, SEEN_HELLO, codes=BAD_CODING, closes=True)
either(5, "TE in 1.0, keep-alive", P10 + b"Connection: keep-alive\r\n" + TE + E + HELLO,
       SEEN_HELLO, codes=BAD_CODING, closes=True)
either(5, "TE and CL in 1.0", P10 + TE + CL5 + E + HELLO, SEEN_HELLO, codes=BAD_CODING, closes=True)

# 6: names
for line in (b"X : y", b"X\t: y", b"Host : b", b"Content-Length : 5", b"Transfer-Encoding : chunked",
             b": y", b"X y: z", b"(x): y", b"X@: y", b"X\x80: y", b"X[]: y", b"X{: y", b'"X": y',
             b"X,: y", b"X;: y", b"X/: y", b"X=: y", b"nothing", b"X\\: y", b"X<: y", b"\x7fX: y",
             b" ", b"\t", b"X\xc3\xa4: y", b":"):
    refuse(6, f"line {shown(line)}", G + line + E + E)
refuse(6, "space before the first field",
       b"GET /c HTTP/1.1\r\n Host: a\r\nHost: a\r\n\r\n")
refuse(6, "space line hides a length", b"POST /c HTTP/1.1\r\n X: y\r\nHost: a\r\n" + CL5 + E + b"hello")
accept(6, "odd but legal name", G + b"!#$%&'*+-.^`|~09azAZ: y\r\n" + E, SEEN_GET)
accept(6, "empty value", G + b"X-Empty:\r\nX-Blank: \t \r\n" + E, SEEN_GET)

# 7: folded lines
either(7, "fold by space", G + b"X: a\r\n b\r\n" + E, SEEN_GET)
either(7, "fold by tab", G + b"X: a\r\n\tb\r\n" + E, SEEN_GET)
either(7, "empty fold", G + b"X: a\r\n \r\n" + E, SEEN_GET)
refuse(7, "folded length", P + b"Content-Length: 5\r\n 5\r\n" + E + b"hello")
either(7, "length on the fold", P + b"Content-Length:\r\n 5\r\n" + E + b"hello", SEEN_HELLO)
refuse(7, "folded coding", P + b"Transfer-Encoding: chunked\r\n , x\r\n" + E + HELLO, BAD_CODING)
either(7, "coding on the fold", P + b"Transfer-Encoding:\r\n chunked\r\n" + E + HELLO, SEEN_HELLO,
       codes=BAD_CODING)
refuse(7, "folded Host", b"GET /c HTTP/1.1\r\nHost: a\r\n b\r\n\r\n")

# 8: bytes that have no place in a head
for byte in (0x00, 0x01, 0x07, 0x08, 0x0b, 0x0c, 0x0d, 0x0e, 0x1b, 0x1f, 0x7f):
    c = bytes([byte])
    either(8, f"0x{byte:02x} in a value", G + b"X: a" + c + b"b\r\n" + E, SEEN_GET)
    refuse(8, f"0x{byte:02x} in a name", G + b"X" + c + b"Y: a\r\n" + E)
    refuse(8, f"0x{byte:02x} in the target", b"GET /c" + c + b"d HTTP/1.1\r\nHost: a\r\n\r\n")
    refuse(8, f"0x{byte:02x} in the method", b"G" + c + b"T /c HTTP/1.1\r\nHost: a\r\n\r\n")
either(8, "CR hides a field", G + b"X: a\rContent-Length: 5\r\n" + E, SEEN_GET)
either(8, "CR CR LF", G + b"X: a\r\r\n" + E, SEEN_GET)
either(8, "CR at the end of the head", G + b"X: a\r\n\r\r\n" + E, SEEN_GET)
either(8, "CR hides a request", G + b"X: a\r\n\rGET /smuggled HTTP/1.1\r\n" + E, SEEN_GET)
either(8, "NUL at the end of a value", G + b"X: a\x00\r\n" + E, SEEN_GET)
either(8, "obs-text", G + b"X: \xe4\xff\r\n" + E, SEEN_GET)

# 9: lines that end in LF alone
either(9, "all lines", b"GET /c HTTP/1.1\nHost: a\n\n", SEEN_GET)
either(9, "the request line", b"GET /c HTTP/1.1\nHost: a\r\n\r\n", SEEN_GET)
either(9, "a field line", b"GET /c HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", SEEN_GET)
either(9, "the end of the head", b"GET /c HTTP/1.1\r\nHost: a\r\n\n", SEEN_GET)
either(9, "LF LF hides a request", b"GET /c HTTP/1.1\r\nHost: a\n\n", SEEN_GET)
refuse(9, "after chunk size", P + TE + E + b"5\nhello\r\n0\r\n\r\n")
refuse(9, "after chunk data", P + TE + E + b"5\r\nhello\n0\r\n\r\n")
refuse(9, "after the last chunk", P + TE + E + b"5\r\nhello\r\n0\n\r\n")
refuse(9, "at the very end", P + TE + E + b"5\r\nhello\r\n0\r\n\n")
refuse(9, "all of the chunking", P + TE + E + b"5\nhello\n0\n\n")
either(9, "CRLF before the request", E + G + E, SEEN_GET)
either(9, "two CRLF before the request", E + E + G + E, SEEN_GET)
either(9, "LF before the request", b"\n" + G + E, SEEN_GET)
refuse(9, "space before the request", b" " + G + E)
refuse(9, "CR before the request", b"\r" + G + E)

# 10: chunk sizes
for size in (b"0x5", b"-5", b"+5", b" 5", b"\t5", b"", b"5x", b"g", b"5 5", b"5,", b"5\x00", b"\x005",
             b"5\x0b", b"1" + b"0" * 16, b"f" * 17, b"8" + b"0" * 15, b"f" * 16, b"1" + b"0" * 15 + b"5",
             b'"5"', b"5.", b"5_", b"\xb2"):
    codes = {400, 413} if len(size) > 10 else BAD
    refuse(10, f"size {shown(size)}", P + TE + E + size + b"\r\nhello\r\n0\r\n\r\n", codes)
either(10, "size '5 '", P + TE + E + b"5 \r\nhello\r\n0\r\n\r\n", SEEN_HELLO)
either(10, "size 00005", P + TE + E + b"00005\r\nhello\r\n0\r\n\r\n", SEEN_HELLO)
either(10, "size of 400 zeros and 5", P + TE + E + b"0" * 400 + b"5\r\nhello\r\n0\r\n\r\n",
       SEEN_HELLO)
either(10, "last chunk 000", P + TE + E + b"5\r\nhello\r\n000\r\n\r\n", SEEN_HELLO)
accept(10, "size a, A", P + TE + E + b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n",
       ("POST", "/c", b"0123456789" * 2))
refuse(10, "last chunk -0", P + TE + E + b"5\r\nhello\r\n-0\r\n\r\n")
refuse(10, "last chunk 0x0", P + TE + E + b"5\r\nhello\r\n0x0\r\n\r\n")

# 11: chunk extensions
accept(11, "a=b", P + TE + E + b"5;a=b\r\nhello\r\n0\r\n\r\n", SEEN_HELLO)
accept(11, "a=\"b\"", P + TE + E + b'5;a="b c"\r\nhello\r\n0;x\r\n\r\n', SEEN_HELLO)
either(11, "blank before ;", P + TE + E + b"5 ;a=b\r\nhello\r\n0\r\n\r\n", SEEN_HELLO)
either(11, "only ;", P + TE + E + b"5;\r\nhello\r\n0\r\n\r\n", SEEN_HELLO)
either(11, "CRLF in quotes", P + TE + E + b'5;a="\r\nhello\r\n0\r\n\r\n', SEEN_HELLO)
for c in (b"\r", b"\n", b"\x00", b"\x01", b"\x0b", b"\x7f"):
    refuse(11, f"{shown(c)} in it", P + TE + E + b"5;a" + c + b"b\r\nhello\r\n0\r\n\r\n")
refuse(11, "LF ends it and hides a chunk", P + TE + E + b"5;\nhello\r\n0\r\n\r\n" + S)
refuse(11, "64 KB of it", P + TE + E + b"5;" + b"a" * 65536 + b"\r\nhello\r\n0\r\n\r\n",
       {400, 413, 431}, silent_close=True)
refuse(11, "8 MB of it in small chunks",
       P + TE + E + (b"1;" + b"a" * 800 + b"\r\nx\r\n") * 10000 + b"0\r\n\r\n",
       {400, 413, 431}, silent_close=True)

# 12: data that does not fit its size
refuse(12, "longer", P + TE + E + b"3\r\nhello\r\n0\r\n\r\n")
refuse(12, "longer, a request behind", P + TE + E + b"3\r\nhello\r\n0\r\n\r\n" + S)
refuse(12, "shorter", P + TE + E + b"6\r\nhello\r\n0\r\n\r\n" + S)
refuse(12, "no end", P + TE + E + b"5\r\nhello0\r\n\r\n")
refuse(12, "CR without LF", P + TE + E + b"5\r\nhello\r0\r\n\r\n")
refuse(12, "LF CR", P + TE + E + b"5\r\nhello\n\r0\r\n\r\n")
refuse(12, "two ends", P + TE + E + b"5\r\nhello\r\n\r\n0\r\n\r\n")
accept(12, "a request behind", P + TE + E + HELLO + G + E, SEEN_HELLO, SEEN_GET)

# 13: trailers
for line in (b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Host: b", b"Authorization: x",
             b"Connection: close", b"X-Forwarded-For: 6.6.6.6", b"Cookie: a=b", b"Trailer: x",
             b"Content-Encoding: gzip", b"Content-Type: text/html", b"Set-Cookie: a=b",
             b"Expect: 100-continue", b"X-Request-Id: mine"):
    either(13, f"trailer {shown(line)}", P + TE + E + b"5\r\nhello\r\n0\r\n" + line + E + E,
           SEEN_HELLO)
for line in (b"nothing", b"X : y", b" X: y", b"X\x00: y", b"X: a\x00", b"X: a\rb", b"X: a\nb", b": y"):
    refuse(13, f"trailer {shown(line)}", P + TE + E + b"5\r\nhello\r\n0\r\n" + line + E + E)
refuse(13, "trailer section too long",
       P + TE + E + b"5\r\nhello\r\n0\r\n" + (b"X: " + b"a" * 1000 + E) * 200 + E,
       {400, 413, 431}, silent_close=True)

# 14: Host
R = b"GET /c HTTP/1.1\r\n"
refuse(14, "missing", R + E)
refuse(14, "twice", R + b"Host: a\r\nHost: b\r\n" + E)
refuse(14, "twice the same", R + b"Host: a\r\nHost: a\r\n" + E)
for value in (b"a b", b"a,b", b"a, b", b"a/b", b"u@a", b"u:p@a", b"a\x00", b"a:b", b"a:99999", b"a:-1",
              b"[::1", b"::1", b"a:80:80", b"a#b", b"a?b", b"a\\b", b"<a>", b'"a"', b"a;b",
              b"http://a", b"a\tb", b"[::1]x", b"[zz::1]", b"[]", b":80", b"a%00b"):
    refuse(14, f"Host {shown(value)}", R + b"Host: " + value + E + E)
for value in (b"a:80", b"[::1]:80", b"[::1]", b"A.Example", b"a-b.c", b"127.0.0.1", b"a_b"):
    accept(14, f"Host {shown(value)}", R + b"Host: " + value + E + E, SEEN_GET)
for value in (b"", b"a:", b"a.", b"a..b", b"-a", b"\xc3\xa4", b"a:0"):
    either(14, f"Host {shown(value)}", R + b"Host: " + value + E + E, SEEN_GET)
either(14, "target differs from Host", b"GET http://b/c HTTP/1.1\r\nHost: a\r\n\r\n", SEEN_GET)
refuse(14, "absolute target without Host", b"GET http://b/c HTTP/1.1\r\n\r\n")
accept(14, "absolute target", b"GET http://a/c HTTP/1.1\r\nHost: a\r\n\r\n", SEEN_GET)
accept(14, "absolute target in capitals", b"GET HTTP://a/c HTTP/1.1\r\nHost: a\r\n\r\n", SEEN_GET)
for target in (b"http:///c", b"http://", b"http:/c", b"http:c", b"http://u@a/c", b"http://a b/c",
               b"http://a:x/c", b"//a/c\x00", b"ftp://a/c", b"://a/c", b"http//a/c"):
    refuse(14, f"target {shown(target)}", b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n",
           {400, 404, 421, 501})
either(14, "1.0 without Host", b"GET /c HTTP/1.0\r\n\r\n", SEEN_GET, closes=True)

# 15: request lines
for line in (b"GET /a b HTTP/1.1", b"GET  /c HTTP/1.1", b"GET /c  HTTP/1.1", b"GET\t/c HTTP/1.1",
             b"GET /c\tHTTP/1.1", b"GET c HTTP/1.1", b"GET HTTP/1.1", b"GET /c", b"GET", b"/c HTTP/1.1",
             b"GET ?x HTTP/1.1", b"GET * HTTP/1.1", b"G(T /c HTTP/1.1", b"G,T /c HTTP/1.1",
             b'"GET" /c HTTP/1.1', b"G@T /c HTTP/1.1", b"GET/c HTTP/1.1", b"GET /c HTTP/1.1 ",
             b"GET /c HTTP/1.1 x", b"G\x80T /c HTTP/1.1", b"G:T /c HTTP/1.1", b"GET \\c HTTP/1.1",
             b"GET #c HTTP/1.1", b"GET %2fc HTTP/1.1", b"POST * HTTP/1.1", b"GET . HTTP/1.1",
             b"GET ../c HTTP/1.1", b"GET /c\x0bHTTP/1.1", b"GET /c\xa0HTTP/1.1", b"G\xc3\x8bT /c HTTP/1.1"):
    refuse(15, f"line {shown(line)}", line + b"\r\nHost: a\r\n\r\n", BAD_VERSION | {501})
for line, target in ((b"GET /c#f HTTP/1.1", "/c"), (b"GET /c?a#f HTTP/1.1", "/c?a")):
    either(15, f"fragment {shown(line)}", line + b"\r\nHost: a\r\n\r\n", ("GET", target, b""))
for c in b'"<>\\^`{|}':
    t = b"/c?" + bytes([c])
    either(15, f"target {shown(t)}", b"GET " + t + b" HTTP/1.1\r\nHost: a\r\n\r\n",
           [("GET", t.decode(), b""), ("GET", "/c?%%%02X" % c, b"")])
either(15, "obs-text in target", b"GET /c?\xff HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "/c?%FF", b""))
either(15, "lower-case method", b"get /c HTTP/1.1\r\nHost: a\r\n\r\n", ("get", "/c", b""),
       codes={400, 405, 501})
either(15, "unknown method", b"BREW /c HTTP/1.1\r\nHost: a\r\n\r\n", ("BREW", "/c", b""),
       codes={405, 501})
refuse(15, "method of 10 KB", b"A" * 10240 + b" /c HTTP/1.1\r\nHost: a\r\n\r\n", {400, 431, 501})
refuse(15, "HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", BAD_VERSION | {501})
refuse(15, "TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x11" * 500 + b"\r\n\r\n",
       silent_close=True)
refuse(15, "binary", bytes(range(256)) * 4 + b"\r\n\r\n", silent_close=True)
refuse(15, "SSH", b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
refuse(15, "PROXY line", b"PROXY TCP4 6.6.6.6 1.1.1.1 1 80\r\n" + G + E)

# 16: versions
for version in (b"HTTP/0.9", b"HTTP/9.9", b"http/1.1", b"Http/1.1", b"HTTP/1.10", b"HTTP/11.1",
                b"HTTP/2.0", b"HTTP/3.0", b"HTTP/1", b"HTTP/1.", b"HTTP/.1", b"HTTP/01.1", b"HTTP/1,1",
                b"HTTP/1.1\x0b", b"HTTPS/1.1", b"HTTP /1.1", b"HTTP/ 1.1", b"HTTP/1.x", b"HTTP/-1.1",
                b"HTTP1.1", b"HTTP\\1.1", b"ICY/1.1", b"HTTP/1.1.1", b"HTTP/+1.1", b"HTTP/1.01"):
    refuse(16, f"version {shown(version)}", b"GET /c " + version + b"\r\nHost: a\r\n\r\n",
           BAD_VERSION)
either(16, "HTTP/1.2", b"GET /c HTTP/1.2\r\nHost: a\r\n\r\n", SEEN_GET, codes=BAD_VERSION)
refuse(16, "0.9 alone", b"GET /c\r\n\r\n", BAD_VERSION)
accept(16, "HTTP/1.0", b"GET /c HTTP/1.0\r\nHost: a\r\n\r\n", SEEN_GET, closes=True)
either(16, "HTTP/1.0 keep-alive", b"GET /c HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
       SEEN_GET)

# 17: heads over the limits
refuse(17, "one line of 40 KB", G + b"X: " + b"a" * 40960 + E + E, {431})
refuse(17, "1 MB in one line", G + b"X: " + b"a" * (1 << 20) + E + E, {431}, silent_close=True)
refuse(17, "200 fields", G + b"".join(b"X-%d: y\r\n" % i for i in range(200)) + E, {431})
refuse(17, "100 KB in 50 fields", G + b"".join(b"X-%d: " % i + b"a" * 2000 + E for i in range(50)) + E,
       {431})
refuse(17, "a name of 40 KB", G + b"X" * 40960 + b": y\r\n" + E, {431})
refuse(17, "a target of 9 KB", b"GET /" + b"a" * 9216 + b" HTTP/1.1\r\nHost: a\r\n\r\n", {414})
refuse(17, "a target of 100 KB", b"GET /" + b"a" * 102400 + b" HTTP/1.1\r\nHost: a\r\n\r\n", {414, 431},
       silent_close=True)
accept(17, "90 fields", G + b"".join(b"X-%d: y\r\n" % i for i in range(90)) + E, SEEN_GET)
accept(17, "a line of 24 KB", G + b"X: " + b"a" * 24576 + E + E, SEEN_GET)
accept(17, "a target of 8000 bytes", b"GET /" + b"a" * 8000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
       ("GET", "/" + "a" * 8000, b""))

# 18: bodies over the limit (1 MiB here)
refuse(18, "length over it", P + b"Content-Length: 1048577\r\n" + E, {413})
refuse(18, "length far over it", P + b"Content-Length: 9000000000000\r\n" + E + b"x" * 1000, {413})
refuse(18, "chunks over it", P + TE + E + (b"10000\r\n" + b"x" * 65536 + E) * 17 + b"0\r\n\r\n", {413},
       silent_close=True)
refuse(18, "one chunk over it", P + TE + E + b"ffffffff\r\nxxxx", {400, 413})
accept(18, "length on it", P + b"Content-Length: 1048576\r\n" + E + b"x" * 1048576,
       ("POST", "/c", b"x" * 1048576))
accept(18, "chunks on it", P + TE + E + (b"10000\r\n" + b"x" * 65536 + E) * 16 + b"0\r\n\r\n",
       ("POST", "/c", b"x" * 1048576))

# 19: pipelines
refuse(19, "first bad", G + b"X : y\r\n" + E + S + S)
refuse(19, "second bad", G + E + b"GET /c HTTP/1.1\r\n\r\n" + S, seen=[SEEN_GET])
refuse(19, "third bad", G + E + P + CL5 + E + b"hello" + b"GET /smuggled\r\n\r\n" + S, BAD_VERSION,
       seen=[SEEN_GET, SEEN_HELLO])
refuse(19, "bad after chunked", P + TE + E + HELLO + b"x\r\n\r\n" + S, seen=[SEEN_HELLO])
accept(19, "five good", (G + E) * 5, *[SEEN_GET] * 5)
accept(19, "bodies between", P + CL5 + E + b"hello" + G + E + P + TE + E + HELLO + G + E,
       SEEN_HELLO, SEEN_GET, SEEN_HELLO, SEEN_GET)
refuse(19, "more body than said", P + CL5 + E + b"hellohello\r\n\r\n", seen=[SEEN_HELLO])
accept(19, "close, then more", G + b"Connection: close\r\n" + E + S, SEEN_GET, closes=True)
accept(19, "1.0, then more", b"GET /c HTTP/1.0\r\nHost: a\r\n\r\n" + S, SEEN_GET, closes=True)

# 20: Expect
X100 = b"Expect: 100-continue\r\n"
accept(20, "with the body at once", P + X100 + CL5 + E + b"hello", SEEN_HELLO)
accept(20, "without a body", G + X100 + E, SEEN_GET)
accept(20, "with length 0", P + X100 + b"Content-Length: 0\r\n" + E, ("POST", "/c", b""))
either(20, "in 1.0", P10 + X100 + CL5 + E + b"hello", SEEN_HELLO, closes=True)
either(20, "unknown", P + b"Expect: 200-ok\r\n" + CL5 + E + b"hello", SEEN_HELLO, codes={400, 417})
either(20, "capitals", P + b"Expect: 100-Continue\r\n" + CL5 + E + b"hello", SEEN_HELLO,
       codes={400, 417})
either(20, "twice", P + X100 + X100 + CL5 + E + b"hello", SEEN_HELLO, codes={400, 417})

# 22: bodies where none is expected
for m in (b"GET", b"DELETE", b"OPTIONS", b"HEAD"):
    method = m.decode()
    head = m + b" /c HTTP/1.1\r\nHost: a\r\n"
    either(22, f"{method} with a length", head + CL5 + E + b"hello", (method, "/c", b"hello"),
           method=method, codes={400, 413})
    either(22, f"{method} with chunks", head + TE + E + HELLO, (method, "/c", b"hello"),
           method=method, codes={400, 413})
    either(22, f"{method} with a request for a body",
           head + b"Content-Length: %d\r\n" % len(S) + E + S, (method, "/c", S), method=method,
           codes={400, 413})
accept(22, "POST with a request for a body", P + b"Content-Length: %d\r\n" % len(S) + E + S,
       ("POST", "/c", S))
accept(22, "POST without framing, then a request", P + E + G + E, ("POST", "/c", b""), SEEN_GET)

# 27: options of a connection, each a walk over the fields
NINE = b"Connection: a, b, c, d, e, f, g, h, i\r\n"
accept(27, "nine options", G + NINE + E, SEEN_GET)
accept(27, "several fields", G + b"Connection: a\r\nConnection: keep-alive, b\r\n" + E, SEEN_GET)
refuse(27, "18 options in two fields", G + NINE * 2 + E)
refuse(27, "18 options in one field", G + NINE[:-2] + b", " + NINE[12:] + E)

# 30: methods that are not for a proxy like this
refuse(30, "CONNECT", b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", {400, 405, 501})
refuse(30, "CONNECT with a path", b"CONNECT /c HTTP/1.1\r\nHost: a\r\n\r\n", {400, 405, 501})
refuse(30, "CONNECT, then bytes", b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n" + S, {400, 405, 501})
refuse(30, "TRACE", b"TRACE /c HTTP/1.1\r\nHost: a\r\n\r\n", {405, 501})
refuse(30, "TRACE with a body", b"TRACE /c HTTP/1.1\r\nHost: a\r\n" + CL5 + E + b"hello", {400, 405, 501})
either(30, "Max-Forwards not a number", b"OPTIONS /c HTTP/1.1\r\nHost: a\r\nMax-Forwards: x\r\n\r\n",
       ("OPTIONS", "/c", b""))

# 31: paths; the second part is every form the origin may get
for path, forms in (
        (b"/a/../c", ["/c"]), (b"/../c", ["/c"]), (b"/./c", ["/c"]), (b"/a/./c", ["/a/c"]),
        (b"/a/%2e%2e/c", ["/c"]), (b"/a/%2E%2e/c", ["/c"]), (b"/a/.%2e/c", ["/c"]), (b"/%2e/c", ["/c"]),
        (b"/a/..", ["/"]), (b"/a/.", ["/a/"]), (b"/..", ["/"]), (b"/a/b/../../../../c", ["/c"]),
        (b"//c", ["/c", "//c"]), (b"/a//c", ["/a/c", "/a//c"]), (b"/a/%2fc", ["/a/%2Fc", "/a/%2fc"]),
        (b"/a%2Fc", ["/a%2Fc"]), (b"/c;x=1", ["/c;x=1"]), (b"/c;/../d", ["/d"]), (b"/%63", ["/c"]),
        (b"/%7Ec", ["/~c"]), (b"/c%20d", ["/c%20d"]), (b"/c%3fd", ["/c%3Fd", "/c%3fd"]),
        (b"/c%25d", ["/c%25d"]), (b"/c%252e", ["/c%252e", "/c%252E"]), (b"/c+d", ["/c+d"]),
        (b"/%c3%a4", ["/%C3%A4", "/%c3%a4"]), (b"/c?../../d", ["/c?../../d"]),
        (b"/c?%00", ["/c?%00"]), (b"/c?%zz", ["/c?%zz", "/c?%25zz"]),
        (b"/c%5cd", ["/c%5Cd", "/c%5cd"]), (b"/c%0ad", ["/c%0Ad", "/c%0ad"]), (b"/c%7fd", ["/c%7Fd", "/c%7fd"]),
        (b"/...", ["/..."]), (b"/.c", ["/.c"]), (b"/c..", ["/c.."]), (b"/c/%2e%2ed", ["/c/..d"])):
    either(31, f"path {shown(path)}", b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n",
           [("GET", f, b"") for f in forms])
for path in (b"/c%00", b"/c%00d", b"/%00", b"/%c0%af", b"/%c0%ae%c0%ae/c", b"/%e0%80%af", b"/%f0%80%80%af",
             b"/c%", b"/c%2", b"/c%zz", b"/c%2g", b"/%u0041", b"/c% 1"):
    refuse(31, f"path {shown(path)}", b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n", BAD)
for path in (b"/admin", b"/admin/", b"/admin/x", b"/./admin", b"/x/../admin", b"/%61dmin", b"/x/%2e%2e/admin",
             b"/admin/../admin/x", b"/%2e/admin", b"/admin/.", b"/x/..//admin", b"/admin?x", b"/%41/../admin/y"):
    refuse(31, f"forbidden {shown(path)}", b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n", {400, 403})
