"""N1 nothing from outside: the script fetches nothing from the network, and reads no data that nobody counted.

What it does
    Lists the calls of network libraries and of downloaders that the claimed path reaches, and the files of data that it
    reads though it did not write them and the submission does not bring them (shards of the challenge and tokenizers left
    out). Packages that are installed when the script starts are told and not judged.

Why it breaks the score
    The artifact must be self-contained. What is fetched while it runs is not counted.

Example
    weights = requests.get(url).content         # a reviewer looks at it
    extra = load_dataset("someone/corpus")      # so he does here
    state = torch.load("/data/teacher.pt")      # and here: where does it come from, and when is it read?

Legal alternative
    Bring what is needed in the folder, or install it before the run (requirements.txt). Any package may be used that does
    not bring what the script should have learned.

Rulings
    README of the challenge: no downloads, training-data access or network calls at evaluation.
    https://github.com/openai/parameter-golf

Since
    0.1.0
"""

from __future__ import annotations

import dataclasses

from harness.case import Case, Finding, Grade, Status
from harness.witnesses.static import Site, StaticFacts
from rules.code import from_code
from rules.registry import rule

KINDS = ("external_data",)
CATEGORY = "other"
"""The rulings have no word of their own for it."""


@rule("N1", title="Nothing from outside", categories=(CATEGORY,), needs=("static",))
def nothing_from_outside(case: Case) -> Finding:
    """What the code says: never more than a question to a reviewer."""
    found = from_code(case, "N1", KINDS, seen)
    return dataclasses.replace(found, category=CATEGORY) if found.category is not None else found


def seen(case: Case, facts: StaticFacts) -> Finding:
    """No call reaches out: files that nobody brings, else what is installed."""
    strange = [site for site in facts.reads if not brought(case, site)]
    if strange and case.submission.track != "non_record":
        first = strange[0]
        return Finding(
            "N1",
            Status.REVIEW,
            f"{first.what} is read at line {first.evidence.line}. The script does not write it, and it is not among the "
            "submission's files: what it holds is counted nowhere.",
            category=CATEGORY,
            grade=Grade.STATIC,
            evidence=tuple(site.evidence for site in strange),
        )
    installs = tuple(site.evidence for site in facts.natives if "pip install" in site.what)
    told = f" Packages are installed when it runs (line {installs[0].line})." if installs else ""
    if strange:  # Unlimited compute may be spent in several runs that hand on checkpoints (#1388).
        told += f" {strange[0].what} is read, which another run must have written (line {strange[0].evidence.line})."
    return Finding(
        "N1",
        Status.PASS,
        f"The path to the score calls no network library and no downloader.{told}",
        evidence=(*installs, *(site.evidence for site in strange)),
    )


def brought(case: Case, site: Site) -> bool:
    """Whether the submission brings a file of that name."""
    name = site.what.rpartition("/")[2]
    return any(path.rpartition("/")[2] == name for path in case.submission.files)
