"""What comes out of the tables of settings: the full form, the schema, the documents."""
import json
import os
import pathlib
import re
import subprocess

import jsonschema
import pytest
import yaml

import corpus

ROOT = corpus.HERE.parent.parent
WEIR = str(pathlib.Path(os.environ.get("WEIR", ROOT / "build" / "release" / "weir")).resolve())


def weir(*arguments, directory=corpus.HERE):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WEIR_TEST_")}
    environment.update(WEIR_TEST_HOST="10.0.0.1", WEIR_TEST_WEIGHT="3")
    return subprocess.run([WEIR, *arguments], cwd=directory, env=environment,
                          capture_output=True, timeout=20, text=True, encoding="utf-8")


class Loader(yaml.SafeLoader):
    """YAML as editors read it (1.2, core): no yes and no, no 010, no 12:30:45, no dates."""
    yaml_implicit_resolvers = {}


for tag, regex, first in (("bool", r"^(true|false)$", "tf"), ("int", r"^[-+]?[0-9]+$", None),
                          ("float", r"^[-+]?[0-9]+\.[0-9]+$", None), ("null", r"^(null|~|)$", "n~")):
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(regex),
                                 list(first or "-+0123456789") + ([""] if tag == "null" else []))


def keys_as_text(value):
    if isinstance(value, dict):
        return {str(key): keys_as_text(one) for key, one in value.items()}
    return [keys_as_text(one) for one in value] if isinstance(value, list) else value


def tree_of(path):
    return keys_as_text(yaml.load(path.read_bytes(), Loader))


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(weir("schema").stdout)
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


@pytest.mark.parametrize("case", corpus.good())
def test_schema_takes_what_is_right(case, validator):
    problems = [f"{list(e.absolute_path)}: {e.message}"
                for e in validator.iter_errors(tree_of(corpus.HERE / f"{case}.yaml"))]
    assert not problems


SHAPES = ("unknown-", "kind-", "duration-", "size-", "percent-", "rate-")
# A range of a value that has a unit is beyond a schema's pattern.
RANGES = ("duration-zero", "duration-overflow", "size-overflow", "percent-number")


@pytest.mark.parametrize("case", [case for case in corpus.cases()
                                  if case.startswith(SHAPES) and case not in RANGES])
def test_schema_refuses_what_is_wrong(case, validator):
    """Unknown settings, wrong kinds and wrong units: what a schema can know."""
    assert not validator.is_valid(tree_of(corpus.HERE / f"{case}.yaml"))


def without_comments(text):
    return [re.sub(r" +# [^#]*$", "", line) for line in text.splitlines()]


@pytest.mark.parametrize("case", corpus.good())
def test_expand(case, tmp_path, validator):
    """The full form is good, means the same as itself, and tells where each value is from."""
    once = weir("expand", "-c", f"{case}.yaml")
    assert once.returncode == 0, once.stderr
    full = tmp_path / "full.yaml"
    full.write_text(once.stdout, encoding="utf-8")
    (tmp_path / "inc").symlink_to(corpus.HERE / "inc")    # where own pages lie
    checked = weir("check", "--strict", "-c", str(full))
    assert checked.returncode == 0, checked.stdout
    again = weir("expand", "-c", str(full))
    assert without_comments(again.stdout) == without_comments(once.stdout)
    assert validator.is_valid(tree_of(full))


def test_expand_says_where_from(tmp_path):
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "img.yaml").write_text("pools:\n  img: {servers: [10.0.0.2:80]}\n")
    (tmp_path / "weir.yaml").write_text(
        "runtime: {include: [conf.d/*.yaml]}\n"
        "defaults: {timeouts: {connect: 7s}}\n"
        "listeners: {web: {address: '127.0.0.1:7080'}}\n"
        "routes:\n"
        "  - to: app\n"
        "    timeouts: {idle: 9s}\n"
        "  - {match: {host: a.example}, to: img}\n"
        "pools:\n"
        "  app:\n"
        "    servers: [10.0.0.1:80]\n")
    said = weir("expand", "-c", "weir.yaml", directory=tmp_path).stdout
    routes = said[said.index("routes:"):]
    assert re.search(r"connect: 7s +# defaults, weir.yaml:2\n", routes)
    assert re.search(r"idle: 9s +# weir.yaml:6\n", routes)
    assert re.search(r"response: 60s +# default\n", routes)
    assert re.search(r"address: 10.0.0.2:80 +# conf.d/img.yaml:2\n", said)


def test_expand_of_a_mistake():
    ran = weir("expand", "-c", "name-pool.yaml")
    assert ran.returncode == 1 and ran.stdout == "" and "error[C030]" in ran.stderr


def test_documents_are_what_the_program_says():
    ran = subprocess.run([ROOT / "tools" / "make-reference", "--check", WEIR],
                         capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + "run tools/make-reference"
