"""N1 nothing from outside: the script fetches nothing from the network on the claimed path.

What it does
    Lists the calls of network libraries and of downloaders that the claimed path reaches.

Why it breaks the score
    The artifact must be self-contained. What is fetched while it runs is not counted.

Example
    weights = requests.get(url).content         # a reviewer looks at it

Legal alternative
    Bring what is needed in the folder, or install it before the run (requirements.txt).

Rulings
    README of the challenge: no downloads, training-data access or network calls at evaluation.
    https://github.com/openai/parameter-golf

Since
    0.1.0
"""

from __future__ import annotations

from harness.case import Case, Finding, Status
from harness.witnesses.static import StaticFacts
from rules.code import from_code
from rules.registry import rule

KINDS = ("external_data",)


@rule("N1", title="Nothing from outside", categories=KINDS, needs=("static",))
def nothing_from_outside(case: Case) -> Finding:
    """What the code says: never more than a question to a reviewer."""
    return from_code(case, "N1", KINDS, seen)


def seen(case: Case, facts: StaticFacts) -> Finding:
    """Nothing was found."""
    return Finding("N1", Status.PASS, "The path to the score calls no network library and no downloader.")
