"""What the documents say is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from explorer.ui.frame import ROOMS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "assets/SOURCES.md")


def requirements(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and line[0] not in "#-")


def test_every_requirement_is_pinned_and_has_its_reason():
    told = {name for row in re.findall(r"^\| ([\w, -]+) \|", ARCHITECTURE, re.M) for name in row.split(", ")}
    for name, version in requirements("requirements.txt").items():
        assert re.fullmatch(r"[\d.]+", version)
        assert name in told, f"ARCHITECTURE.md does not say why {name} is needed"
    for name in requirements("requirements-dev.txt"):
        assert name in ARCHITECTURE, f"ARCHITECTURE.md does not say why {name} is needed"


def test_readme_lists_every_page_with_its_address():
    for room in ROOMS:
        assert f"`/{room.path}`" in README
    assert len(re.findall(r"^\| .+ \| `/", README, re.M)) == len(ROOMS)


def test_readme_names_make_targets_that_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    for document in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"^make (\w+)", (ROOT / document).read_text(encoding="utf-8"), re.M):
            assert target in targets


def test_readme_names_every_variable_that_the_code_reads():
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "explorer").rglob("*.py"))
    assert set(re.findall(r"CNN_EXPLORER_[A-Z]+", code)) == set(re.findall(r"CNN_EXPLORER_[A-Z]+", README))


def test_architecture_names_every_module():
    for path in (ROOT / "explorer").glob("*.py"):
        if path.stem != "__init__":
            assert path.name in ARCHITECTURE, f"ARCHITECTURE.md does not name {path.name}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_between_files_lead_somewhere(document: str):
    path = ROOT / document
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{document} links to {target}"


def test_pictures_of_every_page_are_kept():
    for room in ROOMS:
        for theme in ("light", "dark"):
            for width in (1440, 800):
                name = f"{room.path or 'home'}-{theme}-{width}.jpg"
                assert (ROOT / "assets" / "screenshots" / name).is_file(), f"`make screenshots` makes {name}"
            if room.path:
                assert (ROOT / "assets" / "rooms" / f"{room.path}-{theme}.jpg").is_file()
