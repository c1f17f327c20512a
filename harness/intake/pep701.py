"""Python 3.12 f-strings (PEP 701) in words that Python 3.11 compiles: same lines, same meaning.

An f-string that an older parser refuses (its own quotes, a backslash, a comment or a line break inside a replacement
field) becomes a concatenation in parentheses: `f"a{d["k"]:>5}"` turns into `('a'+'{:{}}'.format((d["k"]),'>5'))`.
Everything else stays byte for byte, so that only the columns of such lines move.
"""

from __future__ import annotations

import ast
import dataclasses
import re

_PREFIX = re.compile(r"""(?i:(?:[rbuft]|br|rb|fr|rf|tr|rt)?)(?='|")""")
_WORD = re.compile(r"\w+")
_LINE_CONTINUED = re.compile(r"(?:[ \t\f]|\\\n|#[^\n]*|\n)*")
_MAX_NESTING = 50


class Untranslatable(Exception):
    """The text is not made of strings and f-strings that end."""


@dataclasses.dataclass(frozen=True)
class _Literal:
    text: str  # raw source between the fields


@dataclasses.dataclass(frozen=True)
class _Field:
    expression: str
    debug: str | None  # the text that `=` repeats
    conversion: str | None
    spec: tuple[_Literal | _Field, ...] | None


@dataclasses.dataclass(frozen=True)
class _String:
    start: int
    end: int
    prefix: str
    quote: str
    parts: tuple[_Literal | _Field, ...] | None  # None for a plain string
    bracketed: bool = False  # whether a bracket is open around it


def rewrite(source: str) -> str:
    """`source` with every f-string that this interpreter refuses rewritten. Raises Untranslatable."""
    return _rewrite(source, 0)


def _rewrite(source: str, depth: int) -> str:
    if depth > _MAX_NESTING:
        raise Untranslatable("f-strings are nested too deeply")
    out: list[str] = []
    at = 0
    for group in _adjacent(source, _strings(source)):
        if all(_accepted(source[s.start : s.end]) for s in group):
            continue
        pieces = []
        for string, following in zip(group, [*group[1:], None], strict=True):
            pieces.append(_string(source, string, depth))
            if following is not None:
                pieces.append("+" + source[string.end : following.start])
        out += [source[at : group[0].start], "(", *pieces, ")"]
        at = group[-1].end
    return "".join([*out, source[at:]])


def _accepted(text: str) -> bool:
    if len(text) > 2 and text[0] not in "fFrR":
        return True
    try:
        ast.parse(f"({text})", mode="eval")
    except (SyntaxError, ValueError):
        return False
    return True


def _string(source: str, string: _String, depth: int) -> str:
    if string.parts is None or _accepted(source[string.start : string.end]):
        return source[string.start : string.end]
    return "(" + _concatenation(string.parts, string, depth) + ")"


def _concatenation(parts: tuple[_Literal | _Field, ...], string: _String, depth: int) -> str:
    written = [_literal(p, string) if isinstance(p, _Literal) else _field(p, string, depth) for p in parts]
    return "+".join(written) or "''"


def _literal(part: _Literal, string: _String) -> str:
    """The literal's value, written line by line so that line breaks stay where they were."""
    raw = "r" in string.prefix.lower()
    lines = part.text.replace("{{", "{").replace("}}", "}").split("\n")
    written = []
    for i, line in enumerate(lines):
        if i < len(lines) - 1:
            joined = not raw and (len(line) - len(line.rstrip("\\"))) % 2 == 1
            line = line[:-1] if joined else line + "\n"
        written.append(repr(line if raw else _unescape(line)))
    return "(" + "\n".join(written) + ")" if len(written) > 1 else written[0]


def _unescape(line: str) -> str:
    if "\\" not in line:
        return line
    if (len(line) - len(line.rstrip("\\"))) % 2 == 1:
        line += "\\"  # a lone backslash before a field stands for itself
    body = re.sub(r'(?s)\\.|"', lambda m: '\\"' if m[0] == '"' else m[0], line).replace("\n", "\\n")
    try:
        value = ast.literal_eval(f'"{body}"')
    except (SyntaxError, ValueError) as error:
        raise Untranslatable(f"an escape in an f-string is not valid: {error}") from error
    return str(value)


def _field(field: _Field, string: _String, depth: int) -> str:
    expression = "(" + _rewrite(field.expression, depth + 1) + ")"
    conversion = field.conversion or ("r" if field.debug is not None and field.spec is None else None)
    mark = f"!{conversion}" if conversion else ""
    if field.spec is None:
        formatted = f"'{{{mark}}}'.format({expression})"
    else:
        formatted = f"'{{{mark}:{{}}}}'.format({expression},{_concatenation(field.spec, string, depth)})"
    return f"{field.debug!r}+{formatted}" if field.debug is not None else formatted


def _adjacent(source: str, strings: list[_String]) -> list[list[_String]]:
    """Strings that Python joins because nothing but blanks stands between them."""
    groups: list[list[_String]] = []
    for string in strings:
        between = source[groups[-1][-1].end : string.start] if groups else "x"
        # A bare line break ends a statement unless a bracket is open.
        if _LINE_CONTINUED.fullmatch(between) and (string.bracketed or not _ends_line(between)):
            groups[-1].append(string)
        else:
            groups.append([string])
    return groups


def _ends_line(between: str) -> bool:
    return "\n" in between.replace("\\\n", "")


def _strings(source: str) -> list[_String]:
    """Every outermost string of a piece of code, in order."""
    found: list[_String] = []
    at = depth = 0
    while at < len(source):
        match = _PREFIX.match(source, at)
        if match:
            string = _scan_string(source, at, match[0])
            found.append(dataclasses.replace(string, bracketed=depth > 0))
            at = string.end
        elif source[at] == "#":
            at = _line_end(source, at)
        else:
            depth += (source[at] in "([{") - (source[at] in ")]}")
            word = _WORD.match(source, at)
            at = word.end() if word else at + 1
    return found


def _line_end(source: str, at: int) -> int:
    end = source.find("\n", at)
    return len(source) if end < 0 else end


def _scan_string(source: str, start: int, prefix: str) -> _String:
    at = start + len(prefix)
    quote = source[at] * 3 if source.startswith(source[at] * 3, at) else source[at]
    at += len(quote)
    if "f" in prefix.lower():
        parts, at = _scan_parts(source, at, prefix, quote, in_spec=False, depth=0)
        return _String(start, at + len(quote), prefix, quote, tuple(parts))
    while not source.startswith(quote, at):
        if at >= len(source) or (len(quote) == 1 and source[at] == "\n"):
            raise Untranslatable("a string does not end")
        at += 2 if source[at] == "\\" else 1
    return _String(start, at + len(quote), prefix, quote, None)


def _scan_parts(
    source: str, at: int, prefix: str, quote: str, *, in_spec: bool, depth: int
) -> tuple[list[_Literal | _Field], int]:
    """Parts of an f-string (or of a format spec) from `at` to its end, which is not consumed."""
    if depth > _MAX_NESTING:
        raise Untranslatable("f-strings are nested too deeply")
    parts: list[_Literal | _Field] = []
    literal = at
    while True:
        if at >= len(source) or (len(quote) == 1 and source[at] == "\n" and not in_spec):
            raise Untranslatable("an f-string does not end")
        here = source[at]
        if (in_spec and here == "}") or (not in_spec and source.startswith(quote, at)):
            break
        if here == "\\":
            named = re.match(r"\\N\{[^{}\n]*\}", source[at : at + 100]) if "r" not in prefix.lower() else None
            # In raw strings and before a field the backslash is a character like any other.
            at += named.end() if named else (1 if source[at + 1 : at + 2] in "{}" else 2)
        elif not in_spec and source[at : at + 2] in ("{{", "}}"):
            at += 2
        elif here == "{":
            parts += [_Literal(source[literal:at])] if at > literal else []
            field, at = _scan_field(source, at + 1, prefix, quote, depth + 1)
            parts.append(field)
            literal = at
        else:
            at += 1
    parts += [_Literal(source[literal:at])] if at > literal else []
    return parts, at


def _scan_field(source: str, at: int, prefix: str, quote: str, depth: int) -> tuple[_Field, int]:
    """A replacement field whose `{` has been read; returns it and the place after its `}`."""
    start = at
    at = _expression_end(source, at)
    text = source[start:at]
    debug = re.search(r"(?<![=!<>:])=\s*$", text)
    expression = text[: debug.start()] if debug else text
    if not expression.strip():
        raise Untranslatable("a replacement field is empty")
    conversion, spec = None, None
    if source[at] == "!":
        match = re.compile(r"!\s*([rsa])\s*").match(source, at)
        if match is None:
            raise Untranslatable("a conversion is not one of r, s and a")
        conversion, at = match[1], match.end()
    if source[at : at + 1] == ":":
        parts, at = _scan_parts(source, at + 1, prefix, quote, in_spec=True, depth=depth)
        spec = tuple(parts)
    if source[at : at + 1] != "}":
        raise Untranslatable("a replacement field does not end")
    return _Field(expression, text if debug else None, conversion, spec), at + 1


def _expression_end(source: str, at: int) -> int:
    """Where the expression of a field ends: at `!`, `:` or `}` outside brackets and strings."""
    depth = 0
    while at < len(source):
        here = source[at]
        match = _PREFIX.match(source, at)
        if match:
            at = _scan_string(source, at, match[0]).end
            continue
        if here == "#":
            at = _line_end(source, at)
            continue
        if depth == 0 and (here in ":}" or (here == "!" and source[at + 1 : at + 2] != "=")):
            return at
        depth += (here in "([{") - (here in ")]}")
        word = _WORD.match(source, at)
        at = word.end() if word else at + 1 + (here == "!")
    raise Untranslatable("a replacement field does not end")
