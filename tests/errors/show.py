#!/usr/bin/python3
"""Prints every expected diagnostic under the line it points at, for a reader's eye.

    show.py [CASE…]
"""
import sys

import corpus


def show(case):
    """Print one case."""
    expectation = corpus.Expectation(case)
    print(f"== {case}: exit {expectation.exit}")
    for d in expectation.diagnostics:
        print(f"{d.severity}[{d.code}]: {d.sentence}")
        print(f"  --> {d.file}:{d.line}:{d.column}")
        lines = corpus.source_lines(corpus.HERE / d.file)
        if d.line is None or d.line > len(lines):
            continue
        line = lines[d.line - 1]
        print(f"{d.line:5} | {line[:200]}")
        if d.column is not None:
            lead = "".join(c if c == "\t" else " " for c in line[:d.column - 1])
            print(f"      | {lead}{'^' * (d.length or 1)}")
        for name, text in (("help", d.help), ("note", d.note), ("choices", d.choices)):
            if text:
                print(f"      = {name}: {text}")


if __name__ == "__main__":
    for name in sys.argv[1:] or corpus.cases():
        show(name)
