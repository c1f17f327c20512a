"""N2 instruments: the script leaves the auditor's instruments alone.

What it does
    Looks for code that switches the hooks of torch functions off, removes modes, names the auditor's folders or modules, or
    searches the process for live objects; and for code that does what its text does not say: built at run time, reaching
    into frames and closures, writing memory by address, giving library functions another meaning, printing past
    sys.stdout. The modules that a script names are read too.

Why it breaks the score
    It breaks no score. What runs beside the instruments can mislead them, and what is built at run time no reader sees, so
    what was seen of such a script proves nothing. None of 122 scripts ruled valid does any of it.

Example
    with torch._C.DisableTorchFunction():        # nothing in here is seen
        adapt(model, val_tokens)

Legal alternative
    Leave it out. No submission needs it.

Rulings
    None.

Since
    0.1.0
"""

from __future__ import annotations

from harness.case import Case, Finding, Grade, Status
from harness.witnesses.tamper import KIND
from rules.registry import rule


@rule("N2", title="Instruments left alone", needs=("static",))
def instruments_left_alone(case: Case) -> Finding:
    """A person looks at whatever reaches for the instruments."""
    if case.static is None:
        return Finding("N2", Status.NOT_COVERED, "The code was not read.")
    facts = case.static.of(KIND)
    if not facts:
        return Finding("N2", Status.PASS, "The code does not reach for the auditor's instruments.")
    return Finding(
        "N2",
        Status.REVIEW,
        f"{facts[0].summary} What the instruments saw of this script proves nothing.",
        grade=Grade.STATIC,
        evidence=tuple(e for fact in facts for e in fact.path)[:8],
    )
