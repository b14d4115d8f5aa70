"""Statements: assignments, loops, functions, classes, imports."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, ClassVar, NoReturn

from torch import Tensor, nn

from explorer.networks.reading import members, methods, naming, tables
from explorer.networks.reading.expressions import REFUSED, Expressions
from explorer.networks.reading.refusal import nearest
from explorer.networks.reading.values import (
    Klass,
    ReadModule,
    Scope,
    Symbol,
    Unread,
)


class Returned(Exception):
    """A function ends with this value."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Left(Exception):
    """`break`."""


class Continued(Exception):
    """`continue`."""


class Statements(Expressions):
    """What each kind of statement does."""

    def run(self, body: list[ast.stmt], scope: Scope) -> None:
        """Runs statements one after the other."""
        for statement in body:
            self.tick(statement)
            method = self._STATEMENT.get(type(statement))
            if method is None:
                name = type(statement).__name__.lower()
                self.refuse(statement, REFUSED.get(type(statement), f"“{name}” is not read."))
            method(self, statement, scope)

    def _expression(self, statement: ast.Expr, scope: Scope) -> None:
        if isinstance(statement.value, ast.Constant):
            return
        value = self.evaluate(statement.value, scope)
        if scope is self.scope and isinstance(value, nn.Module) and not isinstance(statement.value, ast.Name):
            self.result(type(value).__name__, value)
        elif scope is self.scope and isinstance(value, nn.Module) and isinstance(statement.value, ast.Name):
            self.result(statement.value.id, value)

    def _assign(self, statement: ast.Assign, scope: Scope) -> None:
        value = self.evaluate(statement.value, scope)
        for target in statement.targets:
            self.assign(target, value, scope)

    def _annotated(self, statement: ast.AnnAssign, scope: Scope) -> None:
        if statement.value is not None:
            self.assign(statement.target, self.evaluate(statement.value, scope), scope)

    def _augmented(self, statement: ast.AugAssign, scope: Scope) -> None:
        target = statement.target
        reading: ast.expr
        if isinstance(target, ast.Name):
            reading = ast.copy_location(ast.Name(target.id, ast.Load()), target)
        elif isinstance(target, ast.Attribute):
            reading = ast.copy_location(ast.Attribute(target.value, target.attr, ast.Load()), target)
        else:
            reading = ast.copy_location(ast.Subscript(target.value, target.slice, ast.Load()), target)
        before = self.evaluate(reading, scope)
        value = self.evaluate(statement.value, scope)
        if isinstance(before, list) and isinstance(statement.op, ast.Add):
            before.extend(self.items(value, statement))
            self.kept(before, statement)
        elif isinstance(before, nn.Sequential | nn.ModuleList) and isinstance(statement.op, ast.Add):
            for one in self.items(value, statement):
                methods.module_method(self, before, "append", (one,), {}, statement)
        else:
            before = self.binary(statement.op, before, value, statement)
        self.assign(target, before, scope)

    def assign(self, target: ast.AST, value: Any, scope: Scope) -> None:
        """Gives a value to a name, an attribute, an entry, or several of them."""
        if isinstance(target, ast.Name):
            if target.id.startswith("__"):
                self.refuse(target, f"{target.id} belongs to Python.")
            scope.names[target.id] = self.kept(value, target)
            if scope is self.scope and isinstance(value, nn.Module):
                self.results = [entry for entry in self.results if entry[1] is not value]
                self.result(target.id, value)
        elif isinstance(target, ast.Tuple | ast.List):
            self._unpack(target, value, scope)
        elif isinstance(target, ast.Attribute):
            members.set_attribute(self, self.evaluate(target.value, scope), target.attr, value, target)
        elif isinstance(target, ast.Subscript):
            owner = self.evaluate(target.value, scope)
            members.set_entry(self, owner, self._index(target.slice, scope), value, target)
        else:
            self.refuse(target, "nothing can be assigned to this.")

    def _unpack(self, target: ast.Tuple | ast.List, value: Any, scope: Scope) -> None:
        if isinstance(value, Unread):
            for one in target.elts:
                self.assign(one.value if isinstance(one, ast.Starred) else one, value, scope)
            return
        values = self.items(value, target)
        stars = [index for index, one in enumerate(target.elts) if isinstance(one, ast.Starred)]
        wanted = len(target.elts)
        if len(stars) > 1:
            self.refuse(target, "two names with a “*” stand on one side.")
        if len(values) != wanted and not (stars and len(values) >= wanted - 1):
            self.refuse(target, f"{len(values)} values arrive for {wanted} names.")
        if stars:
            first, rest = stars[0], len(values) - wanted + 1
            values = [*values[:first], list(values[first : first + rest]), *values[first + rest :]]
        for one, part in zip(target.elts, values, strict=True):
            self.assign(one.value if isinstance(one, ast.Starred) else one, part, scope)

    def _for(self, statement: ast.For, scope: Scope) -> None:
        for value in self.items(self.evaluate(statement.iter, scope), statement.iter):
            self.tick(statement)
            made = self.results
            self.assign(statement.target, value, scope)
            self.results = made  # what a loop goes over is not made by it
            try:
                self.run(statement.body, scope)
            except Left:
                return
            except Continued:
                continue
        self.run(statement.orelse, scope)

    def _while(self, statement: ast.While, scope: Scope) -> None:
        while self.truth(self.evaluate(statement.test, scope), statement.test):
            self.tick(statement)
            try:
                self.run(statement.body, scope)
            except Left:
                return
            except Continued:
                continue
        self.run(statement.orelse, scope)

    def _if(self, statement: ast.If, scope: Scope) -> None:
        holds = self.truth(self.evaluate(statement.test, scope), statement.test)
        self.run(statement.body if holds else statement.orelse, scope)

    def _with(self, statement: ast.With, scope: Scope) -> None:
        quiet = None
        for item in statement.items:
            value = self.evaluate(item.context_expr, scope)
            if isinstance(value, Symbol) and value.path in tables.QUIET:
                quiet = tables.QUIET[value.path]
            elif not isinstance(value, Unread):
                self.refuse(item.context_expr, f"“with {naming.told(value)}” is not read.")
            if item.optional_vars is not None:
                self.assign(item.optional_vars, Unread("with"), scope)
        if quiet is None:
            self.run(statement.body, scope)
        else:
            with quiet():
                self.run(statement.body, scope)

    def _try(self, statement: ast.Try, scope: Scope) -> None:
        # What goes wrong is told and not handled: the body is all that ever runs.
        self.run([*statement.body, *statement.orelse, *statement.finalbody], scope)

    def _return(self, statement: ast.Return, scope: Scope) -> NoReturn:
        if scope.method() is self.scope:
            self.refuse(statement, "“return” stands outside a function.")
        raise Returned(self.evaluate(statement.value, scope) if statement.value else None)

    def _break(self, statement: ast.Break, scope: Scope) -> NoReturn:
        raise Left

    def _continue(self, statement: ast.Continue, scope: Scope) -> NoReturn:
        raise Continued

    def _pass(self, statement: ast.Pass, scope: Scope) -> None:
        pass

    def _assert(self, statement: ast.Assert, scope: Scope) -> None:
        value = self.evaluate(statement.test, scope)
        if not isinstance(value, Unread | Tensor) and not self.truth(value, statement.test):
            text = self.evaluate(statement.msg, scope) if statement.msg else ""
            said = f": {text}" if isinstance(text, str) and text else ""
            self.refuse(statement, f"the code's own check fails{said}.")

    def _raise(self, statement: ast.Raise, scope: Scope) -> NoReturn:
        name, text = "an error", ""
        if isinstance(statement.exc, ast.Call):
            name = ast.unparse(statement.exc.func)[:60]
            first = self.evaluate(statement.exc.args[0], scope) if statement.exc.args else ""
            text = f": {first}" if isinstance(first, str) and first else ""
        elif statement.exc is not None:
            name = ast.unparse(statement.exc)[:60]
        self.refuse(statement, f"the code raises {name}{text}.")

    def _delete(self, statement: ast.Delete, scope: Scope) -> None:
        for target in statement.targets:
            if not isinstance(target, ast.Name) or target.id not in scope.names:
                self.refuse(target, REFUSED[ast.Delete])
            del scope.names[target.id]

    def _import(self, statement: ast.Import, scope: Scope) -> None:
        for alias in statement.names:
            self._known_library(alias.name, alias)
            bound = alias.name if alias.asname else alias.name.partition(".")[0]
            scope.names[alias.asname or bound] = Symbol(tables.canonical(bound))

    def _import_from(self, statement: ast.ImportFrom, scope: Scope) -> None:
        module = statement.module or ""
        self._known_library(module, statement)
        for alias in statement.names:
            if alias.name == "*":
                prefixes = tables.STAR.get(module)
                if statement.level or prefixes is None:
                    self.refuse(
                        alias,
                        f"“from {'.' * statement.level}{module} import *” is not read: name what is imported.",
                    )
                for path in [*tables.LAYERS, *tables.FUNCTIONS, "torch.nn.Module", "torch.nn.Parameter"]:
                    if path.rpartition(".")[0] + "." in prefixes:
                        scope.names[path.rpartition(".")[2]] = Symbol(path)
                continue
            origin = f"{'.' * statement.level}{module}"
            path = (
                f"another file ({origin or '.'}).{alias.name}"
                if statement.level
                else f"{module}.{alias.name}"
            )
            scope.names[alias.asname or alias.name] = Symbol(tables.canonical(path))

    def _known_library(self, module: str, node: ast.AST) -> None:
        library = tables.FOREIGN.get(module.partition(".")[0])
        if library:
            self.refuse(node, f"this is code of {library}; only PyTorch is read.")

    def _function(self, statement: ast.FunctionDef, scope: Scope, owner: Klass | None = None) -> None:
        function = self._made_function(statement.name, statement, scope, owner)
        for decorator in reversed(statement.decorator_list):
            call = decorator if isinstance(decorator, ast.Call) else None
            name = self.evaluate(call.func if call else decorator, scope)
            path = name.path if isinstance(name, Symbol | Unread) else ""
            if path == "d2l.add_to_class" and call and call.args:
                extended = self.evaluate(call.args[0], scope)
                if not isinstance(extended, Klass):
                    self.refuse(call.args[0], "add_to_class needs a class of this code.")
                function.owner = extended
                extended.members[statement.name] = function
                return
            if path.removeprefix("builtins.") in ("property", "staticmethod", "classmethod") and not call:
                function.wrapper = path.removeprefix("builtins.")
            elif path not in tables.QUIET and not (path and naming.unread(path)):
                self.refuse(
                    decorator, f"the decorator @{ast.unparse(call.func if call else decorator)} is not read."
                )
        scope.names[statement.name] = function

    def _class(self, statement: ast.ClassDef, scope: Scope) -> None:
        klass = self._bare_class(statement, scope)
        if klass is None:
            return
        body = Scope(scope, function=False)
        for part in statement.body:
            if isinstance(part, ast.FunctionDef):
                dunder = part.name.startswith("__") and part.name.endswith("__")
                if dunder and part.name not in ("__init__", "__repr__", "__str__", "__len__"):
                    self.refuse(part, f"the method {part.name} is not read.")
                self._function(part, body, klass)
            elif isinstance(part, ast.Expr | ast.Pass | ast.Assign | ast.AnnAssign | ast.ClassDef | ast.If):
                self.run([part], body)
            else:
                self.run([part], body)
        klass.members.update(body.names)
        if klass.native is not None:
            klass.made = type(statement.name, (ReadModule, klass.native), {"_klass": klass})
        scope.names[statement.name] = klass

    def _bare_class(self, statement: ast.ClassDef, scope: Scope) -> Klass | None:
        """The class without its body; None where it has no part in a network, as a data set."""
        for decorator in statement.decorator_list:
            self.refuse(decorator, f"the decorator @{ast.unparse(decorator)[:60]} is not read.")
        bases = [self.evaluate(base, scope) for base in statement.bases]
        modules = [
            base for base in bases if not (isinstance(base, Symbol | Unread) and naming.unread(base.path))
        ]
        if (bases and not modules) or (isinstance(bases[0] if bases else None, Unread)):
            bases_told = ", ".join(base.path for base in bases)
            self.notes[f"The class {statement.name} ({bases_told}) has no part in the network."] = None
            scope.names[statement.name] = Unread(statement.name)
            return None
        if not modules or (isinstance(modules[0], Symbol) and modules[0].path == "builtins.object"):
            return Klass(statement.name, {}, None, None, self)
        base, node = modules[0], statement.bases[0]
        if len(modules) > 1:
            self.refuse(statement.bases[1], f"the class {statement.name} extends several; one is read.")
        if isinstance(base, Klass):
            return Klass(statement.name, {}, base, base.native, self, base.learner)
        native = tables.BASES.get(base.path) if isinstance(base, Symbol) else None
        if native is None:
            shown = naming.told(base)
            near = nearest(
                shown.removeprefix("torch."), [path.removeprefix("torch.") for path in tables.BASES]
            )
            prefix, _, word = shown.removeprefix("torch.").rpartition(".")
            reason = f"{shown} is not a module that a class can extend"
            if prefix and near.startswith(f"{prefix}."):
                self.refuse_word(node, reason, word, near.removeprefix(f"{prefix}."), f"{prefix}.")
            self.refuse(node, reason + (f": did you mean {near}?" if near else "."))
        return Klass(statement.name, {}, None, native, self, base.path.startswith("d2l."))

    _STATEMENT: ClassVar[dict[type[ast.stmt], Callable[..., None]]] = {
        ast.Expr: _expression,
        ast.Assign: _assign,
        ast.AnnAssign: _annotated,
        ast.AugAssign: _augmented,
        ast.For: _for,
        ast.While: _while,
        ast.If: _if,
        ast.With: _with,
        ast.Try: _try,
        ast.Return: _return,
        ast.Break: _break,
        ast.Continue: _continue,
        ast.Pass: _pass,
        ast.Assert: _assert,
        ast.Raise: _raise,
        ast.Delete: _delete,
        ast.Import: _import,
        ast.ImportFrom: _import_from,
        ast.FunctionDef: _function,
        ast.ClassDef: _class,
    }
