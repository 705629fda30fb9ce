"""A DNS server on loopback, UDP and TCP on one port, whose answers a test can change.

It knows A and AAAA and nothing else; a name it was not told is NXDOMAIN. `mode` makes it
fail ('servfail'), keep silent ('silent') or truncate over UDP ('truncate'). A `twist`
makes the packets that are sent instead of the honest one: twist(honest, peer, how), where
peer is None over TCP; those of a list are sent one after the other.
"""

import socket
import struct
import threading

A, AAAA = 1, 28


class DnsServer:
    def __init__(self):
        self.answers = {}           # (name, type) -> (ttl, [addresses])
        self.mode = "answer"
        self.twist = None
        self.asked = []             # (name, type, 'udp' or 'tcp')
        for _ in range(20):
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.bind(("127.0.0.1", 0))
            self.port = self.udp.getsockname()[1]
            try:
                self.tcp = socket.create_server(("127.0.0.1", self.port))
                break
            except OSError:
                self.udp.close()
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self.serve_udp, daemon=True).start()
        threading.Thread(target=self.serve_tcp, daemon=True).start()

    def tell(self, name, a=(), aaaa=(), ttl=1):
        self.answers[name, A] = (ttl, list(a))
        self.answers[name, AAAA] = (ttl, list(aaaa))

    def serve_udp(self):
        while True:
            try:
                data, peer = self.udp.recvfrom(4096)
                for packet in self.packets(data, peer, "udp"):
                    self.udp.sendto(packet, peer)
            except OSError:
                return              # stopped

    def serve_tcp(self):
        while True:
            try:
                sock, _ = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self.one_tcp, args=(sock,), daemon=True).start()

    def one_tcp(self, sock):
        with sock:
            sock.settimeout(10)
            try:
                size = struct.unpack("!H", sock.recv(2, socket.MSG_WAITALL))[0]
                for packet in self.packets(sock.recv(size, socket.MSG_WAITALL), None, "tcp"):
                    sock.sendall(struct.pack("!H", len(packet)) + packet)
            except (OSError, struct.error):
                pass

    def packets(self, query, peer, how):
        honest = self.reply(query, how)
        if not honest:
            return []
        return self.twist(honest, peer, how) if self.twist else [honest]

    def reply(self, query, how):
        ident, flags, questions = struct.unpack("!HHH", query[:6])
        if questions != 1:
            return None
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        kind = struct.unpack("!H", query[at + 1:at + 3])[0]
        question = query[12:at + 5]
        name = ".".join(labels)
        self.asked.append((name, kind, how))
        if self.mode == "silent":
            return None

        def head(code, count, more=0):
            return struct.pack("!HHHHHH", ident, 0x8580 | (flags & 0x0100) | more | code,
                               1, count, 0, 0) + question

        if self.mode == "servfail":
            return head(2, 0)
        if self.mode == "truncate" and how == "udp":
            return head(0, 0, 0x0200)
        if (name, A) not in self.answers:
            return head(3, 0)
        ttl, addresses = self.answers.get((name, kind), (0, []))
        family = {A: socket.AF_INET, AAAA: socket.AF_INET6}.get(kind)
        records = b""
        for address in addresses:
            data = socket.inet_pton(family, address)
            records += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data
        return head(0, len(addresses)) + records

    def stop(self):
        self.udp.close()
        try:
            self.tcp.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.tcp.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
