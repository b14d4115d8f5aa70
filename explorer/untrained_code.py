"""Python that makes a network with the same random weights as ours, from public packages and nothing of ours."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any, Final

from explorer.networks.classics import Classic
from explorer.networks.code import class_name, code
from explorer.networks.reading.text import clean, parse
from explorer.networks.source import Network
from explorer.networks.spec import NetworkSpec
from explorer.random_weights import SEED, starts_again

_SEED: Final = f"torch.manual_seed({SEED})"


def classic_code(known: Classic) -> str:
    """Of a classic that a public package makes."""
    made, _, line = known.line.strip().partition("\n\n")
    return f"import torch\n{made}\n\n{_SEED}\n{line}"


def code_of_parts(spec: NetworkSpec) -> str:
    """Of a chain of parts."""
    text = code(spec).partition('\n\nif __name__ == "__main__":')[0].rstrip()
    if "import torch\n" not in text:
        text = f"import torch\n{text}"
    return f"{text}\n\n\n{_SEED}\nnetwork = {class_name(spec.name)}()"


def architecture_code(architecture: str, options: Mapping[str, Any]) -> str:
    """Of an architecture of torchvision, or of timm."""
    if architecture.startswith("tf_"):
        return f'import timm\nimport torch\n\n{_SEED}\nnetwork = timm.create_model("{architecture}")'
    written = "".join(f", {name}={value!r}" for name, value in options.items())
    made = f'network = models.get_model("{architecture}"{written})'
    return f"import torch\nfrom torchvision import models\n\n{_SEED}\n{made}"


_USUAL_IMPORTS: Final = {
    "nn": "from torch import nn",
    "F": "from torch.nn import functional as F",
    "torchvision": "import torchvision",
    "models": "from torchvision import models",
    "d2l": "from d2l import torch as d2l",
    "math": "import math",
    "np": "import numpy as np",
    "OrderedDict": "from collections import OrderedDict",
    "partial": "from functools import partial",
}
"""Names that code may use here without importing them."""

_AGAIN: Final = f"""

{_SEED}
for part in network.modules():  # as torch starts layers by itself, whatever the code does
    if hasattr(part, "reset_parameters"):
        part.reset_parameters()"""


def own_code(network: Network) -> str:
    """Of code that was pasted: the code, its network called `network`."""
    assert network.code is not None
    tree, read = parse(clean(network.source.text))
    text, title = "\n".join(read.code).rstrip(), network.code.title
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    known = {
        alias.asname or alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    imports = [line for name, line in _USUAL_IMPORTS.items() if name in names - known]
    made = [
        node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == title
    ]
    if made:
        named = f"\n\nnetwork = {title}()"
    elif title in {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and _is_stored(node)}:
        named = f"\n\nnetwork = {title}"
    else:  # an expression that nothing was called by: the last one
        text, named = _with_name(text, tree), ""
    sizes = ", ".join(map(str, (1, *network.input_shape)))
    grown = f"\nnetwork.eval()(torch.zeros({sizes}))  # lazy layers take their sizes" * ("Lazy" in text)
    again = _AGAIN * starts_again(network.source.text, network.module)
    return "\n".join(["import torch", *imports, "", _SEED, "", text]) + named + grown + again


def _is_stored(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def _with_name(text: str, tree: ast.Module) -> str:
    last = [node for node in tree.body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)][-1]
    lines = text.split("\n")
    lines[last.lineno - 1] = f"network = {lines[last.lineno - 1]}"
    return "\n".join(lines)
