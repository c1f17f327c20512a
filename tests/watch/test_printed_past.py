"""The claimed line of the output is the one that the watcher saw being printed, or the run covers nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.witnesses.trace import Trace
from harness.witnesses.trace.run import printed_past

EVALUATED = "evaluate('final')\n"


def final(line: str) -> bool:
    return line.startswith("final")


@pytest.mark.parametrize(
    "ending",
    ["", "another val_loss:1.0000 val_bpb:0.5000"],
)
def test_the_same_line(watched: Callable[..., Trace], ending: str) -> None:
    trace = watched(EVALUATED, final)
    assert trace.balance.line is not None
    printed = ["step 1 val_loss:9.0000", trace.balance.line, ending]
    assert printed_past(trace, printed, final) is None


@pytest.mark.parametrize(
    "ending",
    [
        "final val_loss:1.00000000 val_bpb:0.50000000",
        "\x1b[1A\x1b[2Kfinal val_loss:1.00000000 val_bpb:0.50000000",
    ],
)
def test_another_line_after_it(watched: Callable[..., Trace], ending: str) -> None:
    trace = watched(EVALUATED, final)
    assert trace.balance.line is not None
    found = printed_past(trace, [trace.balance.line, ending], lambda line: "final" in line)
    assert found is not None
    assert found.startswith("the script printed its claimed line past the watcher")
