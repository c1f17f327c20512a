"""Where the trace says that score and update take turns, and which line runs the claimed evaluation."""

from __future__ import annotations

from collections.abc import Callable

from harness.witnesses.trace import Trace

from .conftest import line_of

Watched = Callable[..., Trace]

TURNS = """
def adapt(c):
    train(X[c:c+4], Y[c:c+4])  # the round's call
def adapted():
    total = 0.0
    for c in range(0, 32, 4):
        with torch.no_grad():
            total += net(X[c:c+4], Y[c:c+4]).item() * 256  # the round's score
        adapt(c)  # the round's update
    report(total / 2048)
def program():
    evaluate("monitoring")
    adapted()  # runs the claimed evaluation
def main():
    program()
main()
"""


def test_turn_names_the_lines_of_one_round(watched: Watched) -> None:
    """Both stacks go through the function with the loop, at the line of the score and at that of the update."""
    turn = watched(TURNS, lambda line: line.startswith("final")).turn
    assert turn is not None
    in_loop = [[f.line for f in stack if f.function == "adapted"] for stack in (turn.score, turn.update)]
    assert in_loop == [[line_of("round's score", TURNS)], [line_of("round's update", TURNS)]]


def test_no_turn_where_nothing_is_learned(watched: Watched) -> None:
    assert watched("evaluate()").turn is None


def test_evaluation_is_told_from_what_ran_before_it(watched: Watched) -> None:
    """The line of the call that earlier scores did not go through, however deep it lies."""
    trace = watched(TURNS, lambda line: line.startswith("final"))
    assert trace.evaluated_at == line_of("runs the claimed evaluation", TURNS)
