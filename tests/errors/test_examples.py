"""Every example of a configuration in the documents is one: it is taken without a warning.

Most are a part of a configuration, so what they leave out is put beside them: a listener
for each pool, or pools for what they name."""
import os
import re
import subprocess

import pytest

from test_reference import ROOT, WEIR

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^( *)```yaml\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
POOL = "pools:\n  app: {servers: [10.0.0.1:80], health: /}\n"


def examples():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in BLOCK.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            yield pytest.param(found[2], id=f"{page.name}:{line}")


def has(text, key):
    return re.search(rf"^{key}:", text, re.MULTILINE)


def whole(text):
    """The example, with what it leaves out."""
    lines = [line for line in text.splitlines() if line.strip()]
    indent = len(lines[0]) - len(lines[0].lstrip())
    text = "".join(line[indent:] + "\n" for line in lines)
    if text.startswith("sticky:"):    # of a pool
        text = "pools:\n  app:\n    servers: [10.0.0.1:80]\n    health: /\n    " + text
    if has(text, "listen"):
        return text
    if text.startswith("health:"):
        return 'listen: "127.0.0.1:7080"\nto: [10.0.0.1:80]\n' + text
    if not has(text, "pools"):
        text += POOL
    if "shop-down" in text and not has(text, "pages"):
        text += "pages: {shop-down: {status: 503}}\n"
    pools = re.findall(r"^  (\w+):", text[has(text, "pools").end():], re.MULTILINE)
    known = re.findall(r"\bto: (\w+)", text) if has(text, "routes") else []
    return text + "listeners:\n" + "".join(
        f'  l{i}: {{address: "127.0.0.1:{7080 + i}", to: {pool}}}\n'
        for i, pool in enumerate(dict.fromkeys([*known, *pools]))
        if re.search(rf"^  {pool}:", text, re.MULTILINE))


@pytest.mark.parametrize("text", examples())
def test_example(text, tmp_path):
    (tmp_path / "pages").mkdir()
    for name in re.findall(r"pages/\w+\.html", text):
        (tmp_path / name).write_text("<p>sorry</p>\n")
    for name in re.findall(r"\$\{file:/run/secrets/([\w-]+)\}", text):
        (tmp_path / name).write_text("s" * 40)
    text = text.replace("/run/secrets/", f"{tmp_path}/")
    (tmp_path / "weir.yaml").write_text(whole(text), encoding="utf-8")
    ran = subprocess.run([WEIR, "check", "--strict", "weir.yaml"], cwd=tmp_path, timeout=20,
                         capture_output=True, text=True, encoding="utf-8",
                         env={**os.environ, "HEALTH_TOKEN": "x"})
    assert ran.returncode == 0, f"{ran.stdout}\n{whole(text)}"
