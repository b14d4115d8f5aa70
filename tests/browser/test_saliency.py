"""“Where does it look?”, used by hand in Chromium."""

from __future__ import annotations

import base64
import io
import re
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Download, Locator, Page, expect

from explorer import saliency
from explorer.figures.heat import Look, overlay
from explorer.images import sample_photo
from explorer.models import DEFAULT_MODEL, card, load_network
from explorer.recording import Recorder
from tests import hub as hubs
from tests.browser.serving import at_rest, settled, visiting
from tests.hub import Hub

RESNET = "resnet50.IMAGENET1K_V2"
CAT, SECOND_CAT = "tiger cat", "Egyptian cat"


def open_page(page: Page, address: str, query: str = "") -> Page:
    page.goto(f"{address}/saliency{query}")
    painted(page)
    return settled(page)


def painted(page: Page, title: str = ".") -> None:
    """Wait until the viewer has painted a map under this title."""
    expect(page.locator(".view")).to_have_attribute("data-painted", re.compile(title))


def answers(page: Page) -> Locator:
    return page.locator("button.class")


def heat_pixels(page: Page, pane: int = 0) -> np.ndarray:
    """What the viewer painted over the photograph: RGBA (rows, columns, 4)."""
    address = page.locator(".layer canvas").nth(pane).evaluate("canvas => canvas.toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGBA"))


def query(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def choose_network(page: Page, words: str) -> None:
    page.locator(".picker .open").click()
    page.get_by_role("combobox", name="Search: Network").fill(words)
    page.keyboard.press("Enter")


def upload(page: Page, name: str, data: bytes) -> None:
    page.locator("[data-testid=stFileUploader] input[type=file]").set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": data}
    )


def photo_file(sample: str, kind: str = "JPEG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(sample_photo(sample).pixels).save(file, kind, quality=95)
    return file.getvalue()


def saved(download: Download) -> bytes:
    return Path(download.path()).read_bytes()


# ------------------------------------------------------------------------------- the first look


def test_the_page_opens_on_the_cat_with_its_map_drawn(page: Page, address: str):
    open_page(page, address)
    expect(page.get_by_role("heading", name="Where does it look?")).to_be_visible()
    expect(answers(page)).to_have_count(5)
    expect(answers(page).first).to_contain_text(CAT)
    expect(answers(page).first).to_have_attribute("aria-pressed", "true")
    assert heat_pixels(page)[..., 3].max() > 100
    assert query(page) == {}


def test_the_predictions_are_those_of_the_network(page: Page, address: str):
    open_page(page, address)
    ready = card(DEFAULT_MODEL).preprocessing.tensor(sample_photo("cat").pixels)
    probabilities = load_network(DEFAULT_MODEL)(ready).softmax(-1)[0]
    for place, index in enumerate(probabilities.topk(5).indices.tolist()):
        expect(answers(page).nth(place)).to_contain_text(card(DEFAULT_MODEL).labels[index])
        expect(answers(page).nth(place)).to_contain_text(f"{100 * probabilities[index]:.1f} %")


def test_what_the_browser_paints_is_what_python_would(page: Page, address: str):
    """The canvas against `overlay` of the same map, recorded here apart from the server."""
    open_page(page, address, "?class=285&opacity=100")
    shown = heat_pixels(page)
    photo, ready = sample_photo("cat"), card(DEFAULT_MODEL).preprocessing
    recorder = Recorder(load_network(DEFAULT_MODEL))
    tape = recorder.record(ready.tensor(photo.pixels))
    found = saliency.explain(tape, saliency.SaliencySpec("grad_cam", recorder.default.name, 285))
    recorder.close()
    box = ready.view(photo.height, photo.width)
    for ground in (0, 255):
        paper = np.full(photo.pixels.shape, ground, np.uint8)
        mixed = overlay(paper, found.heat, found.peak, box, Look(opacity=100))
        top, left = round(box.top), round(box.left)
        wanted = mixed[top : top + shown.shape[0], left : left + shown.shape[1]].astype(float)
        alpha = shown[..., 3:] / 255
        got = shown[..., :3] * alpha + ground * (1 - alpha)
        # the canvas has whole pixels where the box has fractions, and canvases store premultiplied colours
        inside = np.abs(got - wanted)[1:-1, 1:-1]
        assert inside.mean() < 1.5
        assert inside.max() < 14


# ------------------------------------------------------------------------------- classes


def test_a_click_on_the_second_class_changes_the_map(page: Page, address: str):
    open_page(page, address)
    before = heat_pixels(page)
    answers(page).nth(1).click()
    painted(page, SECOND_CAT)
    assert np.abs(heat_pixels(page).astype(int) - before).mean() > 1
    expect(answers(page).nth(1)).to_have_attribute("aria-pressed", "true")
    expect(answers(page).nth(0)).to_have_attribute("aria-pressed", "false")
    settled(page)
    assert query(page) == {"class": "285"}


def test_any_of_the_thousand_classes_can_be_searched(page: Page, address: str):
    open_page(page, address)
    page.get_by_label("Another class").first.click()
    page.keyboard.type("espresso maker")
    page.get_by_role("option", name="espresso maker · 550").click()
    painted(page, "espresso maker")
    expect(answers(page)).to_have_count(6)
    settled(page)
    assert query(page)["class"] == str(card(DEFAULT_MODEL).labels.index("espresso maker"))


def test_two_classes_stand_side_by_side_under_one_scale(page: Page, address: str):
    open_page(page, address)
    page.get_by_role("button", name=f"Compare with {SECOND_CAT}").click()
    painted(page, rf"{CAT}.*\|.*{SECOND_CAT}")
    expect(page.locator(".stage")).to_have_count(2)
    # one scale: only the stronger of the two reaches the end of the colour map
    strongest = [int(heat_pixels(page, pane)[..., 3].max()) for pane in (0, 1)]
    assert max(strongest) >= 185 > min(strongest)
    settled(page)
    assert query(page) == {"versus": "285"}
    page.get_by_role("button", name=f"Stop comparing with {SECOND_CAT}").click()
    expect(page.locator(".stage")).to_have_count(1)


# ------------------------------------------------------------------------------- layers and looks


def test_the_film_and_its_slider_choose_the_layer(page: Page, address: str):
    open_page(page, address)
    film = page.get_by_role("radiogroup", name="Layer")
    expect(film.get_by_role("radio")).to_have_count(5)
    expect(film.get_by_role("radio").last).to_contain_text("7 × 7 ★")
    before = heat_pixels(page)
    film.get_by_role("radio").nth(3).click()
    expect(page.locator(".high")).not_to_have_text("0.392 at the peak")
    settled(page)
    assert query(page)["stage"] == "blocks.4.2"
    assert np.abs(heat_pixels(page).astype(int) - before).mean() > 1
    page.get_by_role("slider", name="Layer").fill("4")
    expect(film.get_by_role("radio").last).to_have_attribute("aria-checked", "true")
    expect(page.locator(".high")).to_have_text("0.392 at the peak")
    settled(page)
    assert query(page) == {}


def test_opacity_threshold_colours_and_wipe_act_at_once_and_reach_the_link(page: Page, address: str):
    open_page(page, address)
    page.get_by_label("Opacity").fill("40")
    assert abs(int(heat_pixels(page)[..., 3].max()) - round(0.40 * 255)) <= 1
    page.get_by_label("Hide below").fill("50")
    assert (heat_pixels(page)[..., 3] == 0).mean() > 0.3
    page.get_by_label("Colours").select_option("viridis")
    page.get_by_label("Before | after").fill("30")
    expect(page.locator(".edge")).to_be_visible()
    assert "30%" in page.locator(".layer").evaluate("layer => layer.style.clipPath")
    expect(page).to_have_url(re.compile("opacity=40"))
    settled(page)
    assert query(page) == {"opacity": "40", "threshold": "50", "colours": "viridis", "wipe": "30"}


def test_pointing_reads_the_value_under_the_pointer(page: Page, address: str):
    open_page(page, address)
    stage = page.locator(".stage")
    stage.hover(position={"x": 5, "y": 5})
    expect(page.locator("output")).to_contain_text("outside the part that the network was shown")
    area = stage.bounding_box()
    assert area
    stage.hover(position={"x": area["width"] / 2, "y": area["height"] / 2})
    expect(page.locator("output")).to_have_text(
        re.compile(r"Row 1[45]\d, column 22\d: 0\.\d+ \(\d+ % of the peak\), cell 3, 3 of 7 × 7")
    )


def test_every_method_draws_a_map(page: Page, address: str):
    open_page(page, address)
    for method in list(saliency.METHODS.values())[1:]:
        open_page(page, address, f"?method={method.key}")
        expect(page.get_by_text(method.sentence.split(".")[0][:40])).to_be_visible()
        if not method.needs_gradient:
            painted(page, f"{method.name} · no class")
        assert heat_pixels(page)[..., 3].max() > 100


# ------------------------------------------------------------------------------- the link


def test_the_link_shows_the_same_in_a_new_browser(page: Page, address: str, browser: Browser):
    open_page(page, address, "?picture=coffee&stage=blocks.4.2&colours=cividis&threshold=20")
    answers(page).nth(2).click()
    expect(answers(page).nth(2)).to_have_attribute("aria-pressed", "true")
    expect(page).to_have_url(re.compile("class="))
    settled(page)
    here = heat_pixels(page)
    with visiting(browser) as other:
        other.goto(page.url)
        painted(other)
        settled(other)
        assert (heat_pixels(other) == here).all()
        assert other.locator(".view").get_attribute("data-painted") == page.locator(".view").get_attribute(
            "data-painted"
        )


def test_back_and_forward_walk_through_what_was_chosen(page: Page, address: str):
    open_page(page, address)
    answers(page).nth(1).click()
    painted(page, SECOND_CAT)
    expect(page).to_have_url(re.compile("class=285"))
    page.get_by_role("radio", name="Coffee").click()
    expect(answers(page).first).to_contain_text("espresso")
    expect(page).to_have_url(re.compile("picture=coffee$"))
    settled(page)
    page.go_back()
    painted(page, SECOND_CAT)
    settled(page)
    assert query(page) == {"class": "285"}
    page.go_back()
    painted(page, CAT)
    settled(page)
    assert query(page) == {}
    page.go_forward()
    painted(page, SECOND_CAT)


def test_the_cells_of_the_layer_can_be_seen(page: Page, address: str):
    open_page(page, address)
    page.get_by_label("Show the cells").check()
    shown = heat_pixels(page)
    # 7 × 7 cells: at most 49 colours, each in one piece of 37 or 38 pixels
    assert len(np.unique(shown.reshape(-1, 4), axis=0)) <= 49
    assert (shown[2:35, 2:35] == shown[2, 2]).all()
    expect(page).to_have_url(re.compile("cells=1"))


def test_the_whole_picture_can_be_fed(page: Page, address: str):
    open_page(page, address)
    expect(page.locator(".box")).to_be_visible()
    page.get_by_text("All, squeezed").click()
    expect(page.locator(".box")).to_be_hidden()
    expect(page.get_by_text("from the whole picture")).to_be_visible()
    settled(page)
    assert query(page) == {"fit": "whole"}


def test_the_link_can_be_copied(browser: Browser, address: str):
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    open_page(page, address, "?class=285")
    page.get_by_text("Take it home").click()
    page.get_by_role("button", name="Copy the link to this view").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    context.close()


@pytest.mark.parametrize(
    ("link", "sentence"),
    [
        ("?picture=unicorn", "the picture unicorn"),
        ("?model=resnet9000", "the network resnet9000"),
        ("?stage=nowhere", "the layer nowhere"),
        ("?colours=jet", "the colour map jet"),
        ("?class=1200", "class 1200 is outside 0–999"),
        ("?opacity=many", "opacity"),
        ("?picture=own", "links carry no pictures"),
        ("?picture=<script>alert(1)</script>", "does not exist here"),
    ],
)
def test_a_link_that_asks_for_nonsense_gets_a_sentence_and_the_page(
    page: Page, address: str, link: str, sentence: str
):
    open_page(page, address, link)
    expect(page.get_by_test_id("stAlert").first).to_contain_text(sentence, ignore_case=True)
    expect(answers(page).first).to_contain_text(CAT)
    assert "Traceback" not in page.content()


# ------------------------------------------------------------------------------- pictures


def test_an_uploaded_photo_gets_its_answers(page: Page, address: str):
    open_page(page, address)
    upload(page, "my holiday.jpeg", photo_file("coffee"))
    expect(answers(page).first).to_contain_text("espresso")
    expect(page.get_by_role("radio", name="Yours")).to_have_attribute("aria-checked", "true")
    expect(page.get_by_text("my holiday.jpeg").last).to_be_visible()
    # back to a sample, and to the own picture again: it is kept
    page.get_by_role("radio", name="Cat", exact=True).click()
    expect(answers(page).first).to_contain_text(CAT)
    page.get_by_role("radio", name="Yours").click()
    expect(answers(page).first).to_contain_text("espresso")


DROP = """
([name, data, kind]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const files = new DataTransfer();
  files.items.add(new File([bytes], name, { type: "image/png" }));
  const target = document.querySelector("h1");
  if (kind === "paste") {
    target.dispatchEvent(new ClipboardEvent("paste", { clipboardData: files, bubbles: true, composed: true }));
    return;
  }
  for (const step of ["dragenter", "dragover", "drop"])
    target.dispatchEvent(new DragEvent(step, { dataTransfer: files, bubbles: true, cancelable: true, composed: true }));
}
"""


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_picture_can_be_dropped_or_pasted_anywhere(page: Page, address: str, kind: str):
    open_page(page, address)
    page.evaluate(DROP, ["mug.png", base64.b64encode(photo_file("coffee", "PNG")).decode(), kind])
    expect(answers(page).first).to_contain_text("espresso")
    expect(page.locator(".veil")).to_be_hidden()


def test_a_finger_reads_a_value_that_stays(browser: Browser, address: str):
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    open_page(page, address)
    expect(page.locator("output")).to_contain_text("Tap the picture")
    area = page.locator(".stage").bounding_box()
    assert area
    page.locator(".stage").tap(position={"x": area["width"] / 2, "y": area["height"] / 2})
    page.wait_for_timeout(300)
    expect(page.locator("output")).to_contain_text("of the peak")
    context.close()


def test_a_hostile_file_gets_its_sentence_and_the_previous_picture_stays(page: Page, address: str):
    open_page(page, address, "?picture=coffee")
    for name, data, sentence in [
        ("notes.png", b"just words, many words\n" * 20, "text"),
        ("drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "SVG"),
        ("half.jpg", photo_file("cat")[:9000], "cut off"),
        ("<img src=x onerror=alert(1)>.png", b"\x00" * 100, "<img src=x onerror=alert(1)>.png"),
    ]:
        upload(page, name, data)
        expect(page.get_by_role("alert").first).to_contain_text(sentence)
        expect(answers(page).first).to_contain_text("espresso")
        assert "Traceback" not in page.content()
    upload(page, "cat.webp", photo_file("cat", "WEBP"))
    expect(answers(page).first).to_contain_text(re.compile("cat|tabby"))
    expect(page.get_by_role("alert")).to_have_count(0)


def test_nobody_sees_the_picture_of_another(page: Page, address: str, browser: Browser):
    open_page(page, address)
    upload(page, "private.png", photo_file("rocket", "PNG"))
    expect(page.get_by_role("radio", name="Yours")).to_be_visible()
    with visiting(browser) as other:
        open_page(other, address)
        expect(other.get_by_role("radio", name="Yours")).to_have_count(0)
        assert "private.png" not in other.content()


def test_the_picture_is_kept_across_pages(page: Page, address: str):
    open_page(page, address)
    upload(page, "mine.jpg", photo_file("coffee"))
    expect(answers(page).first).to_contain_text("espresso")
    page.get_by_role("link", name="Home").click()
    expect(page.get_by_role("heading", name="CNN Explorer")).to_be_visible()
    page.get_by_role("link", name="Where does it look?").last.click()
    expect(answers(page).first).to_contain_text("espresso")
    expect(page.get_by_role("radio", name="Yours")).to_have_attribute("aria-checked", "true")


def test_a_drawing_becomes_the_picture(page: Page, address: str):
    open_page(page, address)
    page.get_by_role("button", name="Draw").click()
    area = page.get_by_role("dialog").locator("canvas").last.bounding_box()
    assert area
    page.mouse.move(area["x"] + 60, area["y"] + 60)
    page.mouse.down()
    page.mouse.move(area["x"] + 300, area["y"] + 300, steps=12)
    page.mouse.up()
    page.wait_for_timeout(1000)
    page.get_by_role("button", name="Use this drawing").click()
    expect(page.get_by_role("radio", name="Yours")).to_have_attribute("aria-checked", "true")
    expect(page.get_by_text("416 × 416 pixels")).to_be_visible()


# ------------------------------------------------------------------------------- networks


def test_the_picker_says_what_each_network_takes(page: Page, address: str):
    open_page(page, address)
    page.locator(".picker .open").click()
    expect(page.locator(".option")).to_have_count(116 + 81)  # trained; and each architecture before it was
    expect(page.locator(".option").first).to_contain_text("embedded")
    squeezenet = page.locator(".option", has_text="SqueezeNet 1.1")
    expect(squeezenet.first).to_contain_text("on this machine")
    expect(squeezenet.last).to_contain_text("random")
    for part in (".panel input", ".list"):  # whole on the screen, wherever the button is
        area = page.locator(part).bounding_box()
        assert area
        assert area["y"] > 50
        assert area["y"] + area["height"] <= 1000
    page.get_by_role("combobox", name="Search: Network").fill("resnet-50 v2")
    expect(page.locator(".option").first).to_contain_text("download 103 MB")
    page.get_by_role("combobox", name="Search: Network").fill("zzz")
    expect(page.get_by_text("Nothing matches “zzz”.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".option").first).to_be_hidden()


def test_a_network_on_this_machine_is_used(page: Page, address: str):
    open_page(page, address, "?class=285")
    choose_network(page, "squeezenet 1.1")
    expect(page.locator(".picker .open")).to_contain_text("SqueezeNet 1.1")
    expect(page.get_by_role("radiogroup", name="Layer").get_by_role("radio").last).to_contain_text("13 × 13")
    settled(page)
    # the class of the old network's map is forgotten: the map is for the new one's first answer
    assert query(page) == {"model": "squeezenet1_1.IMAGENET1K_V1"}
    choose_network(page, "lite0")
    expect(answers(page).first).to_contain_text(CAT)


def test_a_download_that_fails_reads_well_and_the_page_goes_on(page: Page, address: str, hub: Hub):
    hub.answers.clear()
    open_page(page, address, "?class=285")
    choose_network(page, "resnet-50 v2")
    alert = page.get_by_role("alert").first
    expect(alert).to_contain_text(card(RESNET).file_name)
    expect(alert).to_contain_text("404")
    expect(alert).to_contain_text("the page goes on with EfficientNet-Lite0")
    expect(alert).to_contain_text("put it into")
    expect(page.locator(".picker .open")).to_contain_text("EfficientNet-Lite0")
    painted(page, SECOND_CAT)
    settled(page)
    assert query(page) == {"class": "285"}, "what was chosen before is kept"
    # it stays until somebody picks another, and can be tried again
    answers(page).first.click()
    painted(page, CAT)
    expect(alert).to_contain_text("404")
    page.get_by_role("button", name="Try again").click()
    expect(alert).to_contain_text("404")


def test_a_download_shows_its_progress_and_can_be_cancelled(
    page: Page, address: str, hub: Hub, weights_folder: Path
):
    answer = hub.answers[card(RESNET).file_name] = hubs.held(bytes(2_000_000))
    open_page(page, address)
    choose_network(page, "resnet-50 v2")
    expect(page.get_by_text(re.compile(r"Downloading ResNet.50.*: 1\.0 of 2\.0 MB"))).to_be_visible()
    painted(page, CAT)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Downloading")).to_have_count(0)
    expect(page.locator(".picker .open")).to_contain_text("EfficientNet-Lite0")
    answer.go_on.set()
    time.sleep(0.5)
    assert not (weights_folder / card(RESNET).file_name).exists()
    assert not list(weights_folder.glob("*.part*"))


def test_a_download_with_a_wrong_hash_is_refused(page: Page, address: str, hub: Hub, weights_folder: Path):
    hub.answers[card(RESNET).file_name] = hubs.good(bytes(300_000))
    open_page(page, address)
    choose_network(page, "resnet-50 v2")
    expect(page.get_by_role("alert").first).to_contain_text("SHA-256")
    assert not (weights_folder / card(RESNET).file_name).exists()


# ------------------------------------------------------------------------------- take home


def test_overlay_map_and_code_can_be_taken_home(page: Page, address: str):
    open_page(page, address, "?class=285")
    page.get_by_text("Take it home").click()
    with page.expect_download() as picture:
        page.get_by_role("button", name="Overlay as PNG").click()
    image = Image.open(io.BytesIO(saved(picture.value)))
    assert image.size == (451, 300)
    assert not image.info
    with page.expect_download() as array:
        page.get_by_role("button", name="Map as .npy").click()
    heat = np.load(io.BytesIO(saved(array.value)))
    assert heat.shape == (7, 7)
    assert array.value.suggested_filename == "cat-egyptian-cat.npy"
    with page.expect_download() as code:
        page.get_by_role("button", name="Code as .py").click()
    text = saved(code.value).decode()
    compile(text, "code.py", "exec")
    assert "explorer" not in text
    assert "ClassifierOutputTarget(285)" in text


# ------------------------------------------------------------------------------- for everybody


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1440, 800])
def test_axe_finds_nothing_serious_and_nothing_is_cut_off(
    browser: Browser, address: str, dark: bool, width: int
):
    with visiting(browser, width=width, dark=dark) as page:
        open_page(page, address, "?versus=285")
        at_rest(page)
        found = Axe().run(page).response["violations"]
        ours = [rule for rule in found if rule["impact"] in ("serious", "critical")]
        assert not ours, [(rule["id"], [node["html"][:160] for node in rule["nodes"]]) for rule in ours]
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        for part in (".view", ".bars", ".picker"):
            area = page.locator(part).first.bounding_box()
            assert area
            assert area["x"] >= 0
            assert area["x"] + area["width"] <= width
        inputs, view, answers = (
            page.locator(f".st-key-{area}").bounding_box() for area in ("picture", "view", "answers")
        )
        assert inputs
        assert view
        assert answers
        assert abs(view["y"] - answers["y"]) < 40, "the answers stand beside the picture"
        assert answers["x"] >= view["x"] + view["width"]
        if width == 1440:
            assert inputs["x"] + inputs["width"] <= view["x"]
        ground = page.locator("[data-testid=stApp]").evaluate("app => getComputedStyle(app).backgroundColor")
        assert ground == ("rgb(14, 20, 24)" if dark else "rgb(255, 255, 255)")


def focus(page: Page) -> str:
    """Class of the focused element, through shadow roots."""
    return page.evaluate(
        "() => { let e = document.activeElement; while (e?.shadowRoot?.activeElement)"
        " e = e.shadowRoot.activeElement; return `${e?.className} ${e?.name ?? ''}` }"
    )


def tab_to(page: Page, name: str) -> None:
    for _ in range(80):
        page.keyboard.press("Tab")
        if name in focus(page):
            return
    raise AssertionError(f"Tab never reaches {name}")


def test_everything_works_with_the_keyboard_alone(page: Page, address: str):
    open_page(page, address)
    page.locator("h1").click()
    page.keyboard.press("Tab")
    # picture: arrow keys choose within the group
    while "label" in focus(page) or not page.evaluate(
        "() => document.activeElement?.shadowRoot?.activeElement?.getAttribute('role') === 'radio'"
    ):
        page.keyboard.press("Tab")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(250)
    expect(answers(page).first).to_contain_text("espresso")
    # network: open, search, leave
    tab_to(page, "open")
    page.keyboard.press("Enter")
    page.keyboard.type("vgg")
    expect(page.locator(".option").first).to_contain_text("VGG")
    page.keyboard.press("Escape")
    # heat: arrow keys read values
    tab_to(page, "stage")
    page.keyboard.press("ArrowRight")
    expect(page.locator("output")).to_contain_text("Row")
    # look: arrow keys move a slider
    tab_to(page, "opacity")
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(re.compile("opacity=74"))
    # answers: Enter draws the map of the next
    tab_to(page, "class")
    tab_to(page, "class")
    page.keyboard.press("Enter")
    expect(answers(page).nth(1)).to_have_attribute("aria-pressed", "true")
    painted(page, "cup|mug|plate|eggnog|chocolate|soup")


def test_pages_fetch_nothing_from_elsewhere(page: Page, address: str):
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_page(page, address)
    elsewhere = [
        url for url in asked if not url.startswith((address, "data:", "blob:", address.replace("http", "ws")))
    ]
    assert not elsewhere
