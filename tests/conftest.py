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
    """What this machine cannot run leaves the run, with one printed line for each reason."""
    if not SHARED.is_dir():
        _leave_out("shared", "need the reference folder beside the project", config, items)
    if any("gpu" in item.keywords for item in items) and not _has_cuda():
        _leave_out("gpu", "need a CUDA device", config, items)


def _leave_out(marker: str, reason: str, config: pytest.Config, items: list[pytest.Item]) -> None:
    away = [item for item in items if marker in item.keywords]
    items[:] = [item for item in items if marker not in item.keywords]
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if away:
        config.hook.pytest_deselected(items=away)
        if reporter:
            reporter.write_line(f"{len(away)} tests {reason}: left out")


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the project."""
    return SHARED
