"""`weir check` against the corpus: every mistake is told, at its place, and nothing else.

The program is the one named by WEIR (default: build/release/weir of this tree).
"""
import json
import os
import pathlib
import re
import resource
import socket
import subprocess

import pytest

import corpus
from corpus import SEVERITIES

ROOT = corpus.HERE.parent.parent
WEIR = os.environ.get("WEIR", str(ROOT / "build" / "release" / "weir"))
# Codes that no file can show, because they need something outside of it; tested below.
OUTSIDE = {"C033"}


def weir(*arguments, directory=corpus.HERE, stdin=b""):
    """Run the program in a directory, with an environment that the corpus knows."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WEIR_TEST_")}
    environment.update(WEIR_TEST_HOST="10.0.0.1", WEIR_TEST_WEIGHT="3")
    return subprocess.run([str(pathlib.Path(WEIR).resolve()), *arguments], cwd=directory,
                          env=environment, input=stdin, capture_output=True, timeout=20)


def check(*arguments, **more):
    """Run `weir check --format json` and give back its exit status and what it said."""
    ran = weir("check", "--format", "json", *arguments, **more)
    assert ran.returncode in (0, 1), ran
    return ran.returncode, json.loads(ran.stdout.decode("utf-8"))


def brief(diagnostics):
    """A list of diagnostics in short, for a readable failure."""
    return [f"{d['severity']} {d['code']} {d['file']}:{d['line']}:{d['column']}+{d['length']} "
            f"{d['message']!r} help {d['help']} notes {d['notes']}" for d in diagnostics]


def differences(want, got):
    """What is not as expected in one diagnostic."""
    wrong = []
    for name, wanted in (("severity", want.severity), ("code", want.code), ("file", want.file),
                         ("line", want.line), ("column", want.column), ("length", want.length)):
        if wanted is not None and got[name] != wanted:
            wrong.append(f"{name} is {got[name]!r}, wanted {wanted!r}")
    helps, notes = "\n".join(got["help"]), "\n".join(got["notes"])
    for name, wanted, text in (("sentence", want.sentence, got["message"]),
                               ("help", want.help, helps), ("notes", want.note, notes)):
        for part in corpus.missing_parts(wanted, text):
            wrong.append(f"{name} {text!r} lacks {part!r}")
    if want.nohelp is not None and want.nohelp in helps:
        wrong.append(f"help {helps!r} holds {want.nohelp!r}")
    if want.choices is not None and got.get("choices") != want.choices:
        wrong.append(f"choices are {got.get('choices')!r}, wanted {want.choices!r}")
    return wrong


@pytest.mark.parametrize("case", corpus.cases())
def test_diagnostics(case):
    """All diagnostics of a case and only those, in their order."""
    want = corpus.Expectation(case)
    status, said = check("-c", f"{case}.yaml")
    told = brief(said["diagnostics"])
    codes = [(d["code"], d["line"]) for d in said["diagnostics"]]
    wanted = [(d.code, d.line if d.line is not None else line)
              for d, (_, line) in zip(want.diagnostics, codes)]
    wanted += [(d.code, d.line) for d in want.diagnostics[len(codes):]]
    assert codes == wanted, "\n".join(told)
    for number, (one, got) in enumerate(zip(want.diagnostics, said["diagnostics"])):
        assert not differences(one, got), told[number]
    assert status == want.exit
    assert said["ok"] == (want.exit == 0)
    assert [said[severity + "s"] for severity in SEVERITIES] == want.counts()


@pytest.mark.parametrize("case", corpus.cases())
def test_text(case):
    """The text tells the same: heads and places in the same order, the right last line."""
    want = corpus.Expectation(case)
    ran = weir("check", "-c", f"{case}.yaml")
    assert ran.returncode == want.exit
    text = ran.stdout.decode("utf-8")
    heads = re.findall(r"^(error|warning|hint)\[([CWH]\d+)\]: ", text, re.MULTILINE)
    assert heads == [(d.severity, d.code) for d in want.diagnostics], text
    places = re.findall(r"^  --> (.*):(\d+):(\d+)$", text, re.MULTILINE)
    assert len(places) == len(heads), text
    for one, (name, line, column) in zip(want.diagnostics, places):
        assert name == one.file
        assert one.line in (None, int(line)) and one.column in (None, int(column)), text
    last = text.splitlines()[-1]
    counts = want.counts()
    parts = ", ".join(f"{n} {word}{'s' if n > 1 else ''}"
                      for n, word in zip(counts, SEVERITIES) if n)
    if counts[0]:
        assert last == f"{case}.yaml: {parts}"
    else:
        assert last == f"{parts}; see above."


@pytest.mark.parametrize("case", sorted(p.stem for p in corpus.HERE.glob("*.out")))
def test_whole_output(case):
    """The whole text, where it was written down; `…` stands for anything on its line."""
    want = (corpus.HERE / f"{case}.out").read_text(encoding="utf-8")
    got = weir("check", "--format", "text", "-c", f"{case}.yaml").stdout.decode("utf-8")
    pattern = re.escape(want).replace("…", "[^\n]*")
    assert re.fullmatch(pattern, got), f"wanted:\n{want}\ngot:\n{got}"


@pytest.mark.parametrize("case", corpus.good())
def test_good(case):
    """A right configuration passes without a word, under --strict too."""
    for more in ([], ["--strict"]):
        status, said = check("-c", f"{case}.yaml", *more)
        assert said["diagnostics"] == [], brief(said["diagnostics"])
        assert status == 0 and said["ok"] and said["errors"] == said["warnings"] == 0
    text = weir("check", "-c", f"{case}.yaml").stdout.decode("utf-8")
    assert re.fullmatch(rf"{case}\.yaml: ok — \d+ listeners?, \d+ routes?, \d+ pools?, "
                        r"\d+ servers? \(checked in [\d.]+ ms\)\n", text), text


@pytest.mark.parametrize("case", [c for c in corpus.cases() if c.startswith("warn-")])
def test_strict(case):
    """Warnings become errors under --strict."""
    want = corpus.Expectation(case)
    assert want.exit == 0
    status, said = check("--strict", "-c", f"{case}.yaml")
    assert status == 1 and not said["ok"]
    assert [(d["severity"], d["code"]) for d in said["diagnostics"]] == [
        ("error", d.code) for d in want.diagnostics]
    assert (said["errors"], said["warnings"]) == (len(want.diagnostics), 0)
    text = weir("check", "--strict", "-c", f"{case}.yaml").stdout.decode("utf-8")
    assert "warning[" not in text and f"error[{want.diagnostics[0].code}]" in text


@pytest.mark.parametrize("case", [c for c in corpus.cases() if c.startswith("hint-")])
def test_hints_stay_hints(case):
    """Advice is no mistake, under --strict either, and nothing but `weir check` gives it."""
    status, said = check("--strict", "-c", f"{case}.yaml")
    assert (status, said["errors"], said["hints"]) == (0, 0, len(said["diagnostics"]))
    assert b"hint[" not in weir("expand", "-c", f"{case}.yaml").stderr


@pytest.mark.parametrize("case", ["look", "colon-space", "twice-top", "empty", "warn-unused",
                                  "ok-short", "ok-crlf"])
def test_stdin(case):
    """`-c -` reads standard input and says the same."""
    text = (corpus.HERE / f"{case}.yaml").read_bytes()
    status, said = check("-c", "-", stdin=text)
    file_status, file_said = check("-c", f"{case}.yaml")
    assert status == file_status
    for one in file_said["diagnostics"]:
        assert one["file"] == f"{case}.yaml"
        one["file"] = "<stdin>"
        one["notes"] = [n.replace(f"{case}.yaml", "<stdin>") for n in one["notes"]]
    assert said == file_said


def test_no_file(tmp_path):
    """A configuration that is not there or can not be read is C032, not a crash."""
    for name in ("nofile.yaml", str(tmp_path)):
        status, said = check("-c", name)
        assert status == 1
        assert [d["code"] for d in said["diagnostics"]] == ["C032"]
        assert name in said["diagnostics"][0]["message"]


def test_usage():
    """A mistake in the command line is neither good nor bad configuration: exit 2."""
    for arguments in (["--format", "xml"], ["--strictest"], ["-c"], ["one.yaml", "two.yaml"]):
        ran = weir("check", *arguments)
        assert ran.returncode == 2, (arguments, ran)
        assert ran.stderr


def test_address_in_use(tmp_path):
    """An address that another program holds is told at its place."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        address = f"127.0.0.1:{held.getsockname()[1]}"
        (tmp_path / "weir.yaml").write_text(
            f'listeners:\n  web:\n    address: "{address}"\n'
            "routes:\n  - to: app\npools:\n  app: {servers: [10.0.0.1:80]}\n")
        status, said = check("-c", "weir.yaml", directory=tmp_path)
    assert status == 1
    assert [(d["code"], d["line"], d["column"]) for d in said["diagnostics"]] == [("C033", 3, 14)]
    assert f"{address} is already in use" in said["diagnostics"][0]["message"]


def test_address_in_use_on_a_busy_machine(tmp_path):
    """Thousands of connections beside do not hide who listens."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as busy:
        for _ in range(9000):
            with socket.create_connection(busy.getsockname()):
                busy.accept()[0].close()
        test_address_in_use(tmp_path)


def test_default_file(tmp_path):
    """A file in another directory is named as it was given; its includes are found beside it."""
    (tmp_path / "etc" / "conf.d").mkdir(parents=True)
    (tmp_path / "etc" / "weir.yaml").write_text(
        'runtime: {include: ["conf.d/*.yaml"]}\nlisteners: {web: {address: "127.0.0.1:7080"}}\n')
    (tmp_path / "etc" / "conf.d" / "a.yaml").write_text("routes:\n  - to: app\n")
    _, said = check("-c", "etc/weir.yaml", directory=tmp_path)
    assert [(d["code"], d["file"], d["line"], d["column"]) for d in said["diagnostics"]] == [
        ("C030", "etc/conf.d/a.yaml", 2, 9)]


HUGE = {
    "name": ("routes:\n  - name: " + "a" * (1 << 20) + "\n    respond: {status: 200}\n", "C039"),
    "key": ("x" * (1 << 20) + ": 1\n", "C011"),
    "brackets": ("pools: " + "[" * 100_000 + "\n", None),
    "braces": ("pools: " + "{a: " * 100_000 + "\n", None),
    "balanced": ("pools: " + "[" * 100_000 + "]" * 100_000 + "\n", "C003"),
    "quotes": ('pools: "' + "a" * (1 << 20) + "\n", "C003"),
    "spaces": ("pools:" + " " * (1 << 20) + "x\n", None),
    "dashes": ("- " * 100_000 + "\n", None),
    "one value": ("pools: {app: {balance: " + "r" * (1 << 20) + "}}\n", None),
    "one line": ("listen: \":7080\"\nto: [" + ", ".join(["10.0.0.1:80"] * 20_000) + "]\n", "C035"),
    "unknown": ("".join(f"k{i}: 1\n" for i in range(20_000)), "C011"),
}


@pytest.mark.parametrize("kind", HUGE)
def test_huge(kind, tmp_path):
    """What is huge is refused soon, in few words, and without much memory."""
    text, code = HUGE[kind]
    (tmp_path / "weir.yaml").write_text(text)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = weir("check", "-c", "weir.yaml", directory=tmp_path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ran.returncode == 1, ran.stdout[-1000:]
    assert after.ru_utime - before.ru_utime < 5
    said = ran.stdout.decode("utf-8")
    if code:
        assert f"error[{code}]" in said, said[:1000]
    heads = max(1, said.count("\nerror[") + said.count("\nwarning["))
    assert len(said) / heads < 3000, len(said)


def test_codes():
    """The table of codes, the program and the cases name the same codes."""
    table = set(re.findall(r"^\| ([CWH]\d{3}) \|",
                           (ROOT / "docs/reference/errors.md").read_text(encoding="utf-8"), re.MULTILINE))
    told = {code for path in (ROOT / "src").rglob("*.c") if not path.stem.endswith("_test")
            for code in re.findall(r'"([CWH]\d{3})"', path.read_text(encoding="utf-8"))}
    assert told == table
    shown = {d.code for case in corpus.cases() for d in corpus.Expectation(case).diagnostics}
    assert not shown & OUTSIDE
    assert shown | OUTSIDE == table


def test_every_file_is_judged():
    """No configuration lies here without an expectation, and no expectation without one."""
    files = {p.stem for p in corpus.HERE.glob("*.yaml")}
    assert files == set(corpus.cases()) | set(corpus.good())
    assert {p.stem for p in corpus.HERE.glob("*.out")} <= set(corpus.cases())
    for case in corpus.cases():
        worst = next(w for w, n in zip(SEVERITIES, corpus.Expectation(case).counts()) if n)
        assert case.startswith("warn-") == (worst == "warning")
        assert case.startswith("hint-") == (worst == "hint")
