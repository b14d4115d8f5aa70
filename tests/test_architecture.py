"""The rooms of the house, and which way their doors open: read from the imports."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "explorer").rglob("*.py"))
CORE = [path for path in MODULES if "ui" not in path.relative_to(ROOT).parts]
PAGES = sorted((ROOT / "pages").glob("*.py"))


def imports(path: Path) -> set[str]:
    """Full names of everything that a file imports, at the top or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports by a relative path"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found


def packages(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


def test_there_are_modules_and_pages_to_look_at():
    assert len(CORE) > 8
    assert len(PAGES) >= 2


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_only_the_ui_knows_streamlit(path: Path):
    assert not packages(path) & {"streamlit", "streamlit_drawable_canvas", "starlette"}
    assert not any(name.startswith("explorer.ui") for name in imports(path))


def test_only_saliency_knows_pytorch_grad_cam():
    room = ROOT / "explorer" / "saliency"
    knowing = {path for path in [*MODULES, *PAGES] if "pytorch_grad_cam" in packages(path)}
    assert all(room in path.parents for path in knowing), knowing


def test_the_domain_does_not_know_figures():
    domain = [path for path in CORE if "figures" not in path.parts]
    knowing = [path for path in domain if any(name.startswith("explorer.figures") for name in imports(path))]
    assert not knowing


def test_errors_stand_on_nothing():
    assert packages(ROOT / "explorer" / "errors.py") == {"__future__"}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages_are_thin(path: Path):
    """Controls, compute, show: no tensors, no pixel loops, no style, no types of their own."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not packages(path) & {"torch", "torchvision", "PIL", "plotly"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.While)]
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 100
    assert "<style" not in path.read_text(encoding="utf-8")


def test_caches_stand_in_one_module():
    for path in MODULES:
        if path.name != "cache.py":
            text = path.read_text(encoding="utf-8")
            assert "cache_data" not in text, path
            assert "cache_resource" not in text, path


def test_every_module_and_every_public_function_says_what_it_is():
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), f"{path} has no docstring"
        for node in tree.body:
            public = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
            # what a name and its types say whole needs no sentence: handlers of a protocol
            if public and node.name != "lifespan":
                assert ast.get_docstring(node), f"{path.name}: {node.name} has no docstring"


def test_every_component_has_its_four_files():
    folder = ROOT / "explorer" / "ui" / "components"
    for script in folder.glob("[a-z]*.js"):
        for kind in (".py", ".html", ".css"):
            assert script.with_suffix(kind).is_file(), script.with_suffix(kind)
