"""Runs model code without Python running it: a tree is walked, and what is in no table is refused.

Nothing is compiled, imported or looked up by name in a real object.  Names of torch are texts (`Symbol`) until our
tables answer for them; attributes of layers are entries of their dictionaries; every loop, list, text and number
has a limit (`budget`).
"""

from __future__ import annotations

import ast
from typing import Any

from torch import nn

from explorer.networks.reading import budget, making, naming
from explorer.networks.reading.refusal import CodeError, nearest
from explorer.networks.reading.statements import Continued, Left, Returned, Statements
from explorer.networks.reading.values import (
    Function,
    ReadModule,
    Scope,
)


class Reader(Statements):
    """Reads one source: its statements once, and each forward of its classes whenever a module of it runs."""

    def invoke(
        self, function: Function, arguments: list[Any], keywords: dict[str, Any], node: ast.AST | None
    ) -> Any:
        """What a function of the code returns."""
        place = node or function.node
        allowance = budget.current()
        if allowance.depth >= budget.DEPTH:
            self.refuse(
                place,
                f"more than {budget.DEPTH} functions call one another: does {function.name} call itself?",
            )
        scope = Scope(function.scope, function.owner, arguments[0] if arguments else None)
        scope.names = self._bound(function, arguments, keywords, place)
        scope.arguments = dict(scope.names)
        allowance.depth += 1
        try:
            if isinstance(function.node, ast.Lambda):
                return self.evaluate(function.node.body, scope)
            self.run(function.node.body, scope)
        except Returned as result:
            return result.value
        except (Left, Continued):
            self.refuse(function.node, "“break” or “continue” stands outside a loop.")
        finally:
            allowance.depth -= 1
        return None

    def _bound(
        self, function: Function, arguments: list[Any], keywords: dict[str, Any], node: ast.AST
    ) -> dict[str, Any]:
        """The names of a call: what each argument of the function is."""
        declared = function.node.args
        positions = [one.arg for one in (*declared.posonlyargs, *declared.args)]
        method = 1 if function.owner is not None and function.wrapper != "staticmethod" else 0
        bound = dict(
            zip(positions[len(positions) - len(function.defaults) :], function.defaults, strict=True)
        )
        bound.update(function.keyword_defaults)
        if len(arguments) > len(positions) and declared.vararg is None:
            self.refuse(
                node,
                f"{function.name}() takes {len(positions) - method} of its arguments by position, "
                f"and {len(arguments) - method} are given.",
            )
        given = dict(zip(positions, arguments, strict=False))
        bound.update(given)
        if declared.vararg is not None:
            bound[declared.vararg.arg] = tuple(arguments[len(positions) :])
        allowed = {*positions, *(one.arg for one in declared.kwonlyargs)}
        rest: dict[str, Any] = {}
        for name, value in keywords.items():
            if name in given:
                self.refuse(node, f"{function.name}() is given {name} twice.")
            if name in allowed:
                bound[name] = value
            elif declared.kwarg is not None:
                rest[name] = value
            else:
                reason, near = f"{function.name}() has no argument “{name}”", nearest(name, allowed)
                self.refuse_word(node, reason, name, near, written=naming.keyword(node, name))
        if declared.kwarg is not None:
            bound[declared.kwarg.arg] = rest
        missing = [
            name for name in (*positions, *(one.arg for one in declared.kwonlyargs)) if name not in bound
        ]
        if missing:
            self.refuse(node, f"{function.name}() needs {', '.join(missing)}.")
        return bound

    def forward(self, module: ReadModule, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """The forward of a module that was read, with a budget of its own where nothing runs around it."""
        if budget.running():
            return self._forward(module, arguments, keywords)
        with budget.fresh():
            try:
                return self._forward(module, arguments, keywords)
            except RecursionError:
                raise CodeError(f"forward of {type(module).__name__} is nested too deeply.") from None

    def _forward(self, module: ReadModule, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        klass = module._klass
        function = klass.find("forward")
        if isinstance(function, Function):
            return self.invoke(function, [module, *arguments], keywords, None)
        if klass.native not in (None, nn.Module):
            why = budget.current().called(making.written_out(self, module, None))
            if why:
                raise CodeError(f"In {type(module).__name__} {why}")
            return klass.native.forward(module, *arguments, **keywords)
        net = module._modules.get("net")
        if klass.learner and net is not None:
            return net(*arguments, **keywords)
        raise CodeError(f"The class {klass.name} has no forward, so nothing says how its layers are joined.")
