"""The checkers are checked: each breach they exist for is planted in a small tree of its own,
and a clean tree must pass. (A checker that never fails is worse than none.)"""
import importlib.machinery
import importlib.util
import os
import pathlib
import subprocess
import textwrap

import pytest

TOOLS = pathlib.Path(__file__).resolve().parent


def load(name):
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(TOOLS / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


size = load("check-size")
floors = load("check-floors")
runner = load("run-tests")


@pytest.fixture
def tree(tmp_path):
    """Writes files given by path and text; returns what a tool says of them."""
    class Tree:
        root = tmp_path

        def write(self, path, text):
            target = tmp_path / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(textwrap.dedent(text))
            return target

        def run(self, tool, *args):
            done = subprocess.run([str(TOOLS / tool), "--root", str(tmp_path), *args],
                                  capture_output=True, text=True)
            assert done.stderr == ""
            return done.returncode, done.stdout
    return Tree()


# ---- check-floors

@pytest.mark.parametrize("room, header, is_allowed", [
    ("proto", "base/str.h", True),
    ("base", "proto/head.h", False),
    ("lb", "io/loop.h", False),
    ("guard", "lb/live.h", True),
    ("io", "lb/live.h", False),
    ("net", "io/loop.h", True),
    ("proxy", "control/conf.h", False),
    ("cli", "control/conf.h", False),
    ("main", "control/conf.h", True),
])
def test_floors_includes(tree, room, header, is_allowed):
    tree.write("src/" + header, "int x;\n")
    tree.write(f"src/{room}/unit.c", f'\n#include "{header}"\n')
    code, said = tree.run("check-floors")
    assert code == (0 if is_allowed else 1)
    assert (f"src/{room}/unit.c:2:" in said) == (not is_allowed)


def test_floors_sees_a_way_round_by_dots(tree):
    tree.write("src/io/loop.h", "int x;\n")
    tree.write("src/lb/pick.c", '#include "../io/loop.h"\n')
    assert tree.run("check-floors")[0] == 1


def test_floors_sees_folders_inside_a_room(tree):
    tree.write("src/control/conf/read.h", "int x;\n")
    tree.write("src/control/conf/read.c", '#include "read.h"\n')
    tree.write("src/proxy/step.c", '#include "control/conf/read.h"\n')
    code, said = tree.run("check-floors")
    assert code == 1 and said.count("may not include") == 1


def test_floors_refuses_an_unknown_room(tree):
    tree.write("src/attic/old.c", "int x;\n")
    assert "room 'attic'" in tree.run("check-floors")[1]


def test_floors_thread_local_only_behind_the_door(tree):
    tree.write("src/io/sys_real.c", "static _Thread_local int x;\n")
    tree.write("src/base/log.c", "/* no _Thread_local here */\n")
    assert tree.run("check-floors")[0] == 0
    tree.write("src/base/log.c", "static __thread int x;\n")
    assert tree.run("check-floors")[0] == 1


def archive(tree, room, code):
    source = tree.write(f"{room}.c", code)
    plain, build = source.with_suffix(".o"), tree.root / "build"
    build.mkdir(exist_ok=True)
    subprocess.run(["gcc", "-O2", "-D_GNU_SOURCE", "-D_FORTIFY_SOURCE=2", "-c", str(source),
                    "-o", str(plain)], check=True)
    subprocess.run(["ar", "rcs", str(build / f"lib{room}.a"), str(plain)], check=True)
    return str(build)


@pytest.mark.parametrize("code", [
    "#include <time.h>\nlong f(void) { return time(0); }",
    "#include <time.h>\nint f(struct timespec *t) { return clock_gettime(0, t); }",
    "#include <unistd.h>\nchar b[8]; long f(int n) { return read(0, b, n); }",
    "#include <fcntl.h>\nint f(const char *p) { return open(p, 0); }",
    "#include <sys/epoll.h>\nint f(void) { return epoll_create1(0); }",
    "#include <pthread.h>\nint f(pthread_mutex_t *m) { return pthread_mutex_lock(m); }",
    "#include <sys/eventfd.h>\nint f(void) { return eventfd(0, 0); }",
    "#include <unistd.h>\nint f(char **a) { return execv(a[0], a); }",
    "#include <stdlib.h>\nint f(void) { return rand(); }",
])
def test_floors_imports(tree, code):
    tree.write("src/base/x.h", "")
    build = archive(tree, "proxy", code)
    code, said = tree.run("check-floors", build)
    assert code == 1 and "only src/io/sys may" in said


def test_floors_leaves_the_door_and_the_harmless_alone(tree):
    tree.write("src/base/x.h", "")
    archive(tree, "sys", "#include <unistd.h>\nint f(void) { return fork(); }")
    build = archive(tree, "base", """
        #include <string.h>
        #include <stdlib.h>
        void timer_add(void *p);
        void read_head(void *p);
        void *f(const char *s) { timer_add(0); read_head(0); return strdup(s); }
    """)
    assert tree.run("check-floors", build) == (0, "check-floors: 0 breaches\n")


def test_floors_wants_a_built_tree(tree):
    tree.write("src/base/x.h", "")
    (tree.root / "build").mkdir()
    assert "is it built?" in tree.run("check-floors", str(tree.root / "build"))[1]


# ---- check-size

def measured(tree, measure):
    return [(value, place.split()[-1], excused)
            for value, place, excused in size.measure_tree(tree.root)[measure]]


def test_size_reads_functions(tree):
    tree.write("src/base/a.c", """\
        /* What it is. */
        #define LOOP(x) \\
            if (x) { while (1) {
        struct point {
            int x, y;
        };
        static const struct point table[] = {{1, 2}, {3, 4}};
        enum kind { ONE, TWO };

        MUST_CHECK static int point_sum(const struct point *p, int (*f)(int, int), char *s)
        {
            const char *brace = "} /* no comment";   // { neither this }
            char quote = '"', other = '{';
            return p->x ? f(1, 2) : 0;
        }

        void nothing(void)
        {
        }
    """)
    assert measured(tree, "lines in a function") == [(6, "point_sum", False), (3, "nothing", False)]
    assert measured(tree, "parameters") == [(3, "point_sum", False), (0, "nothing", False)]
    assert measured(tree, "fields in a struct") == [(2, "point", False)]


@pytest.mark.parametrize("body, depth", [
    ("return;", 0),
    ("{ { f(); } }", 0),
    ("if (a) f();", 1),
    ("if (a) f(); else if (b) f(); else if (c) f(); else f();", 1),
    ("if (a) f(); else { if (b) f(); }", 2),
    ("for (;;) while (a) if (b) f();", 3),
    ("do { if (a) f(); } while (b); g();", 2),
    ("switch (a) { case 1: if (b) f(); break; case X ? 1 : 2: default: g(); }", 2),
    ("list_each(x, y) { if (a) f(); }", 2),
    ("int a[] = {1, 2}; struct p q = (struct p){.x = 1}; f((int[]){1});", 0),
    ("x = a ? b : c; fail: f(); if (a) goto fail;", 1),
    ("if (a) { if (b) { if (c) { if (d) { if (e) { f(); } } } } }", 5),
])
def test_size_nesting(tree, body, depth):
    tree.write("src/base/a.c", f"void f(void)\n{{\n{body}\n}}\n")
    assert measured(tree, "nesting") == [(depth, "f", False)]


def test_size_reads_structs(tree):
    tree.write("src/base/a.h", """\
        #pragma once
        struct thing {
            bool is_idle, is_new;
            bool (*is_ready)(int, int);
            unsigned flag : 1;
            unsigned kind : 3;
            struct list *next;              /* a comment; with a semicolon */
            union {
                int a;
                struct {
                    bool b;
                    char c[1 + 2];
                };
            };
            struct inner {
                int x;
            } inner;
        };
        struct thing *thing_get(struct thing *from);
    """)
    fields = dict((name, value) for value, name, _ in measured(tree, "fields in a struct"))
    flags = dict((name, value) for value, name, _ in measured(tree, "flags in a struct"))
    assert fields["inner"] == 1 and flags["thing"] == 4
    assert fields["thing"] == 10


def long_function(lines, comment=""):
    return f"/* A unit. */\n\n{comment}void f(void)\n{{\n" + "    g();\n" * (lines - 3) + "}\n"


def test_size_stops_a_long_function(tree):
    tree.write("src/base/a.c", long_function(100))
    assert tree.run("check-size")[0] == 0
    tree.write("src/base/a.c", long_function(101))
    code, said = tree.run("check-size")
    assert code == 1 and "src/base/a.c:3 f: 101 lines in a function, the stop is 100" in said


def test_size_rule_zero_excuses_what_it_stands_at(tree):
    tree.write("src/base/a.c", long_function(101, "/* Rule zero: one table, read as one. */\n"))
    assert tree.run("check-size")[0] == 0
    tree.write("src/base/b.c", long_function(101, "/* Rule zero of something else. */\n"))
    assert tree.run("check-size")[0] == 1


def test_size_stops_the_rest(tree):
    tree.write("src/base/long.c", "/* A unit. */\n" + "int x;\n" * 701)
    tree.write("src/base/wide.h", "struct wide {\n" + "    int x;\n" * 31 + "};\n")
    tree.write("src/base/flags.h", "struct flags {\n" + "    bool x;\n" * 9 + "};\n")
    tree.write("src/base/many.h", "int f(int a, int b, int c, int d, int e, int g, int h, int i);\n"
               "static inline int k(int a, int b, int c, int d, int e, int g, int h, int i)\n{\n}\n")
    for i in range(31):
        tree.write(f"src/lb/u{i}.c", "/* A unit. */\n")
    code, said = tree.run("check-size")
    assert code == 1
    for line in ("702 lines in a .c file", "31 fields in a struct", "9 flags in a struct",
                 "8 parameters", "31 units in a folder", "check-size: 5 stops"):
        assert line in said, line


def test_size_leaves_generated_and_test_files_alone(tree):
    tree.write("src/base/names.c", "/* generated by names.py */\n" + "int x;\n" * 800)
    tree.write("src/base/a_test.c", "int x;\n" * 800 + long_function(200))
    assert tree.run("check-size")[0] == 0


# ---- check-words

@pytest.mark.parametrize("text, is_clean", [
    ("struct request_context *p;\n", False),
    ("int ctx;\n", False),
    ("/* the context of a call */\n", False),
    ("pcre2_match_context *m = pcre2_match_context_create(NULL);\n", True),
    ("#if X\n#endif\n", False),
    ("#ifdef X\n#endif\n", False),
    ("#ifndef A_H\n#define A_H\n#endif\n", True),
    ("#pragma once\n", True),
    ("/* see /home/me/notes */\n", False),
    ("/* see https://example.com/home/page */\n", True),
    ("char *p = \"/var/home/x\";\n", True),
])
def test_words(tree, text, is_clean):
    tree.write("src/base/a.h", text)
    assert (tree.run("check-words")[0] == 0) == is_clean


def test_words_lets_the_compiler_header_choose(tree):
    tree.write("src/base/compiler.h", "#ifdef __clang__\n#endif\n")
    assert tree.run("check-words")[0] == 0


def test_words_leaves_alone_what_pytest_left(tree):
    tree.write(".pytest_cache/v/nodeids", '"test_x[/home/me/notes]"')
    assert tree.run("check-words")[0] == 0


# ---- run-tests: what counts as what

@pytest.mark.parametrize("text, counts", [
    ("....\n4 passed in 0.10s\n", (4, 0)),
    ("==== 1 failed, 3 passed, 2 skipped, 1 error in 61.20s (0:01:01) ====\n", (3, 2)),
    ("no tests ran in 0.01s\n", (0, 0)),
    ("Killed\n", (0, 0)),
])
def test_counting_pytest(text, counts):
    assert runner.count_pytest(0, text) == counts


def test_counting_plain_lines():
    assert runner.count_plain(0, "1 passed, 0 failed\nseed 3\n7 passed, 2 failed\n") == (7, 2)
    assert runner.count_plain(0, "said: 7 passed, 2 failed of all\n") == (0, 0)


def test_counting_meson(tmp_path):
    (tmp_path / "meson-logs").mkdir()
    (tmp_path / "meson-logs" / "testlog.json").write_text(
        '{"name": "a", "result": "OK", "stdout": "[  PASSED  ] 5 test(s).\\n"}\n'
        '{"name": "b", "result": "FAIL", "stdout": "[  PASSED  ] 2 test(s).\\n", '
        '"stderr": "[  FAILED  ] 1 test(s), listed below:\\n"}\n'
        '{"name": "crashed", "result": "FAIL"}\n')
    assert runner.count_meson(tmp_path)(1, "") == (7, 2)


@pytest.mark.parametrize("script, passed, failed", [
    ("echo '3 passed, 0 failed'", 3, 0),
    ("echo '3 passed, 0 failed'; exit 1", 3, 1),
    ("true", 0, 1),
    ("sleep 30", 0, 1),
])
def test_a_part_that_dies_hangs_or_is_silent_fails(tmp_path, monkeypatch, script, passed, failed):
    monkeypatch.setattr(runner, "BUILD", tmp_path)
    part = runner.Part("part", ["sh", "-c", script], runner.count_plain, 0.02)
    part.run()
    assert (part.passed, part.failed) == (passed, failed)


# ---- setup

def setup_with(tmp_path, installed, extra=None):
    """Runs tools/setup in a world of fake commands; returns (code, said, commands run)."""
    done = tmp_path / "done"
    done.write_text("")
    have = " ".join(installed)
    fakes = {
        "dpkg-query": f'for p in {have} $(cat {tmp_path}/new 2>/dev/null); do '
                      'echo "installed:$p"; done',
        "apt-get": f'echo "apt-get $*" >>{done}; echo "$RUNLEVEL$SYSTEMD_OFFLINE" >>{done}\n'
                   f'[ "$1" = install ] && echo "$*" | tr " " "\\n" >{tmp_path}/new; exit 0',
        "apt-cache": 'echo "  Candidate: 1.0"',
        "update-rc.d": f'echo "update-rc.d $*" >>{done}',
        "id": "echo 0",
        **(extra or {}),
    }
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in fakes.items():
        if text is not None:
            (folder / name).write_text("#!/bin/sh\n" + text + "\n")
            (folder / name).chmod(0o755)
    for name in ("sh", "bash", "env", "sed", "tr", "sort", "grep", "cat"):
        for place in ("/bin", "/usr/bin"):
            if os.path.exists(f"{place}/{name}") and not (folder / name).exists():
                (folder / name).symlink_to(f"{place}/{name}")
    run = subprocess.run(["/bin/bash", str(TOOLS / "setup"), "test", "bench"],
                         env={"PATH": str(folder)}, capture_output=True, text=True)
    return run.returncode, run.stdout + run.stderr, done.read_text()


def packages(*sets):
    run = subprocess.run([str(TOOLS / "setup"), "--list", *sets], capture_output=True, text=True)
    return run.stdout.split()


def test_setup_does_nothing_when_all_is_there(tmp_path):
    assert setup_with(tmp_path, packages("test", "bench")) == (0, "", "")


def test_setup_installs_only_what_misses_and_starts_nothing(tmp_path):
    have = [name for name in packages("test", "bench") if name not in ("curl", "haproxy")]
    code, said, done = setup_with(tmp_path, have)
    assert code == 0 and "will install from Debian: curl haproxy" in said
    assert "apt-get install" in done and done.splitlines()[0].endswith(" curl haproxy")
    assert done.splitlines()[1] == "11"             # the environment that starts no service
    assert "update-rc.d haproxy disable" in done and "nginx" not in done


def test_setup_updates_the_lists_only_when_they_lack_a_package(tmp_path):
    have = [name for name in packages("test", "bench") if name != "curl"]
    code, _, done = setup_with(tmp_path, have, {"apt-cache": "true"})
    assert code == 0 and done.splitlines()[0].startswith("apt-get update")


def test_setup_without_root_and_sudo_says_what_to_do(tmp_path):
    code, said, done = setup_with(tmp_path, [], {"id": "echo 1000"})
    assert code == 1 and "no sudo" in said and "apt-get install" in said and done == ""


def test_setup_tells_when_the_installation_left_something_out(tmp_path):
    code, said, _ = setup_with(tmp_path, [], {"apt-get": "exit 0"})
    assert code == 1 and "still missing" in said


def test_setup_knows_its_sets():
    run = subprocess.run([str(TOOLS / "setup"), "nonsense"], capture_output=True, text=True)
    assert run.returncode == 1 and "no set 'nonsense'" in run.stderr


# ---- run-tests: second looks

def played(tmp_path, monkeypatch, body):
    """A part of one file of plays, run as run-tests runs it, then looked at again."""
    monkeypatch.setattr(runner, "BUILD", tmp_path)
    play = tmp_path / "test_play.py"
    play.write_text(body)
    part = runner.Part("plays", [*runner.PYTEST, str(play)], runner.count_pytest, 1)
    part.run()
    before = (part.passed, part.failed)
    part.look_again()
    return before, part


def test_a_play_that_passes_alone_is_unsteady(tmp_path, monkeypatch):
    before, part = played(tmp_path, monkeypatch, f"""
import pathlib
seen = pathlib.Path({str(tmp_path)!r}) / "seen"
def test_good(): pass
def test_once():
    was = seen.exists()
    seen.touch()
    assert was
""")
    assert before == (1, 1)
    assert (part.passed, part.failed) == (2, 0) and "test_once" in part.note


def test_a_play_that_fails_again_has_failed(tmp_path, monkeypatch):
    before, part = played(tmp_path, monkeypatch, "def test_bad(): assert False\n")
    assert before == (part.passed, part.failed) == (0, 1) and not part.note
