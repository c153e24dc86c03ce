"""A real browser for tests: headless Chromium, driven by playwright; nothing is fetched from anywhere."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PATHS = ("chromium", "chromium-browser", "google-chrome")
# Less than it does by itself: no sandbox (there is none in a container), no graphics card, no talk in the background.
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


def chromium() -> str:
    """Return the path of an installed Chromium; the test is skipped where there is none."""
    pytest.importorskip("playwright", reason="playwright is not installed (extra: browser)")
    found = next((path for name in PATHS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("Chromium is not installed (Debian: apt install chromium)")
    return found


def axe_script() -> str:
    """Return the source of axe-core, which finds what people with disabilities cannot use."""
    package = pytest.importorskip("axe_playwright_python", reason="axe-core is not installed (extra: browser)")
    return (Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


@contextmanager
def browser() -> Iterator[Any]:
    """Yield a running Chromium."""
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield running
        finally:
            running.close()
