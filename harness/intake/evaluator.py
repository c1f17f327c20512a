"""A small interpreter for the wrappers of self-extracting scripts; nothing of a stranger is ever executed.

It knows constants, containers, names, a fixed list of pure functions (decoders, bounded decompressors, string and path
functions) and a file system of its own in memory. What it does not know raises Unknown, which makes the statement an
*effect* that the unpacked program must keep. Programs handed to exec, eval, runpy or a module loader are collected.
"""

from __future__ import annotations

import ast
import dataclasses
import operator
import posixpath
from collections.abc import Callable
from typing import Any

from harness.intake import functions, syntax
from harness.intake.bounded import MAX_BYTES
from harness.intake.functions import FOLDER
from harness.intake.syntax import Unparsable, parse
from harness.intake.values import (
    Code,
    Exhausted,
    FilePath,
    Function,
    Method,
    ModuleSpec,
    OpenFile,
    Reference,
    Unknown,
)

_MAX_STEPS = 200_000
_MAX_CALLS = 40
_MAX_ITEMS = 500_000
_RUNNERS = {"exec", "builtins.exec", "runpy.run_path", "runpy.run_module"}
_CHILDREN = {"subprocess.run", "subprocess.call", "subprocess.check_call", "os.execv", "os.execvp"}
_NAMESPACES = {"builtins", "__builtins__", "sys"}
_SETTINGS = {"os.environ", "sys.argv", "sys.path", "sys"}
_KNOWN_MODULES = frozenset(
    name.split(".")[0] for name in functions.KNOWN if "." in name and name[0].islower()
)

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: functions.bounded_product,
    ast.Mod: operator.mod,
    ast.FloorDiv: operator.floordiv,
    ast.BitXor: operator.xor,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.RShift: operator.rshift,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}


@dataclasses.dataclass(frozen=True)
class Stage:
    """A program that the wrapper runs, and how it was made readable ("base85", "lzma", "file x.lzma")."""

    data: bytes
    stages: tuple[str, ...]


class _Return(Exception):
    def __init__(self, value: object) -> None:
        self.value = value


class Evaluator:
    """Evaluates a wrapper statement by statement. `read` gives the bytes of a file beside the script, or None."""

    def __init__(self, file_name: str, read: Callable[[str], bytes | None]) -> None:
        self.path = f"{FOLDER}/{file_name}"
        self.names: dict[str, Any] = {"__name__": "__main__", "__file__": self.path}
        self.files: dict[str, bytes] = {}
        self.programs: list[Stage] = []
        self.executed: set[str] = set()
        self.problem: str | None = None
        self.effect = False
        self._read = read
        self._tampered = False
        self._steps = 0
        self._calls = 0
        self._origins: dict[int | bytes | str, tuple[str, ...]] = {}

    # Statements

    def run(self, statement: ast.stmt) -> bool:
        """Evaluate one statement; True when it does something that only running it could do."""
        self.effect = False
        try:
            self._statement(statement)
        except Unknown as error:
            self._give_up(statement, error)
        except _Return:
            pass
        except RecursionError:
            self._give_up(statement, Unknown("its expressions are nested too deeply"))
        return self.effect

    def _give_up(self, statement: ast.stmt, error: Unknown) -> None:
        self.effect = True
        self._steps += 100  # an endless loop of failures must end as well
        if any(isinstance(n, ast.Call) and _name(n.func) in _RUNNERS for n in syntax.nodes(statement)):
            self.problem = str(error)
        for node in syntax.nodes(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self.names.pop(node.id, None)

    def _statement(self, node: ast.stmt) -> None:
        self._step()
        match node:
            case ast.Import(names=names):
                for alias in names:
                    self._check_shadow(alias.name)
                    whole = alias.name if alias.asname else alias.name.split(".")[0]
                    self.names[alias.asname or whole] = Reference(whole)
            case ast.ImportFrom(module=str() as module, names=names, level=0):
                self._check_shadow(module)
                for alias in names:
                    self.names[alias.asname or alias.name] = Reference(f"{module}.{alias.name}")
            case ast.Assign(targets=targets, value=value):
                result = self.value(value)
                for target in targets:
                    self._assign(target, result)
            case ast.AnnAssign(target=target, value=value) if value is not None:
                self._assign(target, self.value(value))
            case ast.AugAssign(target=ast.Name(id=name), op=op, value=value):
                self.names[name] = self._binary(op, self._look_up(name), self.value(value))
            case ast.Expr(value=ast.Constant()) | ast.Pass() | ast.ClassDef() | ast.Global():
                pass
            case ast.Expr(value=value):
                self.value(value)
            case ast.FunctionDef(name=name, decorator_list=[]):
                self.names[name] = Function(node)
            case ast.Return(value=value):
                raise _Return(self.value(value) if value is not None else None)
            case _:
                self._compound(node)

    def _check_shadow(self, module: str) -> None:
        """A file of the folder that bears a known module's name is what Python would import instead."""
        top = module.split(".")[0]
        if top in _KNOWN_MODULES and any(
            self._read(n) is not None for n in (f"{top}.py", f"{top}/__init__.py")
        ):
            self._tampered = True
            raise Unknown(f"it imports {top} from its own folder")

    def _compound(self, node: ast.stmt) -> None:
        match node:
            case ast.If(test=test, body=body, orelse=orelse):
                self._block(body if self.value(test) else orelse)
            case ast.With(items=items, body=body):
                for item in items:
                    opened = self.value(item.context_expr)
                    if item.optional_vars is not None:
                        self._assign(item.optional_vars, opened)
                self._block(body)
            case ast.For(target=target, iter=iterable, body=body, orelse=[]):
                for item in self._items(iterable):
                    self._assign(target, item)
                    self._block(body)
            case ast.Try(body=body, orelse=orelse, finalbody=finalbody):
                self._block([*body, *orelse, *finalbody])
            case ast.Delete(targets=targets):
                for deleted in targets:
                    if not isinstance(deleted, ast.Name):
                        raise Unknown("it deletes something")
                    self.names.pop(deleted.id, None)
            case _:
                raise Unknown(f"a statement of kind {type(node).__name__} is not evaluated")

    def _block(self, body: list[ast.stmt]) -> None:
        for statement in body:
            try:
                self._statement(statement)
            except Exhausted:
                raise
            except Unknown as error:
                if any(
                    isinstance(n, ast.Return | ast.Break | ast.Continue | ast.Raise)
                    for n in syntax.nodes(statement)
                ):
                    raise  # what comes next depends on it
                self._give_up(statement, error)

    def _assign(self, target: ast.expr, value: Any) -> None:
        match target:
            case ast.Name(id=name):
                self.names[name] = value
            case ast.Tuple(elts=elts) | ast.List(elts=elts) if isinstance(value, list | tuple):
                if len(elts) != len(value):
                    raise Unknown("an assignment does not fit its targets")
                for element, item in zip(elts, value, strict=True):
                    self._assign(element, item)
            case ast.Subscript(value=owner, slice=index):
                self._store_item(self.value(owner), index, value)
            case ast.Attribute(value=owner):
                held = self.value(owner)
                if not isinstance(held, ModuleSpec):
                    self.effect = True
                    self._tamper(held)
            case _:
                self.effect = True

    def _store_item(self, held: Any, index: ast.expr, value: Any) -> None:
        if isinstance(held, dict):
            held[self.value(index)] = value
        elif isinstance(held, Reference) and held.name in ("globals()", "vars()", "locals()"):
            self.names[str(self.value(index))] = value
            self.effect = True
        elif isinstance(held, Reference) and held.name.startswith("linecache."):
            pass  # only tracebacks read it
        elif not (
            isinstance(held, Reference) and held.name == "sys.modules" and isinstance(value, ModuleSpec)
        ):
            self.effect = True
            self._tamper(held)

    def _tamper(self, held: Any) -> None:
        """Where a wrapper patches modules, what a known function does is no longer known."""
        if isinstance(held, Reference) and held.name.split(".")[0] in _KNOWN_MODULES | _NAMESPACES:
            self._tampered = held.name not in _SETTINGS or self._tampered

    # Expressions

    def value(self, node: ast.expr) -> Any:
        """The value of an expression. Raises Unknown."""
        self._step()
        return self._weighed(self._value(node))

    def _value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return self._look_up(name)
            case ast.Attribute(value=owner, attr=attribute):
                return self._attribute(self.value(owner), attribute)
            case ast.Call():
                return self._call(node)
            case ast.BinOp(left=left, op=op, right=right):
                return self._binary(op, self.value(left), self.value(right))
            case ast.Subscript(value=owner, slice=index):
                return self._subscript(self.value(owner), index)
            case ast.Tuple(elts=elts):
                return tuple(self._elements(elts))
            case ast.List(elts=elts):
                return self._elements(elts)
            case ast.Dict(keys=keys, values=values) if None not in keys:
                return {
                    self.value(k): self.value(v) for k, v in zip(keys, values, strict=True) if k is not None
                }
            case ast.Lambda():
                return Function(node)
            case ast.NamedExpr(target=target, value=value):
                result = self.value(value)
                self._assign(target, result)
                return result
            case _:
                return self._logic(node)

    def _logic(self, node: ast.expr) -> Any:
        match node:
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.value(body if self.value(test) else orelse)
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self._guarded(_COMPARE[type(op)], self.value(left), self.value(right))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return not self.value(operand)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self._guarded(operator.neg, self.value(operand))
            case ast.BoolOp(op=op, values=values):
                result: Any = None
                for part in values:
                    result = self.value(part)
                    if bool(result) == isinstance(op, ast.Or):
                        return result
                return result
            case ast.JoinedStr(values=values):
                return "".join(self._formatted(part) for part in values)
            case ast.ListComp(elt=elt, generators=[loop]) | ast.GeneratorExp(elt=elt, generators=[loop]):
                results = []
                for item in self._items(loop.iter):
                    self._assign(loop.target, item)
                    if all(self.value(condition) for condition in loop.ifs):
                        results.append(self.value(elt))
                return results
            case _:
                raise Unknown(f"an expression of kind {type(node).__name__} is not evaluated")

    def _formatted(self, part: ast.expr) -> str:
        if not isinstance(part, ast.FormattedValue):
            return str(self.value(part))
        value = self.value(part.value)
        if part.format_spec is not None or part.conversion != -1 or not isinstance(value, str | int):
            raise Unknown("it formats a string")
        return str(value)

    def _elements(self, nodes: list[ast.expr]) -> list[Any]:
        elements: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                elements += self._items(node.value)
            else:
                elements.append(self.value(node))
        return elements

    def _items(self, node: ast.expr) -> list[Any]:
        iterable = self.value(node)
        if not isinstance(iterable, list | tuple | str | bytes | bytearray | range | dict | set):
            raise Unknown("it loops over something that is not known")
        return list(iterable)

    def _look_up(self, name: str) -> Any:
        if name in self.names:
            return self.names[name]
        if name in functions.BUILTINS:
            return Reference(name)
        raise Unknown(f"the name {name} is not known")

    def _attribute(self, owner: Any, attribute: str) -> Any:
        if isinstance(owner, Reference):
            dotted = f"{owner.name}.{attribute}"
            return functions.CONSTANTS.get(dotted, Reference(dotted))
        if isinstance(owner, FilePath) and attribute in functions.PATH_PROPERTIES:
            return functions.PATH_PROPERTIES[attribute](owner)
        return Method(owner, attribute)

    def _subscript(self, owner: Any, index: ast.expr) -> Any:
        if isinstance(index, ast.Slice):
            bounds = [
                self.value(b) if b is not None else None for b in (index.lower, index.upper, index.step)
            ]
            return self._guarded(lambda o: o[slice(*bounds)], owner)
        key = self.value(index)
        if isinstance(owner, Reference):
            if owner.name in ("globals()", "locals()", "vars()"):
                return self._look_up(str(key))
            if owner.name.endswith("__dict__") or owner.name == "sys.modules":
                return Reference(
                    f"{owner.name.removesuffix('.__dict__').replace('sys.modules', '')}.{key}".strip(".")
                )
            raise Unknown(f"{owner.name} is not known")
        return self._guarded(operator.getitem, owner, key)

    def _binary(self, op: ast.operator, left: Any, right: Any) -> Any:
        if isinstance(left, FilePath) and isinstance(op, ast.Div):
            return FilePath(functions.join(left.text, functions.path_text(right)))
        if type(op) not in _BINARY:
            raise Unknown(f"the operator {type(op).__name__} is not evaluated")
        if isinstance(op, ast.Mod) and not isinstance(left, int):
            raise Unknown("it formats a string")
        result = self._weighed(self._guarded(_BINARY[type(op)], left, right))
        return self._derive(result, left, right)

    # Calls

    def _call(self, node: ast.Call) -> Any:
        function = self.value(node.func)
        arguments = self._elements(node.args)
        keywords: dict[str, Any] = {}
        for keyword in node.keywords:
            value = self.value(keyword.value)
            if keyword.arg is not None:
                keywords[keyword.arg] = value
            elif isinstance(value, dict):
                keywords.update(value)
        if isinstance(function, Function):
            return self._derive(self._call_own(function, arguments, keywords), *arguments)
        if isinstance(function, Method):
            return self._call_method(function, arguments, keywords)
        if isinstance(function, Reference):
            return self._call_known(function.name.removeprefix("builtins."), arguments, keywords)
        raise Unknown("it calls something that is not a function")

    def _call_known(self, name: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        name = name.removeprefix("__builtins__.")
        if self._tampered:
            raise Unknown("its wrapper replaces library functions")
        if name in _RUNNERS:
            return self._execute(name, arguments)
        if name == "eval":
            return self._evaluate(arguments)
        if name in _CHILDREN:
            return self._run_child(name, arguments)
        if name == "compile":
            return self._derive(Code(arguments[0]), arguments[0])
        if name == "open":
            return self._open(*arguments, **keywords)
        if name in ("__import__", "importlib.import_module") and arguments and isinstance(arguments[0], str):
            return Reference(arguments[0])
        if name == "getattr" and len(arguments) >= 2:
            return self._attribute(arguments[0], str(arguments[1]))
        if name in ("globals", "locals", "vars"):
            return Reference(f"{name}()")
        if name in ("map", "filter") and isinstance(arguments[0], Function):
            return [self._call_own(arguments[0], [item], {}) for item in arguments[1]]
        if name in ("os.path.exists", "os.path.isfile"):
            return self._content(functions.path_text(arguments[0])) is not None
        if name == "importlib.util.spec_from_file_location":
            return ModuleSpec(functions.path_text(arguments[1]))
        if name == "importlib.util.module_from_spec":
            return arguments[0]
        if name in functions.QUIET:
            return None
        known = functions.KNOWN.get(name)
        if name in ("setattr", "delattr"):
            self._tamper(arguments[0])
        if known is None:
            raise Unknown(f"{name} is not evaluated")
        result = self._guarded(known.call, *arguments, **keywords)
        return self._derive(result, *arguments, stage=known.stage)

    def _call_own(self, function: Function, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        self._calls += 1
        if self._calls > _MAX_CALLS and isinstance(function.node, ast.FunctionDef):
            raise Unknown("its functions call each other too often")
        parameters = [a.arg for a in function.node.args.args]
        defaults = dict(zip(reversed(parameters), reversed(function.node.args.defaults), strict=False))
        outer = dict(self.names)
        bound = {name: self.value(default) for name, default in defaults.items()}
        self.names.update(bound | dict(zip(parameters, arguments, strict=False)) | keywords)
        try:
            if isinstance(function.node, ast.Lambda):
                return self.value(function.node.body)
            self._block(function.node.body)
        except _Return as returned:
            return returned.value
        finally:
            self.names = outer
        return None

    def _call_method(self, method: Method, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        owner, name = method.owner, method.name
        if isinstance(owner, OpenFile):
            return self._file_method(owner, name, arguments)
        if isinstance(owner, FilePath) and name in ("read_text", "read_bytes"):
            return self._contents(owner.text, binary=name == "read_bytes")
        if isinstance(owner, FilePath) and name in ("write_text", "write_bytes"):
            return self._write(owner.text, arguments[0])
        if isinstance(owner, FilePath) and name == "open":
            return self._open(owner, *arguments, **keywords)
        if isinstance(owner, FilePath) and name in ("exists", "is_file"):
            return self._content(owner.text) is not None
        if isinstance(owner, Method) and isinstance(owner.owner, ModuleSpec) and name == "exec_module":
            return self._execute_file(owner.owner.path)
        call = functions.method(owner, name)
        if call is None:
            raise Unknown(f"the method {name} is not evaluated")
        result = self._guarded(call, owner, *arguments, **keywords)
        stage = owner.stage if isinstance(owner, functions.Decoder) else None
        return self._derive(result, owner, *arguments, stage=stage)

    def _guarded(self, call: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        try:
            return call(*arguments, **keywords)
        except Unknown:
            raise
        except Exception as error:  # whatever a decoder says of a stranger's data, the value is not known
            raise Unknown(f"{type(error).__name__}: {error}"[:200]) from error

    # Files and programs

    def _open(self, path: Any, mode: str = "r", *_: Any, **__: Any) -> OpenFile:
        text = functions.path_text(path)
        writing = any(c in mode for c in "wax+")
        if writing and "a" not in mode:
            self.files[text] = b""
        return OpenFile(text, writing, "b" in mode)

    def _file_method(self, file: OpenFile, name: str, arguments: list[Any]) -> Any:
        if name == "write" and file.writing:
            return self._write(
                file.path, self.files.get(file.path, b"") + functions.as_bytes(arguments[0]), arguments[0]
            )
        if name == "read" and not arguments:
            return self._contents(file.path, binary=file.binary)
        if name in ("close", "flush", "fileno"):
            return None
        raise Unknown(f"the file method {name} is not evaluated")

    def _write(self, path: str, content: Any, source: Any = None) -> int:
        data = functions.as_bytes(content)
        if sum(map(len, self.files.values())) + len(data) > 4 * MAX_BYTES:
            raise Unknown("it writes too much")
        self.files[path] = self._derive(data, content if source is None else source)
        return len(data)

    def _content(self, path: str) -> bytes | None:
        if path in self.files:
            return self.files[path]
        relative = posixpath.relpath(posixpath.join(FOLDER, path), FOLDER)
        data = self._read(relative)
        if data is not None and path != self.path:
            self._origins[self._key(data)] = (f"file {relative}",)
        return data

    def _contents(self, path: str, *, binary: bool) -> str | bytes:
        data = self._content(path)
        if data is None:
            raise Unknown(f"it reads {path.removeprefix(FOLDER + '/')}, which is not beside it")
        text: str | bytes = data if binary else data.decode("utf-8", "replace")
        self._derive(text, data)
        return text

    def _execute(self, name: str, arguments: list[Any]) -> None:
        if name == "runpy.run_module":
            raise Unknown("it runs a module by its name")
        if name == "runpy.run_path":
            return self._execute_file(functions.path_text(arguments[0]))
        program = arguments[0]
        text = program.text if isinstance(program, Code) else program
        if not isinstance(text, str | bytes | bytearray):
            raise Unknown("what it executes is not known text")
        self.programs.append(Stage(functions.as_bytes(text), self._origin(program)))
        return None

    def _evaluate(self, arguments: list[Any]) -> Any:
        program = arguments[0]
        if isinstance(program, Code):
            return self._execute("exec", arguments)
        if not isinstance(program, str) or len(program) > 100_000:
            raise Unknown("what it evaluates is not known text")
        try:
            body = parse(program.strip()).body
        except Unparsable as error:
            raise Unknown(str(error)) from error
        if len(body) != 1 or not isinstance(body[0], ast.Expr):
            raise Unknown("what it evaluates is not one expression")
        return self.value(body[0].value)

    def _execute_file(self, path: str) -> None:
        data = self._content(path)
        if data is None:
            raise Unknown(f"it runs {path.removeprefix(FOLDER + '/')}, which is not beside it")
        self.executed.add(path)
        self.programs.append(Stage(data, self._origin(data)))

    def _run_child(self, name: str, arguments: list[Any]) -> None:
        words = arguments[-1] if name.startswith("os.") else arguments[0]
        produced = (
            [w for w in words if isinstance(w, str) and w in self.files] if isinstance(words, list) else []
        )
        if not produced:
            raise Unknown(f"{name} is not evaluated")
        self._execute_file(produced[0])

    # How a value came to be: the names of the codecs on its way, outermost first

    def _key(self, value: Any) -> int | bytes | str:
        return value if isinstance(value, str | bytes) else id(value)

    def _origin(self, value: Any) -> tuple[str, ...]:
        return self._origins.get(self._key(value), ()) if isinstance(value, str | bytes | Code | list) else ()

    def _derive(self, result: Any, *sources: Any, stage: str | None = None) -> Any:
        origin = max((self._origin(s) for s in sources), key=len, default=())
        origin = (*origin, stage) if stage else origin
        if origin and isinstance(result, str | bytes | Code | list):
            self._origins.setdefault(self._key(result), origin)
        if origin and isinstance(result, list):
            for item in result:
                if isinstance(item, str | bytes) and len(item) > 100:
                    self._origins.setdefault(item, origin)
        if origin and isinstance(result, dict):
            self._derive(list(result.values()), *sources, stage=stage)
        return result

    def _weighed(self, value: Any) -> Any:
        """The value, its size counted as work: a bound on steps alone would let every step be huge."""
        if isinstance(value, str | bytes | bytearray | list | tuple | dict):
            if len(value) > (MAX_BYTES if isinstance(value, str | bytes | bytearray) else _MAX_ITEMS):
                raise Unknown("a value is too long")
            self._step(len(value) // 1000)
        return value

    def _step(self, weight: int = 1) -> None:
        self._steps += weight
        if self._steps > _MAX_STEPS:
            raise Exhausted("its wrapper computes for too long")


def _name(node: ast.expr) -> str:
    return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""
