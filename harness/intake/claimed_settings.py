"""The claimed settings: what the claimed log prints, and one command for what it does not print."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from harness.case import Evidence, Setting
from harness.intake.commands import Command
from harness.intake.conversion import FAILURES, Unknown, candidates, same_value
from harness.intake.environment import Environment
from harness.intake.switches import proofs
from harness.witnesses.claims.log import Log, Printed

_MACHINE = re.compile(
    r"^(?:(?:.*_)?(?:PATH|PATHS|DIR|DIRS|FILE|FILES|ROOT|URL|REPO|REPO_ID|HOST|PORT|ADDR|TOKEN|GLOB)"
    r"|RUN_ID|RUN_NAME|RUN_TAG|LOGFILE|LOG_NAME|RANK|LOCAL_RANK|WORLD_SIZE|LOCAL_WORLD_SIZE|MASTER_.*|NCCL_.*"
    r"|TORCH.*|CUDA_.*|OMP_.*|MKL_.*|PYTHON.*|PYTORCH_.*|HF_.*|WANDB_.*|TRITON_.*|HOME|USER|HOSTNAME|LD_.*"
    r"|GLOO_.*|IS_MAIN_PROCESS"
    r"|DISTRIBUTED|NPROC.*|NGPU.*|DATASET|EXPERIMENT.*|TOKENIZER)$"
)
_NOT_BROUGHT = re.compile(r"LOG|TOKENIZER|CKPT|CHECKPOINT|RESUME|CONFIG")
_BRACKETS = ("[", "(", "{")
_ONLY_PART = re.compile(
    r"EVAL_ONLY|ONLY_EVAL|SKIP_TRAIN|NO_TRAIN|TTT_ONLY|LOAD_(?:CKPT|CHECKPOINT|MODEL|ARTIFACT)|RESUME"
    r"|EVAL_CHECKPOINT|QUANT_ONLY"
)
_FEATURE = re.compile(
    r"TTT|SLOT|NGRAM|N_GRAM|PPM|CACHE|ETLB|HEDGE|MIXER|KNN|CTW|TILT|BACKOFF|PREQUANT|ADAPT|TWO_?PASS|ORACLE"
    r"|DIRICHLET"
)
_SWITCH = re.compile(
    rf"(?:USE_|ENABLE_|DO_|RUN_|LEGAL_)?({_FEATURE.pattern})(?:_EVAL|_CACHE|_MIX|_MIXER|_TILT)?(?:_ENABLED|_ENABLE|_ON)?"
)
_ASIDE = re.compile(
    r"(?i)\b(?:baseline|ablation|control|reproduces? (?:pr|#)|previous|original|smoke|debug|quick|sanity"
    r"|local|single[- ]gpu|1x ?h100"
    r"|1xh100|mlx|cpu|disabled|without|optional|alternative|sweep)\b"
)
_ON = ("1", "true", "True", "yes", "on")
_OFF = ("", "0", "false", "no", "off", "none", "False", "None", "0.0")


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of the claimed run: `source` is "log", "run_script", "readme" or "default"."""

    source: str
    settings: tuple[Setting, ...]
    argv: tuple[str, ...]
    ambiguous: tuple[str, ...]
    notes: tuple[str, ...]


def is_machine(name: str, value: str) -> bool:
    """Whether a variable speaks of the machine (paths, ranks, names of runs) and not of the method."""
    return bool(_MACHINE.match(name)) or value.startswith(("/", "./", "../", "~/")) or "$" in value


def brings_file(environment: Environment, name: str, value: str) -> bool:
    """Whether a variable names a file of the submission itself and, unset by default, turns on what the file is for."""
    if not name.endswith("_FILE") or _NOT_BROUGHT.search(name) or "/" in value or "$" in value:
        return False
    try:
        return environment.default(name) in ("", None)
    except (Unknown, *FAILURES):
        return False


def printed_settings(environment: Environment, log: Log | None, until: int | None) -> dict[str, Setting]:
    """The variables that the log's printed settings stand for; the last print before line `until` counts."""
    result: dict[str, Setting] = {}
    if log is None:
        return result
    for printed in log.settings:
        if until is not None and printed.line > until:
            break
        for name in _variables_of(environment, printed):
            text = _text(environment, name, printed.value)
            if text is not None and not is_machine(name, text):
                result[name] = Setting(name, text, log.evidence(printed.line))
    return result


def _variables_of(environment: Environment, printed: Printed) -> list[str]:
    """The variables behind a printed key, through the script's own print statements and assignments."""
    key = printed.key
    if key.isupper() and key in environment.variables:
        return [key]
    known = environment.printed.get(key)
    if known and not (printed.alone and key in environment.targets):
        targets = {p.target for p in known}
        if len(targets) != 1 or (target := targets.pop()) is None:
            return []
        return _one(environment, target)
    if (
        known is None
        and not printed.alone
        and key.lower() in ("lr", "step", "steps", "loss", "bpb", "time", "stride")
    ):
        return []
    if key in environment.targets:
        return _one(environment, key)
    return [key.upper()] if printed.alone and key.upper() in environment.variables else []


def _one(environment: Environment, target: str) -> list[str]:
    names = environment.targets.get(target, [])
    if len(names) > 1:
        names = [n for n in names if n.lower() == target] or names[:1]
    return names


def _text(environment: Environment, name: str, printed: str) -> str | None:
    """The variable's text for a printed value; a print that rounds the default stands for the default."""
    try:
        default = environment.default(name)
    except (Unknown, *FAILURES):
        default = None
    if isinstance(default, float) and same_value(default, printed) and "e" not in printed:
        return repr(default)
    if (
        isinstance(default, str)
        and default
        and default[0] not in _BRACKETS
        and printed.strip()[:1] in _BRACKETS
    ):
        return candidates(printed)[0]  # a list is printed that the script made of "1000,10000" later
    return environment.text_for(name, printed)


def same_setting(environment: Environment, name: str, one: str, other: str) -> bool:
    """Whether the script makes the same value of two texts."""
    if one == other:
        return True
    try:
        return bool(environment.value(name, one) == environment.value(name, other))
    except (
        Unknown,
        ValueError,
        TypeError,
        ArithmeticError,
        LookupError,
        AttributeError,
        RecursionError,
        KeyError,
    ):
        pass
    try:
        return float(one) == float(other)
    except ValueError:
        return one.lower() == other.lower()


def runs_script(command: Command, script: str, others: Sequence[str]) -> bool:
    """Whether a command runs the submitted script, or one of a name that no file of the submission has."""
    name, mine = PurePosixPath(command.script).name, PurePosixPath(script).name
    if name == mine:
        return True
    return name.startswith(("train", "run", "main")) and name not in {PurePosixPath(o).name for o in others}


def claimed_settings(
    environment: Environment,
    log: Log | None,
    until: int | None,
    run_scripts: Sequence[Command],
    readme: Sequence[Command],
    mentions: Sequence[int],
    title: str = "",
    copies: Sequence[Log] = (),
    prose: Mapping[str, tuple[str, Evidence]] | None = None,
) -> Settings:
    """Merge the claimed log's printed settings with at most one command; `copies` are further logs of the same run.

    Where there is no command, what the README names in its `prose` stands in for it; a feature that it only names so is in
    doubt.

    The log wins where it speaks. Of the commands the one is taken that contradicts the log least, run
    scripts before the README, and of the README's the one whose features the submission's `title` names,
    then the one nearest a line of `mentions` (where the claimed score stands).
    """
    printed = printed_settings(environment, log, until)
    notes: list[str] = []
    command, kind, rivals = _choose(environment, printed, run_scripts, readme, mentions, title)
    chosen: dict[str, Setting] = {}
    if command is not None:
        chosen = _of_command(environment, command, notes)
        against = _contradictions(environment, chosen, printed, notes)
        if against >= 2 and against > sum(n in printed for n in chosen if n != "SEED") - against:
            notes.append(
                f"{command.file}:{command.line} contradicts the log, so it is another run's; left out"
            )
            chosen, command, rivals = {}, None, []
    settings = {**chosen, **printed}
    for name in [n for n in settings if _ONLY_PART.search(n) and settings[n].value not in _OFF]:
        notes.append(
            f"{settings[name].evidence.file}:{settings[name].evidence.line} runs only a part "
            f"({name}={settings[name].value}); left out, so that the whole script runs"
        )
        del settings[name]
    shown, ambiguous = _apply_proofs(environment, log, copies, settings, printed, notes)
    ambiguous += _ambiguities(environment, command, rivals, printed)
    ambiguous += _unsaid(environment, settings, shown, title)
    if command is None and prose:
        ambiguous += _add_prose(environment, prose, settings, notes)
    source = "log" if printed else kind if command is not None else "default"
    argv = _arguments(environment, command)
    return Settings(
        source, tuple(settings[n] for n in sorted(settings)), argv, tuple(ambiguous), tuple(notes)
    )


def _add_prose(
    environment: Environment,
    prose: Mapping[str, tuple[str, Evidence]],
    settings: dict[str, Setting],
    notes: list[str],
) -> list[str]:
    """Take what the README names and nothing else tells; a sentence for each switch of a feature among it."""
    doubts = []
    for name, (value, evidence) in prose.items():
        if name in settings or name not in environment.variables or is_machine(name, value):
            continue
        worth = _worth(environment, name, value)
        if _ONLY_PART.search(name) or worth is None or worth == _worth(environment, name, None):
            continue
        if _FEATURE.search(name) and _is_switch(name) and value in _ON:
            doubts.append(
                f"{evidence.file}:{evidence.line} names {name}={value}, and no log or command says that it was"
            )
            continue
        settings[name] = Setting(name, value, evidence)
        notes.append(f"{name}={value}: {evidence.file}:{evidence.line} names it, and no command sets it")
    return doubts


def _apply_proofs(
    environment: Environment,
    claimed: Log | None,
    copies: Sequence[Log],
    settings: dict[str, Setting],
    printed: dict[str, Setting],
    notes: list[str],
) -> tuple[frozenset[str], list[str]]:
    """Put right the switches that the logs' own lines show; they count as printed.

    Returns those that a line shows to be on, and a sentence for each that a command sets and whose line the log lacks.
    """
    if claimed is None:
        return frozenset(), []
    doubts: list[str] = []
    found = {name: (claimed, proof) for name, proof in proofs(environment, claimed).items()}
    for (
        copy
    ) in copies:  # each writes some of what the script prints: a line that one lacks may stand in another
        for name, proof in proofs(environment, copy).items():
            if proof.log_line and (name not in found or not found[name][1].log_line):
                found[name] = copy, proof
    for name, (log, proof) in found.items():
        if name in printed or is_machine(name, "") or _ONLY_PART.search(name):
            continue
        held = settings[name].value if name in settings else None
        text = _proved(environment, name, held, proof.on)
        if text is None:
            continue
        shown = f"shows line {proof.log_line}" if proof.log_line else "lacks the line"
        so = f"{name}={text}: {log.path} {shown} that line {proof.script_line} of the script prints only so"
        if proof.log_line == 0 and name in settings:
            other = settings[name].evidence
            doubts.append(f"{so}, and {other.file}:{other.line} says {name}={held}")
        else:
            notes.append(so)
        settings[name] = printed[name] = Setting(name, text, log.evidence(proof.log_line))
    shown_on = (n for n, (_, proof) in found.items() if proof.log_line and proof.on not in (False, *_OFF))
    return frozenset(shown_on), doubts


def _proved(environment: Environment, name: str, held: str | None, on: bool | str) -> str | None:
    """The text that a variable must have held for the script's value to be `on`; None where it does, or none is found."""
    if isinstance(on, str):
        same = _worth(environment, name, held) == on
        return on if not same and _worth(environment, name, on) == on else None
    now = truth(environment, name, held)
    if now is None or now == on:
        return None
    texts = ("1", "true", "True") if on else ("0", "false", "")
    return next((t for t in texts if truth(environment, name, t) is on), None)


def _worth(environment: Environment, name: str, text: str | None) -> object:
    """The script's value for a text (None: unset); None where that is not known."""
    try:
        return environment.value(name, text)
    except (Unknown, *FAILURES):
        return None


def truth(environment: Environment, name: str, text: str | None) -> bool | None:
    """Whether the script's value for a text (None: unset) is true; None where that is not known."""
    try:
        return bool(environment.value(name, text))
    except (Unknown, *FAILURES):
        return None


def _choose(
    environment: Environment,
    printed: dict[str, Setting],
    run_scripts: Sequence[Command],
    readme: Sequence[Command],
    mentions: Sequence[int],
    title: str,
) -> tuple[Command | None, str, list[Command]]:
    """(the command, "run_script" or "readme", the commands of the same rank that say otherwise)."""
    ranked: list[tuple[tuple[int, ...], Command, str]] = []
    for kind, commands in (("run_script", run_scripts), ("readme", readme)):
        for order, command in enumerate(commands):
            partial = any(_ONLY_PART.search(n) and v[0] not in _OFF for n, v in command.variables.items())
            against = _contradictions(environment, _of_command(environment, command, []), printed, [])
            distance = min((abs(command.line - m) for m in mentions), default=0) if kind == "readme" else 0
            aside = int(bool(_ASIDE.search(command.comment)))
            rank = (
                int(partial),
                against,
                int(kind == "readme"),
                aside,
                -_named(command, title),
                distance,
                order,
            )
            ranked.append((rank, command, kind))
    if not ranked:
        return None, "default", []
    ranked.sort(key=lambda r: r[0])
    best = ranked[0]
    rivals = [c for rank, c, _ in ranked[1:] if rank[:5] == best[0][:5]]
    return best[1], best[2], rivals


def _named(command: Command, title: str) -> int:
    """How many features that the title names the command turns on, less those it turns off."""
    words = set(re.findall(r"[A-Z]{3,}|[A-Z][A-Z0-9]{2,}", title.upper().replace("_", " ").replace("-", " ")))
    total = 0
    for name, (value, _) in command.variables.items():
        if (
            name.partition("_")[0] in words
            and _FEATURE.search(name)
            and name.endswith(("ENABLED", "ENABLE", "ON"))
        ):
            total += -1 if value in _OFF else 1
    return total


def _contradictions(
    environment: Environment, chosen: dict[str, Setting], printed: dict[str, Setting], notes: list[str]
) -> int:
    """How many of a command's settings the log contradicts; each is noted. The seed may differ."""
    count = 0
    for name, setting in chosen.items():
        held = printed.get(name)
        if held is None or name == "SEED" or same_setting(environment, name, setting.value, held.value):
            continue
        count += 1
        notes.append(
            f"{name}: {held.evidence.file}:{held.evidence.line} says {held.value}, "
            f"{setting.evidence.file}:{setting.evidence.line} says {setting.value}; the log decides"
        )
    return count


def _of_command(environment: Environment, command: Command, notes: list[str]) -> dict[str, Setting]:
    result: dict[str, Setting] = {}
    unread: list[str] = []
    for name, (value, evidence) in command.variables.items():
        if is_machine(name, value) and not brings_file(environment, name, value):
            continue
        if name in environment.variables or environment.dynamic or environment.tree is None:
            result[name] = Setting(name, value, evidence)
        else:
            unread.append(name)
    if unread:
        notes.append(f"{command.file}:{command.line} sets {', '.join(unread)}, which the script never reads")
    return result


def _ambiguities(
    environment: Environment,
    command: Command | None,
    rivals: Sequence[Command],
    printed: dict[str, Setting],
) -> list[str]:
    """Feature switches on which commands of equal standing differ and the log is silent."""
    result: dict[str, str] = {}
    for rival in rivals:
        if command is None:
            break
        for name in sorted(set(rival.variables) | set(command.variables)):
            if (
                name in printed
                or not _FEATURE.search(name)
                or name not in environment.variables
                or is_machine(name, "")
            ):
                continue
            mine, theirs = _held(environment, command, name), _held(environment, rival, name)
            if (mine in _OFF) != (theirs in _OFF) and (_is_switch(name) or {mine, theirs} <= {*_OFF, *_ON}):
                result.setdefault(
                    name,
                    f"{command.file}:{command.line} and {rival.file}:{rival.line} disagree on {name} "
                    f"({mine or 'unset'} and {theirs or 'unset'}), and no log tells which one was run",
                )
    return list(result.values())


def _unsaid(
    environment: Environment, settings: dict[str, Setting], shown: frozenset[str], title: str
) -> list[str]:
    """Switches of a feature that the submission's title names, off by default and turned on nowhere, where the log does
    not show another way of the feature either (TTT_MODE for TTT_ENABLED)."""
    result = []
    for name in sorted(environment.variables):
        match = _SWITCH.fullmatch(name)
        if name in settings or match is None or any(match[1] in other for other in shown):
            continue
        words = re.sub(rf"(?i)(?:no|without|sans|non)[-_ ]?{match[1]}", "", title)
        if match[1] in words.upper() and truth(environment, name, None) is False:
            result.append(
                f"the title names {match[1]}, but {name} is off by default and nothing says that it was on"
            )
    return result


def _is_switch(name: str) -> bool:
    return (
        name.endswith(("_ENABLED", "_ENABLE", "_ON"))
        or name.startswith(("USE_", "ENABLE_"))
        or bool(_FEATURE.fullmatch(name))
    )


def _held(environment: Environment, command: Command, name: str) -> str:
    if name in command.variables:
        return command.variables[name][0]
    try:
        default = environment.default(name)
    except (Unknown, *FAILURES):
        return ""
    return {True: "1", False: "0"}.get(default, str(default)) if isinstance(default, bool) else str(default)


def _arguments(environment: Environment, command: Command | None) -> tuple[str, ...]:
    """The command's arguments where the script reads any, without paths of somebody's machine."""
    if command is None or not environment.argv:
        return ()
    words = [w for w in command.argv if "$" not in w]
    return tuple(w for w in words if not w.startswith(("/", "./", "../", "~/")))
