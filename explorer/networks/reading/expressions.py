"""Expressions: names, numbers, operators, calls."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Final, NoReturn

from torch import Tensor, nn

from explorer.networks.reading import budget, calls, making, members, methods, naming, tables
from explorer.networks.reading.refusal import nearest
from explorer.networks.reading.values import (
    Function,
    Klass,
    Method,
    Scope,
    Symbol,
    Unread,
)
from explorer.networks.reading.walker import Walker

_BINARY: Final[Mapping[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.MatMult: operator.matmul,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}
_COMPARISONS: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda one, many: one in many,
    ast.NotIn: lambda one, many: one not in many,
}
REFUSED: Final[Mapping[type[ast.AST], str]] = {
    ast.Global: "“global” is not read: give the value as an argument.",
    ast.Nonlocal: "“nonlocal” is not read: give the value as an argument.",
    ast.AsyncFunctionDef: "“async” is not read: a network does not wait.",
    ast.AsyncFor: "“async” is not read: a network does not wait.",
    ast.AsyncWith: "“async” is not read: a network does not wait.",
    ast.Await: "“await” is not read: a network does not wait.",
    ast.Yield: "“yield” is not read: make a list.",
    ast.YieldFrom: "“yield” is not read: make a list.",
    ast.Match: "“match” is not read: write if and elif.",
    ast.Delete: "“del” is read for names alone.",
}
_SPECIFICATION: Final = re.compile(r"[<>^]?0?\d{0,2},?(?:\.\d)?[dsfeg%]?")
_PERCENT: Final = re.compile(r"%(?:(0?\d?\d?)d|s|i|%)")


class Expressions(Walker):
    """What each kind of expression gives."""

    def evaluate(self, node: ast.expr, scope: Scope) -> Any:
        """The value of an expression."""
        self.tick(node)
        method = self._EXPRESSION.get(type(node))
        if method is None:
            name = type(node).__name__.lower()
            self.refuse(node, REFUSED.get(type(node), f"“{name}” is not read here."))
        return method(self, node, scope)

    def _constant(self, node: ast.Constant, scope: Scope) -> Any:
        if isinstance(node.value, bytes | complex):
            self.refuse(node, "neither bytes nor complex numbers have a part in a network.")
        return self.kept(node.value, node)

    def _name(self, node: ast.Name, scope: Scope) -> Any:
        found = scope.find(node.id)
        if found is not None:
            return found.names[node.id]
        if node.id in tables.PREDEFINED:
            return Symbol(tables.PREDEFINED[node.id])
        if node.id in tables.BUILTINS:
            return Symbol(f"builtins.{node.id}")
        if node.id in tables.KERAS_NAMES:
            self.refuse(node, f"{node.id} is code of Keras; only PyTorch is read.")
        strange = next((sign for sign in node.id if ord(sign) > 127), "")
        if strange and nearest(node.id, ["nn", "torch", *scope.known()]) == "" and len(node.id) > 20:
            strange = ""
        if strange:
            self.refuse(
                node,
                f"“{node.id}” is not known: its “{strange}” (U+{ord(strange):04X}) is no letter of ASCII.",
            )
        layer = next((path for path in (f"torch.nn.{node.id}",) if path in tables.LAYERS), "")
        if layer:
            self.refuse_word(node, f"“{node.id}” is not known", node.id, f"nn.{node.id}")
        names = [*scope.known(), *tables.PREDEFINED, *sorted(tables.BUILTINS)]
        self.refuse_word(node, f"“{node.id}” is not known", node.id, nearest(node.id, names))

    def _sequence(self, node: ast.Tuple | ast.List, scope: Scope) -> Any:
        values: list[Any] = []
        for element in node.elts:
            if isinstance(element, ast.Starred):
                values += self.items(self.evaluate(element.value, scope), element)
            else:
                values.append(self.evaluate(element, scope))
        return self.kept(tuple(values) if isinstance(node, ast.Tuple) else values, node)

    def _dict(self, node: ast.Dict, scope: Scope) -> Any:
        made: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                more = self.evaluate(value, scope)
                if not isinstance(more, dict):
                    self.refuse(value, f"{naming.told(more)} is no dictionary.")
                made.update(more)
            else:
                name = self.evaluate(key, scope)
                made[self.key(name, key)] = self.evaluate(value, scope)
        return self.kept(made, node)

    def _binary(self, node: ast.BinOp, scope: Scope) -> Any:
        return self.binary(node.op, self.evaluate(node.left, scope), self.evaluate(node.right, scope), node)

    def binary(self, sign: ast.operator, left: Any, right: Any, node: ast.AST) -> Any:
        """The result of an operator."""
        if isinstance(left, Unread) or isinstance(right, Unread):
            return left if isinstance(left, Unread) else right
        function = _BINARY[type(sign)]
        if isinstance(left, Tensor) or isinstance(right, Tensor):
            for one in (left, right):
                if not isinstance(one, Tensor | int | float):
                    self.refuse(node, f"a tensor and {naming.told(one)} cannot be combined.")
            self.operation(node)
            return self.kept(self.attempt(node, "this operation", function, left, right), node)
        if isinstance(left, int | float) and isinstance(right, int | float):
            self._check_numbers(sign, left, right, node)
        elif isinstance(sign, ast.Mod) and isinstance(left, str):
            return self.kept(self._percent(left, right, node), node)
        elif isinstance(sign, ast.Mult):
            times, value = (left, right) if isinstance(left, int) else (right, left)
            if not isinstance(times, int) or not isinstance(value, list | tuple | str):
                self._no_operands(left, right, node)
            most = budget.TEXT if isinstance(value, str) else budget.ITEMS
            if len(value) * max(times, 0) > most:
                self.refuse(
                    node, f"this is repeated to a length of {len(value) * times:,}; at most {most:,}."
                )
        elif not (isinstance(sign, ast.Add) and self._addable(left, right)) and not (
            isinstance(sign, ast.BitOr) and isinstance(left, dict) and isinstance(right, dict)
        ):
            self._no_operands(left, right, node)
        if isinstance(left, nn.Module):
            return making.build(self, "torch.nn.Sequential", [*left, *right], {}, node)  # type: ignore[misc]
        return self.kept(self.attempt(node, "this operation", function, left, right), node)

    def _addable(self, left: Any, right: Any) -> bool:
        return any(
            isinstance(left, kind) and isinstance(right, kind) for kind in (list, tuple, str, nn.Sequential)
        )

    def _no_operands(self, left: Any, right: Any, node: ast.AST) -> NoReturn:
        self.refuse(node, f"{naming.told(left)} and {naming.told(right)} cannot be combined like this.")

    def _check_numbers(self, sign: ast.operator, left: float, right: float, node: ast.AST) -> None:
        if isinstance(sign, ast.Pow) and (abs(right) > 64 or abs(left) > 2**20):
            self.refuse(node, "this power is too large.")
        if isinstance(sign, ast.LShift) and right > 64:
            self.refuse(node, "this shift is too large.")
        if isinstance(sign, ast.Div | ast.FloorDiv | ast.Mod) and right == 0:
            self.refuse(node, "this divides by zero.")

    def _percent(self, text: str, values: Any, node: ast.AST) -> str:
        if re.search(r"%", _PERCENT.sub("", text)):
            self.refuse(node, "of the “%” formats, %d, %i and %s are read.")
        given = list(values) if isinstance(values, tuple) else [values]
        for one in given:
            self.name_part(one, node)
        return str(self.attempt(node, "this format", operator.mod, text, tuple(given)))

    def _unary(self, node: ast.UnaryOp, scope: Scope) -> Any:
        value = self.evaluate(node.operand, scope)
        if isinstance(node.op, ast.Not):
            return not self.truth(value, node)
        if isinstance(value, Unread):
            return value
        if not isinstance(value, int | float | Tensor):
            self.refuse(node, f"{naming.told(value)} has no sign.")
        functions: dict[type[ast.unaryop], Callable[[Any], Any]] = {
            ast.USub: operator.neg,
            ast.UAdd: operator.pos,
            ast.Invert: operator.invert,
        }
        return self.kept(self.attempt(node, "this sign", functions[type(node.op)], value), node)

    def _boolean(self, node: ast.BoolOp, scope: Scope) -> Any:
        value: Any = None
        for one in node.values:
            value = self.evaluate(one, scope)
            if self.truth(value, one) is isinstance(node.op, ast.Or):
                return value
        return value

    def _compare(self, node: ast.Compare, scope: Scope) -> Any:
        left = self.evaluate(node.left, scope)
        result: Any = True
        for sign, comparator in zip(node.ops, node.comparators, strict=True):
            right = self.evaluate(comparator, scope)
            identity = isinstance(sign, ast.Is | ast.IsNot)
            if not identity and (isinstance(left, Unread) or isinstance(right, Unread)):
                return Unread("a comparison")
            if not identity:
                self.comparable([left, right], node)
            result = self.attempt(node, "this comparison", _COMPARISONS[type(sign)], left, right)
            if isinstance(result, Tensor):
                self.operation(node)
                return self.kept(result, node)
            if not result:
                return False
            left = right
        return result

    def _either(self, node: ast.IfExp, scope: Scope) -> Any:
        holds = self.truth(self.evaluate(node.test, scope), node.test)
        return self.evaluate(node.body if holds else node.orelse, scope)

    def _format(self, node: ast.JoinedStr, scope: Scope) -> str:
        parts: list[str] = []
        for value in node.values:
            if isinstance(value, ast.Constant):
                parts.append(str(value.value))
            elif isinstance(value, ast.FormattedValue):
                parts.append(self._formatted(value, scope))
            self.kept("".join(parts), node)
        return str(self.kept("".join(parts), node))

    def _formatted(self, node: ast.FormattedValue, scope: Scope) -> str:
        value = self.evaluate(node.value, scope)
        text = self.name_part(value, node)
        if node.conversion == ord("r") and isinstance(value, str):
            return repr(value)
        if node.format_spec is None or isinstance(value, Unread):
            return text
        pieces = node.format_spec.values if isinstance(node.format_spec, ast.JoinedStr) else []
        specification = "".join(
            str(piece.value) if isinstance(piece, ast.Constant) else "{" for piece in pieces
        )
        if not _SPECIFICATION.fullmatch(specification):
            self.refuse(node, f"the format “{specification[:20]}” is not read.")
        return str(self.attempt(node, "this format", format, value, specification))

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp, scope: Scope) -> list[Any]:
        made: list[Any] = []
        for inner in self._rounds(node.generators, Scope(scope, function=False)):
            made.append(self.evaluate(node.elt, inner))
            if len(made) > budget.ITEMS:
                self.kept(made, node)
        return list(self.kept(made, node))

    def _dict_comprehension(self, node: ast.DictComp, scope: Scope) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for inner in self._rounds(node.generators, Scope(scope, function=False)):
            key = self.evaluate(node.key, inner)
            made[self.key(key, node.key)] = self.evaluate(node.value, inner)
            if len(made) > budget.ITEMS:
                self.kept(made, node)
        return made

    def _rounds(self, generators: list[ast.comprehension], scope: Scope) -> Iterator[Scope]:
        if not generators:
            yield scope
            return
        first, *rest = generators
        if first.is_async:
            self.refuse(first.target, REFUSED[ast.AsyncFor])
        for value in self.items(self.evaluate(first.iter, scope), first.iter):
            self.tick(first.target)
            self.assign(first.target, value, scope)
            if all(self.truth(self.evaluate(one, scope), one) for one in first.ifs):
                yield from self._rounds(rest, scope)

    def _walrus(self, node: ast.NamedExpr, scope: Scope) -> Any:
        value = self.evaluate(node.value, scope)
        self.assign(node.target, value, scope.method())
        return value

    def _lambda(self, node: ast.Lambda, scope: Scope) -> Function:
        return self._made_function("lambda", node, scope, None)

    def _subscript(self, node: ast.Subscript, scope: Scope) -> Any:
        owner = self.evaluate(node.value, scope)
        if isinstance(owner, Symbol):
            return owner
        return members.entry(self, owner, self._index(node.slice, scope), node)

    def _index(self, node: ast.expr, scope: Scope) -> Any:
        if isinstance(node, ast.Slice):
            bounds = [
                None if one is None else self.evaluate(one, scope)
                for one in (node.lower, node.upper, node.step)
            ]
            for bound in bounds:
                if not isinstance(bound, int | None) or (
                    isinstance(bound, int) and abs(bound) > budget.WHOLE
                ):
                    self.refuse(node, f"{naming.told(bound)} cannot bound a slice.")
            return slice(*bounds)
        if isinstance(node, ast.Tuple):
            return tuple(self._index(one, scope) for one in node.elts)
        return self.evaluate(node, scope)

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Any:
        return members.attribute(self, self.evaluate(node.value, scope), node.attr, node)

    def _call(self, node: ast.Call, scope: Scope) -> Any:
        if isinstance(node.func, ast.Name) and node.func.id == "super" and scope.find("super") is None:
            return members.above(self, node, [self.evaluate(one, scope) for one in node.args], scope)
        function = self.evaluate(node.func, scope)
        if isinstance(function, Unread) or (isinstance(function, Symbol) and naming.unread(function.path)):
            calls.note_example(self, function.path, node, scope)
            return naming.skipped(self, function.path)
        if (
            isinstance(function, Method)
            and isinstance(function.me, nn.Module)
            and function.name in members.IDLE
        ):
            calls.note_example(self, function.name, node, scope)
            return methods.idle(self, function.me, function.name, scope)
        if isinstance(function, Symbol) and function.path in tables.QUIET and not node.args:
            return function
        arguments: list[Any] = []
        for one in node.args:
            if isinstance(one, ast.Starred):
                arguments += self.items(self.evaluate(one.value, scope), one)
            else:
                arguments.append(self.evaluate(one, scope))
        keywords: dict[str, Any] = {}
        for keyword in node.keywords:
            value = self.evaluate(keyword.value, scope)
            if keyword.arg is not None:
                keywords[keyword.arg] = value
            elif isinstance(value, dict) and all(isinstance(key, str) for key in value):
                keywords.update(value)
            else:
                self.refuse(
                    keyword.value, f"“**” needs a dictionary with texts as keys, not {naming.told(value)}."
                )
        self.kept(arguments, node)
        return self.kept(calls.call(self, function, arguments, keywords, node, scope), node)

    def _starred(self, node: ast.Starred, scope: Scope) -> NoReturn:
        self.refuse(node, "“*” stands where no list is unpacked.")

    def _made_function(
        self, name: str, node: ast.FunctionDef | ast.Lambda, scope: Scope, owner: Klass | None
    ) -> Function:
        arguments = node.args
        defaults = tuple(self.evaluate(one, scope) for one in arguments.defaults)
        keyword_defaults = {
            argument.arg: self.evaluate(default, scope)
            for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
            if default is not None
        }
        # a method does not see the names of its class, but those around it
        seen = scope.outer if owner is not None and scope.outer is not None else scope
        return Function(name, node, seen, defaults, keyword_defaults, owner)

    _EXPRESSION: ClassVar[dict[type[ast.expr], Callable[..., Any]]] = {
        ast.Constant: _constant,
        ast.Name: _name,
        ast.Tuple: _sequence,
        ast.List: _sequence,
        ast.Dict: _dict,
        ast.BinOp: _binary,
        ast.UnaryOp: _unary,
        ast.BoolOp: _boolean,
        ast.Compare: _compare,
        ast.IfExp: _either,
        ast.JoinedStr: _format,
        ast.ListComp: _comprehension,
        ast.GeneratorExp: _comprehension,
        ast.DictComp: _dict_comprehension,
        ast.NamedExpr: _walrus,
        ast.Lambda: _lambda,
        ast.Subscript: _subscript,
        ast.Attribute: _attribute,
        ast.Call: _call,
        ast.Starred: _starred,
    }
