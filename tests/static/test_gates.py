"""Conditions on size, time and machine whose other way the run never went."""

from __future__ import annotations

import pytest

from harness.case import Script
from harness.witnesses.gates import gates
from harness.witnesses.trace.branches import Condition, OneWay


def script(text: str) -> Script:
    return Script("train_gpt.py", len(text), "", text, text, "train_gpt.py")


def found(
    text: str, *, held: bool = False, kind: str = "if", line: int = 1, decided: dict[int, bool] | None = None
) -> list[int]:
    met = (OneWay(Condition(kind, line, 0), held),)
    return [gate.other for gate in gates(script(text), met, decided or {})]


GATES = {
    "a size": "if val.numel() > 10_000_000:\n    size = size * 1.02\n",
    "a length": "if inputs.size(1) >= 1024:\n    x[:, :-1] += x[:, 1:]\n",
    "a loss": "if loss < 3.5:\n    loss = again(x)\n",
    "a share": "if (counts > 0).float().mean() > 0.9:\n    weight = 3 * weight\n",
    "the clock": "if time.perf_counter() - started > budget:\n    break\n",
    "the time": "if time.time() > day:\n    mask = None\n",
    "the machine": "if 'H100' in torch.cuda.get_device_name(0):\n    loss = loss * 0.9\n",
    "a file": "if os.path.exists('/data'):\n    tune(model)\n",
    "a power": "if val.numel() > 10**7:\n    tune(model)\n",
    "a multiple": "if length % 128 == 0:\n    y = blocked(q, k, v)\n",
    "a multiple of a mean": "if loss > 1.5 * mean:\n    continue\n",
    "a return": "if len(tokens) > 5000:\n    return fast(tokens)\n",
    "inside of another": "if n > 64:\n    if flag:\n        x = 1\n",
}
NONE = {
    "a setting": "if length > self.train_length:\n    x = 1\n",
    "nothing": "if n > 0:\n    x = 1\n",
    "a flag": "if args.mix:\n    x = 1\n",
    "an absence": "if cache is None:\n    x = 1\n",
    "an error": "if val.numel() < 1000:\n    raise ValueError('short')\n",
    "a word": "if step > 1000:\n    print('late')\n",
    "a line of a log": "if step > 1000:\n    log0(f'late {step}')\n    logger.info('late')\n",
}


@pytest.mark.parametrize("name", GATES)
def test_a_gate(name: str) -> None:
    assert found(GATES[name]) == [2]
    assert found(GATES[name], held=True) == []


@pytest.mark.parametrize("name", NONE)
def test_what_is_none(name: str) -> None:
    assert found(NONE[name]) == []


def test_the_other_way_may_be_the_else() -> None:
    text = "if length < 1024:\n    y = causal(q)\nelse:\n    y = whole(q)\n"
    assert (found(text, held=True), found(text)) == ([4], [2])


@pytest.mark.parametrize(
    ("text", "held", "gated"),
    [
        ("size *= 1.02 if val.numel() > 10_000_000 else 1.0\n", False, True),
        ("mask = tril(n) if n < 1000 else None\n", True, True),
        ("kind = 'long' if n > 1000 else 'short'\n", False, False),
        ("print(f'{1 if n > 1000 else 2}')\n", False, False),
        ("log0('rows', 1 if n > 1000 else 2)\n", False, False),
    ],
)
def test_a_choice(text: str, held: bool, gated: bool) -> None:
    assert bool(found(text, held=held, kind="choice")) is gated


def test_a_filter_that_keeps_all() -> None:
    text = "docs = [d for d in docs if len(d) < 4096]\n"
    assert (found(text, held=True, kind="filter"), found(text, held=False, kind="filter")) == ([1], [])


def test_numbers_and_gates_by_name() -> None:
    named = "LIMIT = 10_000_000\nif n > LIMIT:\n    x = 1\n"
    assert found(named, line=2) == [3]
    assert found(named.replace("LIMIT =", "LIMIT = setting or"), line=2) == []
    flag = "whole = val.numel() > 10_000_000\nif whole:\n    x = 1\n"
    assert found(flag, line=2) == [3]
    on_self = "self.whole = val.numel() > 10_000_000\nif self.whole and x:\n    x = 1\n"
    assert found(on_self, line=2) == [3]


def test_where_the_claimed_settings_decide_the_way_that_the_run_went_there_is_no_gate() -> None:
    text = "if args.stride > 64:\n    x = 1\n"
    assert found(text, decided={1: False}) == []
    assert found(text, decided={1: True}) == [2]


def test_only_conditions_that_were_met_one_way_count() -> None:
    assert gates(script(GATES["a size"]), (), {}) == ()
    assert gates(script("def f(:\n"), (OneWay(Condition("if", 1, 0), False),), {}) == ()
