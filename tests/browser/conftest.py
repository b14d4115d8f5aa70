"""One warm server and one Chromium for all browser tests; a fresh session for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torchvision
from playwright.sync_api import Browser, Page

from explorer.models import card
from tests.browser.serving import browsing, serving, visiting
from tests.hub import Hub

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def hub() -> Iterator[Hub]:
    """What the server takes for download.pytorch.org."""
    with Hub() as running:
        yield running


@pytest.fixture(scope="session")
def weights_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights that somebody put in place by hand: a SqueezeNet with seeded random numbers."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    state = torchvision.models.squeezenet1_1().state_dict()
    torch.save(state, folder / card("squeezenet1_1.IMAGENET1K_V1").file_name)
    return folder


@pytest.fixture(scope="session")
def address(hub: Hub, weights_folder: Path) -> Iterator[str]:
    """A warm server with the hub above and that folder."""
    with serving(CNN_EXPLORER_HUB=hub.address, CNN_EXPLORER_WEIGHTS=str(weights_folder)) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with browsing() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A window of 1440 × 1000 in a session of its own; an error in the page's scripts fails the test."""
    with visiting(browser) as fresh:
        errors: list[str] = []
        fresh.on("pageerror", lambda error: errors.append(str(error)))
        yield fresh
        assert not errors
