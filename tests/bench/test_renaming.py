"""A renamed script does what it did before; names that something else could know stay."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from pathlib import Path

import pytest

from harness.bench.renaming import renamed

WHOLE = """
import os, sys, dataclasses
from functools import partial
import torch
from torch import nn

class Settings:
    width = int(os.environ.get("WIDTH", "4"))
    rate: float = 0.5
    doubled = 2 * width

@dataclasses.dataclass
class Chunk:
    begin: int
    size: int = 3
    def stop(self):
        return self.begin + self.size

class Net(nn.Module):
    def __init__(self, width, *, gain=1.0):
        super().__init__()
        self.inner = nn.Linear(width, width, bias=False)
        self.own_gain = gain
        self.register_buffer("table", torch.arange(4.0))
    def forward(self, tokens, shift=0):
        with contextlib_free() as scale:
            return self.inner(tokens) * self.own_gain + self.table + shift * scale
    def helper_of_net(self, tokens, times=1):
        return [self(tokens, shift=k).sum().item() for k in range(times)]

class contextlib_free:
    def __enter__(self):
        return 1
    def __exit__(self, *rest):
        return False

total = 0
def count(amount, step_size=1):
    global total
    total += amount * step_size
    def inner():
        nonlocal amount
        amount += 1
        return amount
    return inner()

def main(settings=Settings):
    torch.manual_seed(0)
    net = Net(settings.width, gain=2.0)
    with torch.no_grad():
        net.inner.weight.fill_(0.25)
    seen = [round(v, 4) for v in net.helper_of_net(torch.ones(1, settings.width), times=2)]
    chunk = Chunk(begin=2, size=5)
    try:
        raise ValueError(chunk.stop())
    except ValueError as problem:
        caught = problem.args[0]
    match seen:
        case [first, *others]:
            print(f"{first=:.2f} others {others}")
    three = partial(count, step_size=3)
    names = [n for n, p in net.named_parameters() if "inner" in n]
    print(seen, caught, three(1), count(2, step_size=4), total, names, getattr(net, "own_gain"), settings.doubled)
    print((lambda value, power=2: value ** power)(3), sorted(k for k in vars(settings) if not k.startswith("_")))

main()
"""


def run(source: str) -> str:
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def new(source: str, elsewhere: tuple[str, ...] = ()) -> str:
    result = renamed(source, elsewhere)
    assert result is not None
    return result[0]


def test_a_renamed_script_prints_the_same() -> None:
    text, changed, made = renamed(WHOLE) or ("", 0, 0)
    assert run(text) == run(WHOLE)
    assert changed > 0.6 * made
    for gone in ("helper_of_net", "contextlib_free", "tokens", "caught", "Chunk", "begin", "amount"):
        assert gone not in text
    for kept in ("WIDTH", "doubled", "own_gain", "inner", "named_parameters", "step_size", "register_buffer"):
        assert kept in text


@pytest.mark.parametrize(
    ("source", "kept", "gone"),
    [
        ("def f(dim, other): return dim + other\nf(dim=1, other=2)\n", [], ["dim", "other"]),
        ("def f(dim): return dim\ng = f\ng(dim=1)\n", ["dim"], ["g", "f("]),
        ("import torch\ndef f(dim): return torch.sum(torch.ones(dim), dim=0)\nf(2)\n", ["dim=0"], ["f("]),
        (
            "import x.y as z\nz.setting = 1\nclass A:\n    pass\na = A()\na.mine = 1\n",
            ["z", "setting"],
            ["mine"],
        ),
        ("class A:\n    def step(self, closure=None): return closure\n", ["step", "closure"], ["A"]),
        ("from helper import tool\ntool = tool\nvalue = tool(1)\n", ["tool"], ["value"]),
        (
            "import torch\nclass L(torch.nn.Linear):\n    pass\ndef f(bias, k): return L(1, 1, bias=bias)\nf(1, k=2)\n",
            ["bias=bias"],
            ["k=", "L("],
        ),
        ("zq0 = 1\nvalue = zq0\n", ["zq0"], ["value"]),
        (
            "import sys\nme = sys.modules[__name__]\ndef one(): pass\ndef two(): pass\nme.one()\n",
            ["one"],
            ["two"],
        ),
    ],
)
def test_names(source: str, kept: list[str], gone: list[str]) -> None:
    text = new(source)
    assert [k for k in kept if k not in text] == []
    assert [g for g in gone if g in text] == []


def test_names_that_other_files_use_stay() -> None:
    source = "def shared(): return 1\ndef mine(): return shared()\n"
    text = new(source, ("shared",))
    assert "shared" in text
    assert "mine" not in text


@pytest.mark.parametrize("example", ["pass/score_first_ttt", "fail/ngram_target_in_key"])
def test_examples_still_parse(example: str) -> None:
    place = Path(__file__).parents[2] / "submissions" / example / "train_gpt.py"
    text = new(place.read_text())
    with contextlib.redirect_stdout(io.StringIO()):
        compile(text, "renamed", "exec")
