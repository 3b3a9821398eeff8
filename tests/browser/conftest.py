"""A headless Chromium for tests of pages, and the folder in which its pictures are kept."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.browser.watched import Watched, watched

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
ROOT = Path(__file__).parents[2]
AXE = "node_modules/axe-core/axe.min.js"

Open = Callable[..., Watched]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser, as playwright has it."""
    program = os.environ.get("RAG_EVAL_CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("there is no Chromium: apt-get install chromium, or RAG_EVAL_CHROMIUM=<program>")
    api = pytest.importorskip("playwright.sync_api", reason='there is no playwright: pip install "rag_eval[browser]"')
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def kept() -> dict[tuple[str, int, str], Watched]:
    """Pages that tests have in common, by address, width and scheme."""
    return {}


@pytest.fixture
def open_page(chromium: Any, kept: dict[tuple[str, int, str], Watched]) -> Iterator[Open]:
    """`open_page(address, width=380, scheme="dark")` opens a page in a window of its own.

    A page that is asked for again is the same one, as the last test left it; `is_fresh` opens another, which is closed after the test.
    """
    with ExitStack() as stack:

        def call(address: str, width: int = 1100, scheme: str = "light", is_fresh: bool = False) -> Watched:
            key = (address, width, scheme)
            if key in kept and not is_fresh:
                return kept[key]
            context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
            if is_fresh:
                stack.callback(context.close)
            found = watched(context.new_page(), address)
            if not is_fresh:
                kept[key] = found
            return found

        yield call


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures are kept: RAG_EVAL_SCREENSHOTS, else a folder that pytest removes after some sessions."""
    named = os.environ.get("RAG_EVAL_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which finds faults of accessibility."""
    path = Path(os.environ.get("RAG_EVAL_AXE") or ROOT / AXE)
    if not path.is_file():
        pytest.skip("there is no axe-core: npm install axe-core, and RAG_EVAL_AXE=<folder>/node_modules/axe-core/axe.min.js")
    return path.read_text(encoding="utf-8")
