"""What a name of the code may stand for, besides numbers, texts, lists, tensors and layers.

Everything that belongs to the text (functions, classes, scopes) never changes once it is read and is shared by the
copies of a network: `copy.deepcopy` of a module that was read copies the module, not the code.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import nn

if TYPE_CHECKING:
    from explorer.networks.reading.walker import Walker


def words(text: str) -> frozenset[str]:
    """The words of a text, as a set of names."""
    return frozenset(text.split())


@dataclass(frozen=True)
class Symbol:
    """A dotted name that is looked up in our tables and never in a real module: "torch.nn.Conv2d"."""

    path: str

    def __getitem__(self, index: object) -> Symbol:
        """`list[int]`, of annotations: the same name."""
        return self


@dataclass(frozen=True)
class Unread:
    """Something that has no part in the shape of a network, as an optimiser: whatever is done with it is nothing."""

    path: str


class Written:
    """Part of the text: one and the same in all copies."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


class Scope(Written):
    """The names of one function call, one class body or the whole text, and the scope around it.

    Attributes:
        owner, me: class and first argument of the method that runs, which `super()` needs.
        arguments: what the method was called with, which `save_hyperparameters()` keeps.
    """

    def __init__(
        self,
        outer: Scope | None = None,
        owner: Klass | None = None,
        me: Any = None,
        *,
        function: bool = True,
    ) -> None:
        self.names: dict[str, Any] = {}
        self.outer = outer
        self.owner = owner
        self.me = me
        self.function = function
        self.arguments: dict[str, Any] = {}

    def find(self, name: str) -> Scope | None:
        """The nearest scope that knows the name."""
        scope: Scope | None = self
        while scope is not None and name not in scope.names:
            scope = scope.outer
        return scope

    def method(self) -> Scope:
        """The call that this scope is in: comprehensions have scopes of their own."""
        scope = self
        while not scope.function and scope.outer is not None:
            scope = scope.outer
        return scope

    def known(self) -> list[str]:
        """All names that are seen from here."""
        scope: Scope | None = self
        names: list[str] = []
        while scope is not None:
            names += scope.names
            scope = scope.outer
        return names


@dataclass(eq=False)
class Function(Written):
    """A function of the code, with the defaults as they were when it was defined.

    `wrapper` is "property", "staticmethod" or "classmethod" where it is decorated so.
    """

    name: str
    node: ast.FunctionDef | ast.Lambda
    scope: Scope
    defaults: tuple[Any, ...] = ()
    keyword_defaults: dict[str, Any] = field(default_factory=dict)
    owner: Klass | None = None
    wrapper: str = ""


@dataclass(eq=False)
class Klass(Written):
    """A class of the code.

    Attributes:
        base: the class of the code that it extends, if it does.
        native: the class of torch that it extends in the end; None for a class that is no module.
        made: the type that its modules get, which carries its name.
        learner: whether it extends d2l's Module, whose forward is `self.net`.
    """

    name: str
    members: dict[str, Any]
    base: Klass | None
    native: type[nn.Module] | None
    reader: Walker
    learner: bool = False
    made: type[ReadModule] | None = None

    def find(self, name: str) -> Any:
        """A member of the class or of those that it extends; None where there is none."""
        owner = self.owner(name)
        return owner.members[name] if owner else None

    def owner(self, name: str) -> Klass | None:
        """The class that defines the member."""
        if name in self.members:
            return self
        return self.base.owner(name) if self.base else None


@dataclass(frozen=True)
class Bound:
    """A method of the code, and what it is a method of."""

    me: Any
    function: Function


@dataclass(frozen=True)
class Super:
    """`super()`: what the class above knows of the module."""

    me: Any
    above: Klass | None
    native: type[nn.Module] | None


@dataclass(frozen=True)
class Method:
    """A method of something that is not of the code: of a tensor, a list, a text, a layer."""

    me: Any
    name: str


@dataclass(frozen=True)
class Partial:
    """`functools.partial`."""

    function: Any
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]


class ReadModule(nn.Module):
    """A module whose class was read: a real one, with hooks, children and copies, whose forward is interpreted.

    What the code keeps on `self` besides layers and parameters is in `_kept`, apart from torch's own attributes.
    """

    _klass: ClassVar[Klass]
    _kept: dict[str, Any]

    def forward(self, *arguments: Any, **keywords: Any) -> Any:
        """Runs the code's forward.

        Raises:
            CodeError: it does something that is not read, or takes too long.
        """
        return self._klass.reader.forward(self, arguments, keywords)


class Lazy(nn.Module):
    """A layer that takes its input size from the first tensor, and from then on is that layer.

    torch's own lazy layers hold parameters without a shape, which can neither be counted nor copied everywhere.
    """

    target: ClassVar[type[nn.Module]]
    axis: ClassVar[int]

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__()
        self.arguments = arguments
        self.keywords = keywords

    def forward(self, x: torch.Tensor) -> Any:
        """Becomes the layer, and runs it."""
        with torch.device("meta"):
            layer = self.target(x.shape[self.axis], *self.arguments, **self.keywords)
        training = self.training
        del self.arguments, self.keywords
        # whoever listens to this module keeps listening: its hooks stay, all else is the layer's
        self.__dict__.update({key: value for key, value in vars(layer).items() if "hook" not in key})
        self.training = training
        self.__class__ = self.target  # type: ignore[assignment]
        return self.forward(x)

    def extra_repr(self) -> str:
        """What is known of it."""
        named = [f"{key}={value!r}" for key, value in self.keywords.items()]
        return ", ".join([*map(repr, self.arguments), *named])


def lazy(target: type[nn.Module], axis: int = 1) -> type[Lazy]:
    """The lazy form of a layer, whose first argument is the size of this axis."""
    return type(f"Lazy{target.__name__}", (Lazy,), {"target": target, "axis": axis})
