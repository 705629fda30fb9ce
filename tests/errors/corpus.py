"""Reads the corpus: cases, their expectations, and the form they are written in.

An expectation file has one line a diagnostic, in the order in which they are told:

    # why this case exists
    exit 1
    error C030 5 9 2 "there is no pool named 'ap'" "did you mean 'app'?" choices "pools: app, cart"

that is: severity, code, line, column, length, what the sentence must contain, what the help must
contain. A `*` in place of a number leaves it open. Where a text holds ` … `, each part must occur.
Behind them may follow pairs of a word and a text: `file` (another file than the case itself),
`note` (in one of the notes), `nohelp` (must not be in the help), `choices` (label and values).
"""
import pathlib
import shlex

SEVERITIES = ("error", "warning", "hint")
HERE = pathlib.Path(__file__).resolve().parent


class Diagnostic:
    """One expected diagnostic."""

    def __init__(self, words, case):
        self.severity, self.code = words[0], words[1]
        self.line, self.column, self.length = (
            None if w == "*" else int(w) for w in words[2:5])
        self.sentence, self.help = words[5], words[6]
        more = dict(zip(words[7::2], words[8::2]))
        assert len(words) % 2 == 1, f"{case}: a word without its text: {words}"
        self.file = more.pop("file", f"{case}.yaml")
        self.note = more.pop("note", "")
        self.nohelp = more.pop("nohelp", None)
        choices = more.pop("choices", None)
        self.choices = None
        if choices is not None:
            label, values = choices.split(": ")
            self.choices = {"label": label, "values": values.split(", ")}
        assert not more, f"{case}: unknown words {more}"


class Expectation:
    """What one case must lead to."""

    def __init__(self, case):
        self.exit = None
        self.diagnostics = []
        path = HERE / f"{case}.expect"
        for text in path.read_text(encoding="utf-8").splitlines():
            if not text or text.startswith("#"):
                continue
            words = shlex.split(text)
            if words[0] == "exit":
                self.exit = int(words[1])
            else:
                self.diagnostics.append(Diagnostic(words, case))
        assert self.exit is not None, f"{case}: no exit status"

    def counts(self):
        """How many diagnostics there are of each severity."""
        return [sum(d.severity == severity for d in self.diagnostics) for severity in SEVERITIES]


def cases():
    """The names of all cases that have an expectation."""
    return sorted(p.stem for p in HERE.glob("*.expect"))


def good():
    """The names of all configurations that must pass without a word."""
    return sorted(p.stem for p in HERE.glob("ok-*.yaml"))


def missing_parts(wanted, text):
    """The parts of an expected text that a given one lacks."""
    return [part for part in wanted.split(" … ") if part not in text]


def source_lines(path):
    """The lines of a file as an editor shows them: no byte order mark, no line ends."""
    text = path.read_bytes().decode("utf-8", errors="replace")
    if text.startswith("\ufeff"):
        text = text[1:]
    return [line.removesuffix("\r") for line in text.split("\n")]
