"""HTML report: one page that needs nothing else: no script, no resource, and a policy against both."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from harness.analysis.tokens import THRESHOLDS
from harness.case import Audit, Finding, worst
from harness.version import VERSION
from reports import prose, rerun_words, words
from reports.svg.charts import along, histogram, lorenz
from reports.svg.frontier import describe, frontier_plot, legend
from reports.svg.probes import bound_plot, moves_plot
from reports.svg.rerun import along_plot, gains_plot
from reports.text import clip, plain

TEMPLATES = Path(__file__).parent / "templates"
SNIPPET = 300
SHOWN_GROUPS = 60


def audit_html(audit: Audit) -> str:
    """The page of one audit."""
    return _render("report.html.j2", audit=audit, case=audit.case, findings=words.by_gravity(audit.findings))


def index_html(audits: Sequence[Audit], folders: Sequence[str]) -> str:
    """The page above several audits; `folders` holds the folder of each audit's own page."""
    verdict = worst([a.verdict for a in audits])
    return _render("index.html.j2", rows=list(zip(audits, folders, strict=True)), verdict=verdict)


def _render(template: str, **context: Any) -> str:
    css = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    page = environment().get_template(template)
    return page.render(css=Markup(css), policy=policy, version=VERSION, **context) + "\n"


def environment() -> Environment:
    """Everything printed is made visible by `plain`, then escaped, unless it is Markup of our own making."""
    env = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else plain(value),
    )
    env.filters.update(_FILTERS)
    env.globals.update(words=words, rerun_words=rerun_words, shown_groups=SHOWN_GROUPS)
    return env


def _code(value: object) -> Markup:
    """Code with its line feeds, clipped."""
    return escape(plain(str(value)[:SNIPPET], lines=True))


def _bar(share: float | None) -> Markup:
    """A bar in a table cell, 0..1 of its width; the figure beside it is what a screen reader gets."""
    width = 100 * min(max(share or 0.0, 0.0), 1.0)
    return Markup(
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="bar-ground" width="100" height="8"/>'
        f'<rect class="bar-a" width="{width:.2f}" height="8"/></svg>'
    )


def _token(text: str) -> str:
    """The text of a token: line ends marked, a stand-in where it has none (part of a character)."""
    return clip(text.replace("\n", "\u00b6"), 40) or "\u25af"


def _heat(nats: float | None) -> str:
    """The colour class of a token: the thresholds of the table."""
    return "q-none" if nats is None else f"q{sum(nats > t for t in THRESHOLDS)}"


def _anchor(finding: Finding, all_of_them: Sequence[Finding]) -> Markup:
    """The id that the strip at the top links to, on the gravest finding of a rule only: ids are unique."""
    if next(f for f in all_of_them if f.rule == finding.rule) is not finding:
        return Markup("")
    return Markup(' id="rule-{}"').format(clip(finding.rule, 20).replace(" ", "_"))


def _silent(audit: Audit) -> list[words.Tile]:
    """Tiles of must-have rules that no finding names."""
    spoken = {finding.rule for finding in audit.findings}
    return [tile for tile in words.must_have(audit) if tile.rule not in spoken]


_FILTERS: dict[str, Callable[..., Any]] = {
    "code": _code,
    "bar": _bar,
    "heat": _heat,
    "token": _token,
    "clip": clip,
    "configuration": words.configuration,
    "place": words.place,
    "number": words.number,
    "count": words.count,
    "percent": words.percent,
    "rule_doc": lambda rule: prose.to_html(words.rule_doc(rule)),
    "anchor": _anchor,
    "silent": _silent,
    "frontier_plot": lambda plot: frontier_plot("frontier", plot),
    "bound_plot": lambda found, name: bound_plot(name, found),
    "gains_plot": lambda change, name: gains_plot(name, change),
    "along_plot": lambda change, name: along_plot(name, change),
    "mebibytes": rerun_words.mebibytes,
    "moves_plot": lambda found: moves_plot("moves", found),
    "describe": describe,
    "legend": legend,
    "lorenz": lambda tokens: lorenz("lorenz", tokens),
    "histogram": lambda tokens: histogram("histogram", tokens),
    "along": lambda bins, name, title, label, mean: along(name, title, label, bins, mean),
}
