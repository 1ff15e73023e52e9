"""The app as `streamlit run app.py` serves it, and a real Chromium to look at it with."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.serving import Served, browser_path, serve


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The app, from a copy of the repository: what it trains stays there."""
    if browser_path() is None:
        pytest.skip("no Chromium is installed (on Debian: apt-get install chromium)")
    with serve(tmp_path_factory.mktemp("served")) as served:
        yield served


@pytest.fixture(scope="module")  # as long as it is there, its event loop runs in this thread
def chromium(app):
    """A browser for all tests of a module."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_path(),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


# The script has run; all parts are loaded, none is of an earlier run, and none is fading.
SETTLED = """
    document.querySelector("[data-testid=stApp][data-test-script-state=notRunning]")
    && !document.querySelector("[data-stale=true], [data-testid=stSkeleton]")
    && !document.getAnimations().some((each) =>
        each.playState === "running" && each.effect.getComputedTiming().endTime < Infinity)
"""


def settle(page):
    """Wait until nothing on the page changes any more."""
    page.wait_for_function(SETTLED)


@pytest.fixture
def visit(chromium, app):
    """Return a function that opens a page of the app as a new visitor, and waits for all of it."""
    contexts = []

    def open_page(path="", width=1280, color_scheme="light", height=900):
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=color_scheme
        )
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{app.url}/{path}")
        page.get_by_role("heading", level=1).wait_for()
        settle(page)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def small_base(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tiny_base for texts of 128 tokens, without a head: it is trained in a second."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    folder = tmp_path_factory.mktemp("small_base")
    shutil.copytree(tiny_base, folder, dirs_exist_ok=True)
    config = BertConfig.from_pretrained(tiny_base, max_position_embeddings=128)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        BertForSequenceClassification(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_base, model_max_length=128).save_pretrained(folder)
    return folder
