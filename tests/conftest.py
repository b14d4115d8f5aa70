"""Fixtures that every test may ask for."""

from __future__ import annotations

import os

# Two cores: threads of several networks that spin against each other make tests minutes slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of the reference folder leave the run, with one printed line, where that folder is missing."""
    if SHARED.is_dir():
        return
    away = [item for item in items if "shared" in item.keywords]
    if away:
        config.hook.pytest_deselected(items=away)
        items[:] = [item for item in items if "shared" not in item.keywords]
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        if reporter:
            reporter.write_line(f"{len(away)} tests need the reference folder beside the project: left out")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the project."""
    return SHARED
