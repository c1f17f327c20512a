"""The machine that a log names: its GPUs as nvidia-smi or the script prints them, and the versions of its libraries."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterable
from typing import Any

from harness.case import Evidence
from harness.witnesses.claims.log import Log

_ROW = re.compile(r"^\|\s{1,4}(\d{1,2})\s{1,4}((?:NVIDIA|Tesla|AMD) [\w .+-]{2,40}?)\s{2,}(?:On|Off|N/A)\b")
_LISTED = re.compile(r"^GPU (\d{1,2}): ((?:NVIDIA|Tesla|AMD) [\w .+-]{2,40}?) \(UUID")
_NAMED = re.compile(
    r"(?i)\b(?:gpus?|device|device_name|cuda device|hardware)(?:[_ ]?name)?\s?[:=]\s{0,3}[\"']?(?:\d{1,2}\s?[x\u00d7]\s?)?"
    r"((?:NVIDIA|Tesla|AMD) [A-Za-z0-9][\w +-]{1,40})"
)
_ROCM = re.compile(r"/opt/rocm|\bROCm\b|\bMI[23]\d\dX?\b|\bgfx9\w\w\b")
_MOST = 5_000
"""Lines that are looked at: a log names its machine before it trains."""

_FIELD = re.compile(r"(?i)hardware|gpu|accelerator|machine|device")
_VERSIONS = {
    "Python": re.compile(r"^Running Python (\d\.\d{1,2}\.\d{1,2})"),
    "PyTorch": re.compile(
        r"(?i)\b(?:py)?torch(?:[_ ]version)?\s?(?:==|[:=])?\s?v?(\d\.\d{1,2}(?:\.\d{1,2})?(?:\+\w{2,8})?)\b"
    ),
    "CUDA": re.compile(r"CUDA Version: (\d{1,2}\.\d{1,2})"),
    "driver": re.compile(r"Driver Version: (\d{3}\.[\d.]{1,12})"),
    "Triton": re.compile(r"(?i)\btriton(?:[_ ]version)?\s?(?:==|[:=])\s?v?(\d\.\d{1,2}(?:\.\d{1,2})?)\b"),
    "FlashAttention": re.compile(
        r"(?i)\bflash[_ -]?attn\w{0,12}(?:[_ ]version)?\s?(?:==|[:=])\s?v?(\d\.\d{1,2}[.\w]{0,8})\b"
    ),
}


@dataclasses.dataclass(frozen=True)
class Machine:
    """`gpus` are the models, each once, `count` how many rows the log lists (0 where it only names a model), `versions`
    (library, version) pairs, `evidence` the first line that names a GPU, else a version."""

    gpus: tuple[str, ...]
    count: int
    versions: tuple[tuple[str, str], ...]
    evidence: Evidence

    @property
    def foreign(self) -> str:
        """The GPUs where none of those that the log names is an H100; empty where one is, or none is named."""
        return "" if any("H100" in g for g in self.gpus) else ", ".join(self.gpus)

    @property
    def name(self) -> str:
        """What a sentence calls it."""
        known = " and ".join(self.gpus)
        return f"{self.count} \u00d7 {known}" if self.count and known else known


def machine(log: Log, outer: Iterable[tuple[int, str]]) -> Machine | None:
    """The machine as the lines outside embedded scripts name it; None where they name neither GPU nor version."""
    named: dict[str, int] = {}
    rows: dict[str, int] = {}
    counted: set[str] = set()
    versions: dict[str, str] = {}
    lines: list[int] = []
    for number, text in itertools.islice(outer, _MOST):
        if row := _ROW.match(text) or _LISTED.match(text):
            rows.setdefault(row[2], number)
            counted.add(row[1])
        elif match := _NAMED.search(text):
            named.setdefault(match[1].strip(), number)
        elif _ROCM.search(text[:400]):
            named.setdefault("AMD GPUs (ROCm)", number)
        for library, pattern in _VERSIONS.items():
            if library not in versions and (match := pattern.search(text[:200])):
                versions[library] = match[1]
                lines.append(number)
    gpus = rows or named
    if not gpus and not versions:
        return None
    shown = min(gpus.values(), default=0) or lines[0]
    return Machine(tuple(gpus), len(counted), tuple(versions.items()), log.evidence(shown))


def contradicted(data: Any, json_name: str | None, found: Machine | None) -> tuple[Evidence, Evidence] | None:
    """The field of submission.json that names H100 and the line of the log that names other GPUs; None without either."""
    if found is None or not found.foreign or not isinstance(data, dict):
        return None
    for key, value in data.items():
        if isinstance(value, str) and _FIELD.search(str(key)) and "H100" in value.upper():
            return Evidence(json_name or "", 0, f'"{key}": "{value[:120]}"'), found.evidence
    return None
