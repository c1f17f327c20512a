"""Commands that run a script, as READMEs and run scripts spell them: their variables and arguments."""

from __future__ import annotations

import dataclasses
import re
import shlex
from pathlib import PurePosixPath

from harness.case import Evidence

MAX_TEXT = 2_000_000
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,80})=(.*)", re.S)
_RUNNERS = (
    "torchrun",
    "python",
    "python3",
    "torch.distributed.run",
    "accelerate",
    "uv",
    "deepspeed",
    "modal",
)
_EXPANSION = re.compile(r"\$\{([A-Za-z_]\w*)(?::?[-=]([^}]*))?\}|\$([A-Za-z_]\w*)")
_FENCE = re.compile(r"^\s{0,12}(?:```+|~~~+)")
_PLACEHOLDER = re.compile(r"""(?<![\w-])[A-Za-z_]\w*=(["']?)<[^<>\s][^<>\n]*>\1(?=[\s\\;]|$)""")
"""`NAME=<say what>`: the reader is to fill it in, so it claims nothing; to a shell it would be a redirection."""


@dataclasses.dataclass(frozen=True)
class Command:
    """One command line that runs a script. `variables` maps a name to its value and the line that sets it.

    `comment` is the comment or heading just above it.
    """

    file: str
    line: int
    script: str
    variables: dict[str, tuple[str, Evidence]]
    argv: tuple[str, ...]
    comment: str = ""

    def evidence(self) -> Evidence:
        """Evidence that points at the command."""
        return Evidence(self.file, self.line, f"command that runs {self.script}")


def commands_in(text: str, file: str) -> list[Command]:
    """The commands of a Markdown file (those of its code blocks and code-like lines) or of a shell script.

    Variables exported earlier in the same block belong to a command; nothing carries over from block to
    block.
    """
    markdown = not file.endswith((".sh", ".bash", ".slurm", ".sbatch"))
    result: list[Command] = []
    lines = text[:MAX_TEXT].replace("\r\n", "\n").split("\n")
    for block in _blocks(lines, markdown):
        exported: dict[str, tuple[str, Evidence]] = {}
        for number, logical in _logical(block):
            found = _read(logical, number, file, exported)
            result.extend(dataclasses.replace(c, comment=_comment(lines, number)) for c in found)
    return result


def _comment(lines: list[str], number: int) -> str:
    """The nearest comment, heading or sentence above a line, within the lines of its own command group."""
    for i in range(number - 2, max(-1, number - 12), -1):
        text = lines[i].strip()
        if (
            text.startswith("#")
            or (text.endswith(":") and "=" not in text)
            or text.startswith(("**", "- ", "* "))
        ):
            return text[:200]
        if ".py" in text:
            return ""
    return ""


def _blocks(lines: list[str], markdown: bool) -> list[list[tuple[int, str]]]:
    """Lines with their numbers, one list per code block; all lines of a shell script are one block."""
    if not markdown:
        return [list(enumerate(lines, 1))]
    blocks: list[list[tuple[int, str]]] = []
    outside: list[tuple[int, str]] = []
    inside: list[tuple[int, str]] | None = None
    for number, line in enumerate(lines, 1):
        if _FENCE.match(line):
            if inside is None:
                inside = []
            else:
                blocks.append(inside)
                inside = None
        elif inside is not None:
            inside.append((number, line))
        elif any(f"{r} " in line for r in _RUNNERS) and ".py" in line:
            outside.append((number, line.strip().strip("`").lstrip("$> ")))
    if inside:
        blocks.append(inside)
    return blocks + [[line] for line in outside]


def _logical(block: list[tuple[int, str]]) -> list[tuple[int, list[tuple[int, str]]]]:
    """Lines joined where a backslash continues them: (number of the first, the parts with their numbers)."""
    result: list[tuple[int, list[tuple[int, str]]]] = []
    open_line = False
    for number, line in block:
        text = line.rstrip()
        continued = text.endswith("\\")
        part = (number, text[:-1] if continued else text)
        if text.lstrip().startswith("#"):
            continue
        if open_line and result:
            result[-1][1].append(part)
        else:
            result.append((number, [part]))
        open_line = continued
    return result


def _read(
    parts: list[tuple[int, str]], number: int, file: str, exported: dict[str, tuple[str, Evidence]]
) -> list[Command]:
    """The commands of one logical line; updates the exported variables."""
    tokens: list[tuple[int, str]] = []
    for line, text in parts:
        tokens.extend((line, word) for word in _split(text))
    result: list[Command] = []
    for words in _simple_commands(tokens):
        local: dict[str, tuple[str, Evidence]] = {}
        rest = list(words)
        while rest and (
            rest[0][1] in ("env", "export", "time", "nohup", "do", "then", "sudo", "$", "set", "-x")
            or _assigns(rest[0][1])
        ):
            line, word = rest.pop(0)
            if match := _assigns(word):
                value = _expand(match[2], {**exported, **local})
                if value is not None:
                    local[match[1]] = (value, Evidence(file, line, f"{match[1]}={value}"))
        script = next((i for i, (_, w) in enumerate(rest) if w.endswith(".py")), None)
        if script is None or not _runs(rest[:script]):
            if not rest:
                exported.update(local)
            continue
        arguments = tuple(
            w for _, w in rest[script + 1 :] if w not in ("2>&1",) and not w.startswith((">", "2>"))
        )
        result.append(Command(file, number, rest[script][1], {**exported, **local}, arguments))
    return result


def _runs(words: list[tuple[int, str]]) -> bool:
    return any(PurePosixPath(w).name.startswith(_RUNNERS) or w in _RUNNERS for _, w in words)


def _assigns(word: str) -> re.Match[str] | None:
    return _ASSIGNMENT.fullmatch(word)


def _split(text: str) -> list[str]:
    text = _PLACEHOLDER.sub(" ", text)
    try:
        lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|<>")
        lexer.whitespace_split = True
        lexer.commenters = "#"
        return list(lexer)
    except ValueError:
        return text.split()


def _simple_commands(tokens: list[tuple[int, str]]) -> list[list[tuple[int, str]]]:
    """Tokens split at ``;``, ``&&``, ``||`` and pipes; what follows a redirection is left out."""
    result: list[list[tuple[int, str]]] = [[]]
    skip = False
    for token in tokens:
        if set(token[1]) <= set(";&|") and token[1]:
            result.append([])
        elif set(token[1]) <= set("<>&") and token[1]:
            skip = True
            if result[-1] and result[-1][-1][1] in ("1", "2"):
                result[-1].pop()
        elif skip:
            skip = False
        else:
            result[-1].append(token)
    return [r for r in result if r]


def _expand(value: str, known: dict[str, tuple[str, Evidence]]) -> str | None:
    """The value with shell variables filled in; None where one is not known."""
    unknown = False

    def fill(match: re.Match[str]) -> str:
        nonlocal unknown
        name = match[1] or match[3]
        if name in known:
            return known[name][0]
        if match[2] is not None:
            return match[2]
        unknown = True
        return ""

    text = _EXPANSION.sub(fill, value)
    return None if unknown or "$(" in text or "`" in text else text.strip("'\"")
