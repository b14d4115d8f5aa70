"""What everything that walks the tree shares: refusals, limits, and what was found so far."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, NoReturn

from torch import Tensor, nn

from explorer.networks.reading import budget, calls, naming
from explorer.networks.reading.refusal import Place, Spelling
from explorer.networks.reading.text import Source
from explorer.networks.reading.values import (
    Function,
    Klass,
    ReadModule,
    Scope,
    Symbol,
    Unread,
    Written,
)


class Walker(Written):
    """Counts what is done, keeps values small, and says what cannot be."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.scope = Scope()
        self.scope.names["__name__"] = "__main__"
        self.notes: dict[str, None] = dict.fromkeys(source.notes)
        self.calls: dict[int, tuple[nn.Module, ast.AST]] = {}
        """The call that made each module, while the source is read."""
        self.left_out: dict[str, None] = {}
        self.example: tuple[int, ...] | None = None
        self.results: list[tuple[str, nn.Module]] = []
        """The modules that the text itself made, in order, with their names."""

    def refuse(self, node: ast.AST, reason: str) -> NoReturn:
        """Raises the error about this node."""
        place = self.source.place(node) if hasattr(node, "lineno") else Place(0, 0)
        raise self.source.error(reason, place.line, place.column)

    def refuse_word(
        self,
        node: ast.AST,
        reason: str,
        word: str,
        near: str,
        prefix: str = "",
        written: ast.AST | None = None,
    ) -> NoReturn:
        """Raises the error about a word that is not known, with the nearest that is, where one is near.

        Args:
            node: what the error is about.
            reason: the sentence, without its end.
            word: as it stands in the code.
            near: what was probably meant; "" where nothing is near.
            prefix: what stands before it in the sentence, "nn.".
            written: where the word stands, if not at the end of what the node calls or names.
        """
        if not near:
            self.refuse(node, f"{reason}.")
        place, spelt = self.source.place(node), self.source.word(written or node)
        raise self.source.error(
            f"{reason}: did you mean {prefix}{near}?",
            place.line,
            place.column,
            Spelling(word, near, spelt),
        )

    def tick(self, node: ast.AST, steps: int = 1) -> None:
        """Counts what is done at this node."""
        why = budget.current().spent(steps)
        if why:
            self.refuse(node, why)

    def attempt(self, node: ast.AST, what: str, function: Callable[..., Any], *values: Any) -> Any:
        """Python's own operation, its errors told as ours."""
        try:
            return function(*values)
        except ArithmeticError as error:
            self.refuse(node, f"{what}: {_said(error)}.")
        except (RuntimeError, NotImplementedError) as error:
            if isinstance(error, RecursionError):
                raise
            calls.torch_error(self, node, what, error)
        except (TypeError, ValueError, LookupError, AttributeError, AssertionError, Warning) as error:
            self.refuse(node, f"{what}: {_said(error)}.")

    def kept(self, value: Any, node: ast.AST) -> Any:
        """The value, if it is not too large; large ones cost steps."""
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, int):
            if abs(value) > budget.NUMBER:
                self.refuse(node, "a number is larger than 2**63.")
        elif isinstance(value, str):
            if len(value) > budget.TEXT:
                self.refuse(
                    node, f"a text is {len(value):,} characters long; at most {budget.TEXT:,} are kept."
                )
            self.tick(node, len(value) // 16)
        elif isinstance(value, list | tuple | dict):
            if len(value) > budget.ITEMS:
                self.refuse(node, f"a list is {len(value):,} long; at most {budget.ITEMS:,} are kept.")
            self.tick(node, len(value) // 16)
        elif isinstance(value, Tensor):
            calls.check_tensor(self, node, value)
        elif isinstance(value, complex):
            self.refuse(node, "complex numbers have no part in a network.")
        return value

    def comparable(self, value: Any, node: ast.AST) -> None:
        """Counts what a comparison looks at: lists that hold one another can be huge written out."""
        self.tick(node)
        if isinstance(value, list | tuple | dict):
            for one in value.values() if isinstance(value, dict) else value:
                self.comparable(one, node)

    def key(self, value: Any, node: ast.AST) -> Any:
        """The value, if a dictionary may have it as a key."""
        parts = value if isinstance(value, tuple) else (value,)
        if not all(isinstance(part, str | int | float | Symbol | Klass | None) for part in parts):
            self.refuse(node, f"{naming.told(value)} cannot be the key of a dictionary.")
        return value

    def truth(self, value: Any, node: ast.AST) -> bool:
        """Whether a condition holds."""
        if isinstance(value, Tensor):
            self.refuse(
                node, "this condition depends on the values of a tensor, and the table knows shapes alone."
            )
        if isinstance(value, Unread):
            return False
        return self.attempt(node, "this condition", bool, value) is True

    def result(self, name: str, module: nn.Module) -> None:
        """Notes a module of the text itself; one that has a name keeps it."""
        known = [label for label, one in self.results if one is module]
        self.results = [(label, one) for label, one in self.results if one is not module and label != name]
        self.results.append((known[0] if known else name, module))

    def items(self, value: Any, node: ast.AST) -> list[Any]:
        """What a loop or an unpacking goes over."""
        if isinstance(value, Unread):
            return []
        if isinstance(value, Tensor):
            if value.dim() == 0 or value.shape[0] > budget.PIECES:
                self.refuse(
                    node, f"a tensor of shape {tuple(value.shape)} is not taken apart: too many pieces."
                )
            self.operation(node, value.shape[0])
            return list(value.unbind(0))
        if isinstance(value, dict | nn.ModuleDict):
            return list(value.keys())
        if isinstance(value, list | tuple | str | nn.Sequential | nn.ModuleList):
            return list(value)
        self.refuse(node, f"{naming.told(value)} cannot be gone through one by one.")

    def operation(self, node: ast.AST, number: int = 1) -> None:
        """Counts operations of torch."""
        why = budget.current().called(number)
        if why:
            self.refuse(node, why)

    def name_part(self, value: Any, node: ast.AST) -> str:
        """What a number or a text looks like inside a text."""
        if not isinstance(value, str | int | float | None | Unread):
            self.refuse(node, f"{naming.told(value)} is put into a text; numbers and texts are read there.")
        return value.path if isinstance(value, Unread) else str(value)

    # What stands further up, in `Expressions`, `Statements` and `Reader`

    def evaluate(self, node: ast.expr, scope: Scope) -> Any:
        """The value of an expression."""
        raise NotImplementedError

    def binary(self, sign: ast.operator, left: Any, right: Any, node: ast.AST) -> Any:
        """The result of an operator."""
        raise NotImplementedError

    def assign(self, target: ast.AST, value: Any, scope: Scope) -> None:
        """Gives a value to a name, an attribute, an entry, or several of them."""
        raise NotImplementedError

    def invoke(
        self, function: Function, arguments: list[Any], keywords: dict[str, Any], node: ast.AST | None
    ) -> Any:
        """What a function of the code returns."""
        raise NotImplementedError

    def forward(self, module: ReadModule, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """The forward of a module that was read."""
        raise NotImplementedError


def _said(error: BaseException) -> str:
    """The first sentence of what Python or torch says."""
    text = str(error).strip().partition("\n")[0]
    return text.removesuffix(".")[:200] or type(error).__name__
