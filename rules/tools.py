"""A script that lies beside the one behind the claimed score: what would fail the submission is a question there.

An entrant may bring along an evaluation that was tried and not used (#333): what it breaks says nothing of the score.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

from harness.case import Case, Finding, Status

Check = Callable[[Case], Finding]


def asked_of_tools(check: Check) -> Check:
    """The same rule, whose failures are questions in a script that is not the one behind the claimed score."""

    @functools.wraps(check)
    def asked(case: Case) -> Finding:
        finding = check(case)
        if finding.status is not Status.FAIL or not case.claim.tool:
            return finding
        told = f"{finding.summary.rstrip('.')}. But {case.claim.tool}."
        return dataclasses.replace(finding, status=Status.REVIEW, summary=told)

    return asked
