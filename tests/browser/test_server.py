"""The server: how it starts, what it answers, what it says when something breaks."""

from __future__ import annotations

import json
import re
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from explorer.ui.frame import ROOMS
from explorer.ui.server import SECURITY_HEADERS
from tests.browser.serving import serving, settled, visiting


def status_of(url: str) -> tuple[int, dict[str, str], bytes]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def test_ready_tells_versions_device_and_model(address: str):
    status, headers, body = status_of(f"{address}/api/ready")
    told = json.loads(body)
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert told["model"] == "efficientnet_lite0"
    assert told["device"]["type"] in ("cpu", "cuda", "mps")
    assert {"streamlit", "torch", "torchvision"} <= set(told["versions"])


@pytest.mark.parametrize("path", ["/", "/saliency", "/api/ready", "/_stcore/health"])
def test_every_answer_carries_the_security_headers(address: str, path: str):
    _, headers, _ = status_of(f"{address}{path}")
    for name, value in SECURITY_HEADERS.items():
        assert headers.get(name) == value


def test_a_cold_server_answers_at_once_says_what_it_waits_for_and_takes_a_deep_link(browser: Browser):
    with serving(wait=False) as address, visiting(browser) as page:
        while True:
            try:
                status, _, body = status_of(f"{address}/api/ready")
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.05)
        assert status == 503
        assert json.loads(body)["status"] == "warming up"
        page.goto(f"{address}/saliency?class=281")
        expect(page.get_by_role("heading", name="Where does it look?")).to_be_visible()
        expect(page.locator(".view")).to_have_attribute("data-painted", re.compile("tabby"), timeout=90_000)
        assert status_of(f"{address}/api/ready")[0] == 200


def test_uvicorn_serves_the_same_app(browser: Browser):
    command = [sys.executable, "-m", "uvicorn", "app:app", "--port", "{port}", "--log-level", "warning"]
    with serving(command) as address, visiting(browser) as page:
        page.goto(f"{address}/saliency")
        expect(page.locator(".view")).to_have_attribute("data-painted", re.compile("tiger cat"))


def test_home_shows_every_page_and_leads_there(browser: Browser, address: str):
    with visiting(browser) as page:
        page.goto(address)
        settled(page)
        for room in ROOMS[1:]:
            card = page.locator(f".st-key-room-{room.path}")
            expect(card).to_contain_text(room.sentence)
            assert card.locator("img").evaluate("image => image.naturalWidth") > 400
        page.locator(".st-key-room-saliency").get_by_role("link").click()
        expect(page.locator(".view")).to_be_visible()
        assert page.url.endswith("/saliency")


FAULTY = """
import streamlit as st
from pathlib import Path
from explorer.ui import server
app = st.App(Path(__file__).with_name("shell.py"), **server.settings())
"""


def test_a_fault_is_one_sentence_with_an_id_and_the_log_has_the_rest(browser: Browser, tmp_path: Path):
    (tmp_path / "app.py").write_text(FAULTY)
    (tmp_path / "shell.py").write_text(
        "import streamlit as st\n"
        "from explorer.errors import ImageError\n"
        "st.title('Still here')\n"
        "def explode(): raise KeyError('a secret detail')\n"
        "explain, broken = st.button('explain'), st.button('break')\n"
        "st.button('call back', on_click=explode)\n"
        "if explain: raise ImageError('“a*b.png” is empty.')\n"
        "if broken: raise ZeroDivisionError('a secret detail')\n"
    )
    log = tmp_path / "log.txt"
    run = [sys.executable, "-m", "streamlit", "run", str(tmp_path / "app.py"), "--server.port={port}"]
    shell = f"exec {' '.join(run)} > {log} 2>&1"
    server = serving(["sh", "-c", shell], PYTHONPATH=str(Path(__file__).parents[2]))
    with server as address, visiting(browser) as page:
        page.goto(address)
        page.get_by_role("button", name="explain").click()
        expect(page.get_by_role("alert")).to_have_text(re.compile(r"“a\*b\.png” is empty\."))
        expect(page.get_by_role("heading", name="Still here")).to_be_visible()
        for button in ("break", "call back"):
            page.get_by_role("button", name=button).click()
            alert = page.get_by_role("alert")
            expect(alert).to_contain_text("Something broke on our side")
            fault = re.search(r"[0-9a-f]{8}", alert.inner_text())
            assert fault
            assert "secret" not in page.content()
            assert "Traceback" not in page.content()
            assert f"fault {fault.group()}" in log.read_text()
        assert "ZeroDivisionError: a secret detail" in log.read_text()
