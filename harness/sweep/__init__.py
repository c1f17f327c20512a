"""Many submissions: every pull request of a clone, audited once for each content, into a database that survives a kill."""

from harness.sweep.plan import Plan, numbers
from harness.sweep.run import Outcome, sweep
from harness.sweep.store import Store

__all__ = ["Outcome", "Plan", "Store", "numbers", "sweep"]
