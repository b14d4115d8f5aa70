"""Pictures of every page, light and dark, wide and narrow: `make screenshots`."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from PIL import Image

from explorer.ui.frame import ROOMS
from tests.browser.serving import ROOT, browsing, serving, settled, visiting

SHOTS = ROOT / "assets" / "screenshots"
GALLERY = ROOT / "assets" / "rooms"
WIDTHS = {1440: 1000, 800: 1100}
GALLERY_SIZE = (960, 667)


def save(picture: bytes, path: Path, size: tuple[int, int] | None = None) -> None:
    """A JPEG without colour subsampling: many colours for heat, sharp edges for text, few bytes."""
    image = Image.open(BytesIO(picture)).convert("RGB")
    if size:
        image = image.resize(size, Image.Resampling.LANCZOS)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=88, subsampling=0, optimize=True)


def main() -> None:
    # the home page shows the other pages' pictures: it comes last
    rooms = sorted(ROOMS, key=lambda room: not room.path)
    with serving() as address, browsing() as browser:
        for room in rooms:
            for theme in ("light", "dark"):
                for width, height in WIDTHS.items():
                    with visiting(browser, width=width, height=height, dark=theme == "dark") as page:
                        page.goto(f"{address}/{room.path}")
                        page.locator("h1").wait_for()
                        settled(page)
                        page.wait_for_timeout(1500)
                        name = f"{room.path or 'home'}-{theme}-{width}.jpg"
                        save(page.screenshot(), SHOTS / name)
                        if width == 1440 and room.path:
                            save(page.screenshot(), GALLERY / f"{room.path}-{theme}.jpg", GALLERY_SIZE)
                        print(SHOTS / name, flush=True)


if __name__ == "__main__":
    main()
