"""Small wrong changes of a module: comparisons, arithmetic, logic, constants, opposites, left-out statements.

Left alone are message texts, log levels, annotations, unions of types, what makes a class frozen or quick, docstrings
and defaults of arguments: a test of those would only say the code again, or fails whatever is tested.
"""

from __future__ import annotations

import ast
import builtins
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

_OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.And: ast.Or, ast.Or: ast.And,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
_OPPOSITES = {
    "min": "max", "max": "min", "any": "all", "all": "any", "floor": "ceil", "ceil": "floor", "argmin": "argmax",
    "argmax": "argmin", "minimum": "maximum", "maximum": "minimum", "sin": "cos", "cos": "sin", "nanmin": "nanmax",
    "nanmax": "nanmin", "sum": "max", "mean": "max", "logical_and": "logical_or", "zeros": "ones", "cumsum": "asarray",
}  # fmt: skip
# What is said to the user, and what only says types.
_SILENT_CALLS = {"must", "unknown", "offenders", "InputError", "show", "echo", "say", "note", "setLevel", "getLogger"}
_SILENT_CALLS |= {"TypeVar", "NewType", "cast"}
_SILENT_KEYWORDS = {"frozen", "gc", "slots", "eq", "kw_only"}  # of a class


@dataclass(frozen=True)
class Mutant:
    """One change: the file, the place, what stood there and what stands there now."""

    path: Path
    line: int
    before: str
    after: str
    source: str
    site: int  # which of the nodes that may be changed
    kind: int  # which of the changes of that node

    @property
    def text(self) -> str:
        """The whole new text of the file."""
        tree = ast.parse(self.source)
        target, parent = list(_sites(tree))[self.site]
        list(_changes(target))[self.kind](target, parent)
        return ast.unparse(tree) + "\n"

    def __str__(self) -> str:
        return f"{self.path.as_posix()}:{self.line}: {self.before} -> {self.after}"


def mutants_of(path: Path) -> list[Mutant]:
    """Return all changes of a module, in the order of its lines."""
    source = path.read_text(encoding="utf-8")
    found = []
    for site, (node, _) in enumerate(_sites(ast.parse(source))):
        for kind, change in enumerate(_changes(node)):
            after = change(copy.deepcopy(node), ast.Module([], []))  # of a copy, in nobody's body
            found.append(Mutant(path, getattr(node, "lineno", 0), ast.unparse(node), after, source, site, kind))
    return found


def _sites(tree: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Yield the nodes that may be changed with their parents, always in the same order."""
    for child in ast.iter_child_nodes(tree):
        if _is_silent(child, tree):
            continue
        yield child, tree
        yield from _sites(child)


def _is_silent(node: ast.AST, parent: ast.AST) -> bool:
    node = node.value if isinstance(node, ast.Expr) else node  # a statement that only calls is its call
    if isinstance(node, (ast.Raise, ast.Import, ast.ImportFrom, ast.JoinedStr, ast.arguments)):
        return True
    if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in _SILENT_CALLS:
        return True
    if isinstance(parent, ast.ClassDef) and isinstance(node, ast.keyword) and node.arg in _SILENT_KEYWORDS:
        return True
    if isinstance(parent, ast.Module) and isinstance(node, ast.Assign) and _is_type(node.value):
        return True
    if isinstance(parent, (ast.AnnAssign, ast.FunctionDef)) and node in (
        getattr(parent, "annotation", None),
        getattr(parent, "returns", None),
    ):
        return True
    if isinstance(parent, (ast.FunctionDef, ast.ClassDef)) and node in parent.decorator_list:
        return True
    if isinstance(node, ast.Subscript) and _name_of(node.value) == "Literal":
        return True
    main = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    return main or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _is_type(node: ast.AST) -> bool:
    """Tell a union of types, such as `int | None` or `list[str] | str`; it fails to load where it is changed."""
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.BitOr) and (_is_type(node.left) or _is_type(node.right))
    name = node.value if isinstance(node, ast.Subscript) else node
    return isinstance(name, ast.Name) and isinstance(getattr(builtins, name.id, None), type)


Change = Callable[[ast.AST, ast.AST], str]


def _changes(node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _OPERATORS:
        yield _other_comparison
    elif isinstance(node, (ast.BinOp, ast.BoolOp, ast.AugAssign)) and type(node.op) in _OPERATORS:
        yield _other_operator
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        yield _without_sign
    elif isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float)):
        yield _other_constant
    elif isinstance(node, (ast.Attribute, ast.Name)) and _name_of(node) in _OPPOSITES:
        yield _opposite
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield _left_out


def _other_comparison(node: ast.AST, parent: ast.AST) -> str:
    assert isinstance(node, ast.Compare)
    node.ops[0] = _OPERATORS[type(node.ops[0])]()  # type: ignore[assignment]
    return ast.unparse(node)


def _other_operator(node: ast.AST, parent: ast.AST) -> str:
    assert isinstance(node, (ast.BinOp, ast.BoolOp, ast.AugAssign))
    node.op = _OPERATORS[type(node.op)]()  # type: ignore[assignment]
    return ast.unparse(node)


def _without_sign(node: ast.AST, parent: ast.AST) -> str:
    assert isinstance(node, ast.UnaryOp)
    inner = copy.deepcopy(node.operand)
    _replace(parent, node, inner)
    return ast.unparse(inner)


def _other_constant(node: ast.AST, parent: ast.AST) -> str:
    assert isinstance(node, ast.Constant)
    value = node.value
    if isinstance(value, bool):
        node.value = not value
    elif isinstance(value, int):
        node.value = value + 1
    else:
        assert isinstance(value, float)
        node.value = 1.1 * value + (0.5 if value == 0 else 0.0)
    return ast.unparse(node)


def _opposite(node: ast.AST, parent: ast.AST) -> str:
    new = _OPPOSITES[_name_of(node)]
    if isinstance(node, ast.Attribute):
        node.attr = new
    else:
        assert isinstance(node, ast.Name)
        node.id = new
    return ast.unparse(node)


def _left_out(node: ast.AST, parent: ast.AST) -> str:
    _replace(parent, node, ast.Pass())
    return "pass"


def _name_of(node: ast.AST) -> str:
    return str(getattr(node, "attr", getattr(node, "id", "")))


def _replace(parent: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for name, value in ast.iter_fields(parent):
        if value is old:
            setattr(parent, name, new)
        elif isinstance(value, list) and old in value:
            value[value.index(old)] = new
