"""A network as PyTorch code that runs by itself."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from types import MappingProxyType
from typing import Final, Literal

from explorer import layer_code
from explorer.errors import ModelError
from explorer.networks import blocks
from explorer.networks.building import JOINS, Call, call, is_bare
from explorer.networks.planning import Placed, Plan, planned
from explorer.networks.spec import NetworkSpec, Shape, layer_names

Lines = list[str]

_WIDTH: Final = 88
_INDENT: Final = "    "


def code(spec: NetworkSpec, style: Literal["class", "sequential"] = "class") -> str:
    """A module of Python that makes the network, with the classes of its blocks.

    "class": `class LeNet(nn.Module)`, whose layers are called as those of `build(spec)`; "sequential": one
    `nn.Sequential` called `network`, whose layers are numbered.

    >>> from explorer.networks.spec import part
    >>> print(code(NetworkSpec("Small", (1, 28, 28), (part("flatten"), part("linear"))), "sequential"))
    from torch import nn
    <BLANKLINE>
    # (N, 1, 28, 28) → (N, 10)
    network = nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 10),
    )
    <BLANKLINE>

    Raises:
        ModelError: a part cannot follow, with the part and the cause.
    """
    plan = planned(spec)
    if plan.trouble:
        raise ModelError(plan.trouble.sentence)
    body = _class(plan) if style == "class" else _sequential(plan)
    written = "\n".join(body)
    classes = _classes(written)
    imports = _imports("\n".join([*classes, written]), style)
    # two lines around a class, one elsewhere
    gap = "\n\n\n" if classes or style == "class" else "\n\n"
    return gap.join([imports, *classes, written]) + "\n"


def _sequential(plan: Plan) -> Lines:
    return [
        f"# {_batch(plan.spec.input_shape)} → {_batch(plan.output_shape)}",
        *_assigned("network", _chain(plan.placed, named=False)),
    ]


def _class(plan: Plan) -> Lines:
    name = class_name(plan.spec.name)
    called = layer_names(plan.spec.parts, top=True)
    title = plan.spec.name.replace("\\", "/").replace('"', "'")
    lines = [
        f"class {name}(nn.Module):",
        f'    """{title}: {_batch(plan.spec.input_shape)} → {_batch(plan.output_shape)}."""',
        "",
        "    def __init__(self) -> None:",
        "        super().__init__()",
    ]
    for layer, placed in zip(called, plan.placed, strict=True):
        lines += _indented(_assigned(f"self.{layer}", _layer(placed, named=True)), 2)
    lines += ["", "    def forward(self, x: torch.Tensor) -> torch.Tensor:"]
    lines += [f"        x = self.{layer}(x)" for layer in called]
    lines += ["        return x", "", "", 'if __name__ == "__main__":']
    shape = (1, *plan.spec.input_shape)
    lines += [f"    network = {name}().eval()", f"    print(network(torch.zeros{shape}).shape)"]
    return lines


def class_name(title: str) -> str:
    """A name of a class, in Python's manner.

    >>> class_name("VGG-16"), class_name("my net 2"), class_name("2nd"), class_name("F")
    ('VGG16', 'MyNet2', 'Net2nd', 'FNet')
    """
    words = re.findall(r"[A-Za-z0-9]+", title)
    name = "".join(word[0].upper() + word[1:] for word in words)
    if not name or name[0].isdigit():
        name = f"Net{name}"
    # what the code defines or imports beside it, and words of Python itself
    taken = hasattr(blocks, name) or name in ("OrderedDict", "None", "True", "False")
    return f"{name}Net" if taken else name


def _batch(shape: Shape) -> str:
    return f"(N, {', '.join(map(str, shape))})"


# Expressions -----------------------------------------------------------------------------------------


def _layer(placed: Placed, named: bool) -> Lines:
    """The expression that makes one part; where `named`, layers are called as those of `build`, else numbered."""
    part = placed.part
    if part.kind == "branches":
        return _of_parts(JOINS[part.text("join")].__name__, placed.rounds[0], named)
    if part.kind == "sequence":
        if not part.inside:
            return ["nn.Identity()"]
        if len(placed.rounds) == 1:
            return _chain(placed.rounds[0], named)
        return _repeated([_round(each, named) for each in placed.rounds])
    made = call(part, placed.input_shape)
    if isinstance(made, Call):
        return _wrapped(made.text())
    text = layer_code.code(made)
    return text.split("\n") if "\n" in text else _wrapped(text)


def _round(placed: tuple[Placed, ...], named: bool) -> Lines:
    return _layer(placed[0], named) if is_bare(placed) else _chain(placed, named)


def _chain(placed: Sequence[Placed], named: bool) -> Lines:
    return _of_parts("nn.Sequential", placed, named)


def _of_parts(made: str, placed: Sequence[Placed], named: bool) -> Lines:
    parts = tuple(each.part for each in placed)
    items = [_layer(each, named) for each in placed]
    if not named or not any(part.name for part in parts):
        return _called(made, items)
    pairs = [_pair(name, item) for name, item in zip(layer_names(parts, top=False), items, strict=True)]
    inner = ["OrderedDict(", "    [", *_indented(_listed(pairs), 2), "    ]", ")"]
    return [f"{made}(", *_indented(inner, 1), ")"]


def _pair(name: str, item: Lines) -> Lines:
    if len(item) == 1:
        return [f'("{name}", {item[0]})']
    return ["(", *_indented([f'"{name}",', *item[:-1], f"{item[-1]},"], 1), ")"]


def _repeated(items: list[Lines]) -> Lines:
    """A group in which the same lines repeated make a loop."""
    runs = [(list(lines), len(list(run))) for lines, run in groupby(map(tuple, items))]
    written = []
    for (first, *rest), times in runs:
        if times == 1:
            written.append([first, *rest])
        else:
            loop = f" for _ in range({times}))"
            written.append([f"*({first}", *rest[:-1], rest[-1] + loop] if rest else [f"*({first}{loop}"])
    return _called("nn.Sequential", written)


def _called(made: str, items: list[Lines]) -> Lines:
    return [f"{made}(", *_indented(_listed(items), 1), ")"] if items else [f"{made}()"]


def _listed(items: list[Lines]) -> Lines:
    return [line for item in items for line in (*item[:-1], f"{item[-1]},")]


def _assigned(name: str, lines: Lines) -> Lines:
    return [f"{name} = {lines[0]}", *lines[1:]]


def _indented(lines: Lines, levels: int) -> Lines:
    return [f"{_INDENT * levels}{line}" if line else line for line in lines]


def _wrapped(text: str) -> Lines:
    """A call on one line, or its arguments on a line of their own where it is long."""
    if len(text) <= _WIDTH - 2 * len(_INDENT):
        return [text]
    made, _, arguments = text.partition("(")
    return [f"{made}(", f"{_INDENT}{arguments[:-1]}", ")"]


# What the code stands on -----------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _sources() -> dict[str, str]:
    """The source of everything that the blocks' module defines, in its order."""
    found = {
        name: re.sub(r"  # type: ignore\[[a-z-]+\]", "", inspect.getsource(item).strip())
        for name, item in vars(blocks).items()
        if getattr(item, "__module__", "") == blocks.__name__
    }
    return found


def _classes(text: str) -> list[str]:
    """The sources of the blocks that the text uses, and of those that they use, each once."""
    sources = _sources()
    wanted: set[str] = set()
    waiting = [text]
    while waiting:
        words = set(re.findall(r"\w+(?=\()", waiting.pop()))
        for name in sources.keys() & words - wanted:
            wanted.add(name)
            waiting.append(sources[name])
    return [source for name, source in sources.items() if name in wanted]


_TORCHVISION: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "torchvision.models.maxvit": ("PartitionAttentionLayer",),
        "torchvision.models.swin_transformer": (
            "PatchMerging",
            "PatchMergingV2",
            "ShiftedWindowAttention",
            "ShiftedWindowAttentionV2",
        ),
    }
)
"""What blocks are made of that torchvision has, by module."""


def _imports(text: str, style: str) -> str:
    lines = []
    if "OrderedDict(" in text:
        lines.append("from collections import OrderedDict")
    if typing := [name for name in ("Any", "ClassVar") if re.search(rf"\b{name}\b", text)]:
        lines.append(f"from typing import {', '.join(typing)}")
    lines += [""] * bool(lines)
    if re.search(r"\btorch\.", text):
        lines.append("import torch")
    lines.append(
        "from torch import Tensor, nn"
        if re.search(r"\bTensor\b", text.replace("torch.Tensor", ""))
        else "from torch import nn"
    )
    if re.search(r"\bF\.", text):
        lines.append("from torch.nn import functional as F")
    for module, names in _TORCHVISION.items():
        if used := [name for name in names if re.search(rf"\b{name}\b", text)]:
            lines.append(f"from {module} import {', '.join(used)}")
    return "\n".join(lines)
