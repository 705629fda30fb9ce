"""User instructions of a proxy per keep-alive request, counted by valgrind's callgrind.

Requests come in lock-step, one outstanding at a time on one connection, and from the cost
of 2,000 is taken the cost of 1,000: start, end and all that happens once cancel. What goes
by the clock is left out, or a slow machine would count more of it: health checks are off,
and weir's first thread, the steward's, does not count. Metrics and access log are on, with
the thread that writes it.
"""
import re

from common import Failed
from contenders import Weir, weir_config

FEW, MANY = 1000, 2000


def asks_nothing_special(_port):
    return {}


def subject_class(kind, binary, size, asks=asks_nothing_special):
    """A contender under callgrind, of another binary with another weir_config, and asked
    in another way."""
    class Subject(kind):
        @staticmethod
        def asks(port):
            """What else the driver is to be told."""
            return asks(port)

        def command(self):
            words = super().command()
            if kind is Weir:
                words[0] = binary
            return ["valgrind", "--tool=callgrind", "--trace-children=yes", "--quiet",
                    "--separate-threads=yes",
                    f"--callgrind-out-file={self.dir}/out.%p", *words]

        if kind is Weir:
            def config(self):
                return weir_config({"http": self.ports["http"]}, self.dir,
                                   access=f"{{to: {self.dir}/access.log}}",
                                   **{"pool": "health: off", **size})
    return Subject


def count(shop, kind, slot, requests):
    """Instructions of one life with so many requests."""
    subject = kind(shop, slot)
    for old in subject.dir.glob("out.*"):
        old.unlink()
    subject.start()
    result = shop.drive(kind="http", port=subject.ports["http"], requests=requests,
                        **subject.asks(subject.ports["http"]))
    if result["lost"] or result["completed"] != requests:
        raise Failed(f"errors in the run: {result}")
    shop.stop(subject.process, patience=60)
    first = 2 if isinstance(subject, Weir) else 1
    totals = [re.search(r"^(?:totals|summary): (\d+)", path.read_text(), re.M)
              for path in subject.dir.glob("out.*-*") if int(path.suffix.split("-")[1]) >= first]
    if not totals or None in totals:
        raise Failed("callgrind wrote no count: did the proxy end by itself at SIGTERM?")
    return sum(int(found.group(1)) for found in totals)


def instructions(shop, kind, slot, repeats):
    """Per request, one number a repeat. The least of them is the one to look at, for what
    the clock brings in between (samples, log writing) only ever adds to it."""
    values = []
    for _ in range(repeats):
        few, many = (count(shop, kind, slot, requests) for requests in (FEW, MANY))
        values.append((many - few) / (MANY - FEW))
    return values
