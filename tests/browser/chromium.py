"""Find Chromium, or install it where that is one plain command.  Run as a script before the browser tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
)


def find() -> str | None:
    """Path of a Chromium or Chrome: $CHROMIUM, else on the path, else where installers put it."""
    if wish := os.environ.get("CHROMIUM"):
        return wish if os.access(wish, os.X_OK) else None
    return next(filter(None, map(shutil.which, NAMES)), None) or next(
        (place for place in PLACES if os.access(place, os.X_OK)), None
    )


def install() -> None:
    """Install Debian's package, as root or through sudo."""
    elevate = [] if os.geteuid() == 0 else ["sudo"]
    print("Installing Chromium (apt-get install chromium)", flush=True)
    quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
    subprocess.run([*elevate, "apt-get", "update", "-qq"], check=True, **quiet)
    subprocess.run([*elevate, "apt-get", "install", "-y", "-qq", "chromium"], check=True, **quiet)


def main() -> None:
    if find():
        return
    if shutil.which("apt-get") and (os.geteuid() == 0 or shutil.which("sudo")):
        install()
    if not find():
        sys.exit(
            "The browser tests need Chromium or Chrome: install it, "
            "or put the path of its program into the variable CHROMIUM."
        )


if __name__ == "__main__":
    main()
