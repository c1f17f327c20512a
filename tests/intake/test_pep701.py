"""Python 3.12 f-strings rewritten for 3.11: the same values, the same lines, and nothing else touched."""

from __future__ import annotations

import ast
import sys

import pytest

from harness.intake.pep701 import Untranslatable, rewrite
from harness.intake.runnable import make_runnable

NAMES = {"d": {"k": 7, "n": "é"}, "x": 3.14159, "w": 10, "p": 2, "xs": ["a", "b"], "flag": False}

CASES = [
    (r'f"{d["k"]}"', "7"),
    (r'f"a{d["k"]:>5}b"', "a    7b"),
    (r'f"{", ".join(xs)}!"', "a, b!"),
    (r'f"{"\n".join(xs)}"', "a\nb"),
    (r'f"{x:{w}.{p}f}|{d["k"]}"', "      3.14|7"),
    (r'f"{d["k"]=}"', 'd["k"]=7'),
    (r'f"{d["k"] = :>4}"', 'd["k"] =    7'),
    (r'f"{d["n"]=!s}"', 'd["n"]=é'),
    (r'f"{d["n"]!a}"', r"'\xe9'"),
    (r'f"{d["k"]!r:>4}"', "   7"),
    (r'"pre" f"{d["k"]}" "post"', "pre7post"),
    ('f"{d[\n"k" # a comment, with \'quotes\'\n]}" + "!"', "7!"),
    (r'f"{f"{f"{1 + 1}"}"}"', "2"),
    (r"""f"{'a' if d["k"] != 7 else "b"}" """, "b"),
    (r'f"\t{{x}}{d["k"]}\N{BULLET}"', "\t{x}7\u2022"),
    (r'rf"\d{d["k"]}\n"', r"\d7\n"),
    (r'fr"\{d["k"]}"', r"\7"),
    ('f"""l1\n  "q"{d["k"]}\nl3{"\\n"}"""', 'l1\n  "q"7\nl3\n'),
    ('f"""a\\\nb{"\\t"}"""', "ab\t"),
    (r'f"{(lambda q: q["k"])(d)}"', "7"),
    (r'f"{d["k"]:{">" + "6"}}"', "     7"),
    (r'f"{ {"a": 1}["a"] }"', "1"),
    (r'f"{x!s:{f"{">"}{w}"}}"', "   3.14159"),
    ('f"{d["k"]}" \\\n "z"', "7z"),
    ('("a"\n f"{d["k"]}"  # note\n "b")', "a7b"),
    (r'f"{"{}"}{"}"}"', "{}}"),
    (r'f"{d["k"], 1}"', "(7, 1)"),
    (r'f"{*xs, "c"}"', "('a', 'b', 'c')"),
    (r'f"{"a" "b"}"', "ab"),
    (r"""f'{d['k']}"{"'"}'""", "7\"'"),
    (r'f"{x:.2f}{"é"}"', "3.14é"),
    (r'f"{(y := d["k"])}{y}"', "77"),
    (r'f"{"a" if flag else"b"}"', "b"),
    (r'f"{d["k"] != 7}{d["k"] >= 7}"', "FalseTrue"),
    (r'f"{d["k"]}".rjust(3) + "%s" % f"{d["k"]}"', "  77"),
    (r'len(f"{d["k"]}" f"{"ab"}")', 3),
    (r'[f"{v["k"]}" for v in (d, d)]', ["7", "7"]),
    (r'f"" f"{""}"', ""),
    (r'f"{x:{"10"}.{"3"}}"', "      3.14"),
]


@pytest.mark.parametrize(("source", "value"), CASES)
def test_rewritten_f_strings_have_the_value_and_the_lines_that_they_had(source: str, value: object) -> None:
    rewritten = rewrite(source)
    assert eval(compile(rewritten, "<t>", "eval"), dict(NAMES)) == value
    assert rewritten.count("\n") == source.count("\n")
    if sys.version_info >= (3, 12):
        assert eval(compile(source, "<t>", "eval"), dict(NAMES)) == value


ACCEPTED = [
    "",
    "x = 1\n",
    "f'{x}' 'a'\n",
    '# f"{d["k"]}"\n',
    '\'f"{d["k"]}"\'\n',
    "rb'\\x' b''\n",
    "f'{x!r:>{w}}'\n",
    "x = u'a' if 1else'b'\n",
]


@pytest.mark.parametrize("source", ACCEPTED)
def test_what_python_311_accepts_stays_byte_for_byte(source: str) -> None:
    assert rewrite(source) == source
    assert make_runnable(source) == (source, [])


def test_lines_after_the_f_string_keep_their_numbers() -> None:
    source = 'a = 1\nb = f"{\n  {"k": a}["k"]\n}"\ndef c():\n    return f"{"x"}"\n'
    runnable, notes = make_runnable(source)
    tree = ast.parse(runnable)
    assert [n.lineno for n in tree.body] == [1, 2, 5]
    assert len(notes) == (1 if sys.version_info < (3, 12) else 0)
    scope: dict[str, object] = {}
    exec(runnable, scope)
    assert scope["b"] == "1"


@pytest.mark.parametrize(
    "source",
    ['f"{', 'f"{x', 'f"{}"', 'f"{x!z}"', "'abc", 'f"{x:{y}', "f'''{x}", 'f"{"' * 200, "f'{x:" + "{" * 500],
)
def test_text_that_does_not_end_is_refused(source: str) -> None:
    with pytest.raises(Untranslatable):
        rewrite(source)
    assert make_runnable(source)[0] == source
