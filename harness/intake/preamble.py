"""What a wrapper does besides unpacking (settings, patches, names that the program uses) stays in effect, on one line.

A finding must point at the unpacked program's own lines, so the statements kept are written at the end of its
docstring and `from __future__` lines, or at the start of its first line, and nothing moves down.
"""

from __future__ import annotations

import ast
import copy
import symtable
from collections.abc import Collection, Sequence

from harness.intake import syntax
from harness.intake.functions import UNPACKED
from harness.intake.runnable import make_runnable
from harness.intake.syntax import Unparsable, parse

_BESIDE = (
    '__import__("os").path.join(__import__("os").path.dirname(__import__("os").path.abspath(__file__)), {!r})'
)


def kept(statements: Sequence[ast.stmt], effects: Collection[int], program: str) -> list[ast.stmt]:
    """Statements of a wrapper that the program still needs: those with an effect and those that define their names.

    `effects` holds the indices of statements that do something which only running them can do.
    """
    needed = _free_names(program)
    chosen: list[ast.stmt] = []
    for index in reversed(range(len(statements))):
        statement = statements[index]
        if index in effects or (_bound(statement) & needed):
            chosen.append(statement)
            needed |= {n.id for n in syntax.nodes(statement) if isinstance(n, ast.Name)}
    return chosen[::-1]


def with_preamble(program: str, statements: Sequence[ast.stmt]) -> tuple[str, int]:
    """The program with the kept statements in front, and by how many lines it moved down (0, rarely 1)."""
    if not statements:
        return program, 0
    future = [s for s in statements if isinstance(s, ast.ImportFrom) and s.module == "__future__"]
    text = "; ".join(_one_line(s) for s in [*future, *(s for s in statements if s not in future)])
    try:
        body = parse(make_runnable(program)[0]).body  # its lines and its head are those of the program
    except Unparsable:
        return f"{text}\n{program}", 1
    head = _last_of_head(body)
    lines = program.split("\n")
    if head is not None:
        row = (head.end_lineno or 1) - 1
        at = len(lines[row].encode()[: head.end_col_offset].decode())
        lines[row] = f"{lines[row][:at]}; {text}{lines[row][at:]}"
        return "\n".join(lines), 0
    if body and body[0].lineno == 1 and (hasattr(body[0], "body") or hasattr(body[0], "cases")):
        return f"{text}\n{program}", 1
    lines[0] = f"{text}; {lines[0]}" if lines[0].strip() else text
    return "\n".join(lines), 0


def with_trailer(program: str, statements: Sequence[ast.stmt]) -> str:
    """The program followed by what its wrapper does afterwards."""
    return (
        "\n".join([program.rstrip("\n"), *(ast.unparse(s) for s in statements), ""])
        if statements
        else program
    )


def _last_of_head(body: list[ast.stmt]) -> ast.stmt | None:
    last = None
    for index, statement in enumerate(body):
        docstring = (
            index == 0 and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        )
        if not docstring and not (isinstance(statement, ast.ImportFrom) and statement.module == "__future__"):
            break
        last = statement
    return last


def _one_line(statement: ast.stmt) -> str:
    text = ast.unparse(_Relocated().visit(copy.deepcopy(statement)))
    return text if "\n" not in text and not hasattr(statement, "body") else f"exec({text!r})"


class _Relocated(ast.NodeTransformer):
    """Temporary folders become the folder in which intake laid out what the wrapper writes."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if ast.unparse(node.func) in ("tempfile.mkdtemp", "mkdtemp", "tempfile.gettempdir"):
            return ast.parse(_BESIDE.format(UNPACKED.rpartition("/")[2]), mode="eval").body
        return node


def _bound(statement: ast.stmt) -> set[str]:
    names = {
        n.id for n in syntax.nodes(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    match statement:
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            names |= {a.asname or a.name.split(".")[0] for a in aliases}
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            names.add(name)
    return names


def _free_names(program: str) -> set[str]:
    """Names that the program reads from its module and never binds there."""
    try:
        table = symtable.symtable(program, "<program>", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    bound = {
        s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()
    }
    used: set[str] = set()
    tables = [table]
    while tables:
        scope = tables.pop()
        tables += scope.get_children()
        used |= {
            s.get_name()
            for s in scope.get_symbols()
            if s.is_referenced() and (s.is_global() or scope is table)
        }
    return used - bound
