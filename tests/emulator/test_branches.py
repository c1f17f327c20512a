"""The marks on conditions: the program does what it did, in the same lines, and says which way each condition went."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import traceback
from pathlib import Path
from typing import Any

import pytest

from harness.inside import branches
from harness.witnesses.gates import conditions
from harness.witnesses.trace.branches import Condition, OneWay, read_ways

PROGRAM = textwrap.dedent(
    '''
    from __future__ import annotations
    seen = []
    class Held:
        """Words."""
        __private = 3
        if __private > 2:
            large = True
        def way(self, n):
            global seen
            if n > self.__private:
                """Words in a branch."""
                seen.append("high")
            elif n == 2: seen.append("two")
            return "odd" if n % 2 else "even"
        def declared(self, n):
            if n:
                global late
                late = n
            return late if n else None
    held = Held()
    ways = [held.way(n) for n in range(6) if n != 4 if n]
    found = {n: (k := n + n) for n in ways if (word := n)}
    rest = (x if x else -1 for x in (0, 1))
    result = seen, ways, found, list(rest), held.declared(3), word
    '''
)


def run(program: Any) -> dict[str, Any]:
    held: dict[str, Any] = {}
    exec(compile(program, "script.py", "exec"), held)
    return held


@pytest.fixture(autouse=True)
def _marks(tmp_path: Path) -> None:
    branches._met.clear()
    branches._home.clear()
    branches.install(str(tmp_path))


def test_a_marked_program_does_the_same() -> None:
    assert run(branches.marked(PROGRAM, "script.py"))["result"] == run(PROGRAM)["result"]


def test_what_it_raises_is_told_of_the_same_line() -> None:
    program = "def f(x):\n    if x:\n        y = 1\n        return y / 0 if x else 2\n\n\nf(3)\n"
    lines = []
    for source in (program, branches.marked(program, "script.py")):
        try:
            run(source)
        except ZeroDivisionError as error:
            lines.append(
                [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == "script.py"]
            )
    assert lines == [[7, 4], [7, 4]]


def test_the_ways_are_those_that_were_gone(tmp_path: Path) -> None:
    program = (
        "for n in range(3):\n"
        "    if n > 5:\n        x = 1\n"
        "    if n == 1: x = 2\n"
        "    y = 'a' if n < 9 else 'b'; z = 1 if n else 2\n"
        "    w = [i for i in range(3) if i < 2 if i >= 0]\n"
    )
    run(branches.marked(program, "script.py"))
    branches.finish()
    assert read_ways(tmp_path, 0) == (
        OneWay(Condition("choice", 5, 0), True),
        OneWay(Condition("filter", 6, 1), True),
        OneWay(Condition("if", 2, 0), False),
    )


def test_what_was_met_before_the_score_is_left_out(tmp_path: Path) -> None:
    program = "def early(n):\n    if n: pass\ndef late(n):\n    if n: pass\n"
    held = run(branches.marked(program, "script.py"))
    held["early"](1)
    branches.event(7)
    held["late"](1)
    branches.finish()
    assert read_ways(tmp_path, 7) == (OneWay(Condition("if", 4, 0), True),)
    assert len(read_ways(tmp_path, 0) or ()) == 2


def test_both_sides_count_conditions_alike() -> None:
    import ast

    outside = [condition for condition, _, _ in conditions(ast.parse(PROGRAM))]
    run(branches.marked(PROGRAM, "script.py"))
    inside = {Condition(*key[:3]) for key in branches._met}
    assert inside <= set(outside)
    assert len(outside) == len(set(outside)) == 10


def test_a_child_process_writes_no_ways(tmp_path: Path) -> None:
    branches._home[0] = (str(tmp_path), os.getpid() + 1)
    branches.finish()
    assert not (tmp_path / "branches.json").exists()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[" * 100_000, '{"if": 1}', "[1, 2]", '[["if", 1, 0, 1]]', '[["if", -1, 0, 1, 0]]', '[["if", true, 0, 1, 0]]',
     '[["while", 1, 0, 1, 0]]', '[["if", 1e3, 0, 1, 0]]', '[["if", "1", 0, 1, 0]]'],
)  # fmt: skip
def test_a_strangers_file_is_no_harm(tmp_path: Path, text: str) -> None:
    (tmp_path / "branches.json").write_text(text)
    assert not read_ways(tmp_path, 0)


def test_a_link_and_no_file_tell_nothing(tmp_path: Path) -> None:
    assert read_ways(tmp_path, 0) is None
    (tmp_path / "other.json").write_text('[["if", 1, 0, 1, 0]]')
    (tmp_path / "branches.json").symlink_to(tmp_path / "other.json")
    assert read_ways(tmp_path, 0) is None


def test_an_expression_too_deep_to_take_apart_runs_as_it_is(tmp_path: Path) -> None:
    script = tmp_path / "deep.py"
    script.write_text("x = " + "+".join(["1"] * 1_200) + "\nprint(x)\n")
    code = (
        f"import sys; sys.path.insert(0, {str(Path(branches.__file__).parents[1])!r})\n"
        f"from inside import launch\nlaunch.run({str(script)!r}, [], marks=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout.strip(), done.returncode) == ("1200", 0), done.stderr


def test_the_file_is_what_the_outside_reads(tmp_path: Path) -> None:
    run(branches.marked("if 1 > 2:\n    x = 1\n", "script.py"))
    branches.finish()
    assert json.loads((tmp_path / "branches.json").read_text()) == [["if", 1, 0, 0, 0]]
