"""The probes: experiments on the unmodified script in worlds whose data we choose, weighed outside the sandbox.

Each has a hypothesis, a statistic and a decision, written at the top of its file. They judge nothing; rules do.
"""

from __future__ import annotations

from harness.witnesses.probes.facts import Incompressibility, ProbeFacts, RandomRun

__all__ = ["Incompressibility", "ProbeFacts", "RandomRun"]
