"""make screenshots: every page, wide, on a phone and in a frame, light and dark, in a folder.

Three more are for the README: two that are cropped and of the same height, and a short animation.

python -m tests.browser.screenshots docs/screenshots
"""

import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import BrowserContext, FloatRect, Page, sync_playwright

from tests.browser.serving import ROOT, Served, browser_path, serve

COMMENT = "Thanks for nothing, you absolute idiot. Do us all a favour and stop writing here."
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
# Name → width, height. A frame is a part of another site's page: its picture ends where it ends.
SIZES = {"wide": (1200, 900), "phone": (390, 844), "frame": (700, 640)}
README: dict[str, tuple[int, Scheme]] = {"wide": (1000, "light"), "phone": (390, "dark")}
ANIMATED = 960, 620
LARGEST, LARGEST_ANIMATED = 500_000, 1_000_000  # bytes
HIGHEST = 2600  # pixels
# No widget is still a grey block; the hidden one of a component without a face stays one.
DRAWN = "[...document.querySelectorAll('[data-testid=stSkeleton]')].every(one => !one.offsetParent)"


def main(folder: Path) -> int:
    """Take all screenshots. Returns 1 where there is no browser."""
    path = browser_path()
    if path is None:
        print("error: no Chromium is installed (on Debian: apt-get install chromium)")
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as copy,
        serve(Path(copy)) as app,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        visitor = browser.new_context()
        visitor.set_default_timeout(120_000)
        animation(visitor, app, folder)
        readme_pair(visitor, app, folder)
        for name, take in SCREENSHOTS.items():
            for size, (width, height) in SIZES.items():
                for scheme in SCHEMES:
                    page = open_page(visitor, width, height, scheme)
                    take(page, app, "?embed=true" if size == "frame" else "")
                    save(page, folder / f"{name}-{size}-{scheme}.png", whole=size != "frame")
                    page.close()
        browser.close()
    return 0


def open_page(visitor: BrowserContext, width: int, height: int, scheme: Scheme) -> Page:
    """A blank page of this size, for those who prefer light or dark colours."""
    page = visitor.new_page()
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=scheme)
    return page


def readme_pair(visitor: BrowserContext, app: Served, folder: Path) -> None:
    """Take the README's two screenshots: a comment and its result, wide and on a phone.

    The wide one shows the comment's field and the result; the phone's the result alone. The shorter
    one is padded with the page's background.
    """
    shots = {}
    for name, (width, scheme) in README.items():
        page = open_page(visitor, width, 2600, scheme)
        score(page, app)
        settle(page)
        result = page.locator(".st-key-result").bounding_box()
        field = page.get_by_label("Comment", exact=True).bounding_box()
        assert result and field
        bottom = result["y"] + result["height"] + 12
        top = field["y"] - 40 if name == "wide" else result["y"] - 12
        right = result["x"] + result["width"]
        clip = {"x": field["x"] - 24, "y": top, "width": right - field["x"] + 48}
        if name == "phone":
            clip |= {"x": 0, "width": width}
        page.add_style_tag(content="header { visibility: hidden }")
        shots[name] = page.screenshot(clip=clip | {"height": bottom - top})
        page.close()
    images = {name: Image.open(io.BytesIO(shot)).convert("RGB") for name, shot in shots.items()}
    height = max(image.height for image in images.values())
    for name, image in images.items():
        padded = Image.new("RGB", (image.width, height), image.getpixel((0, 0)))
        padded.paste(image)
        path = folder / f"readme-{name}.png"
        padded.save(path, optimize=True)
        report(path)


def animation(visitor: BrowserContext, app: Served, folder: Path) -> None:
    """Save a few seconds of Score: a comment is typed and scored, and a tick is moved."""
    width, height = ANIMATED
    page = open_page(visitor, width, height, "light")
    score(page, app)
    settle(page)
    page.add_style_tag(content="header { visibility: hidden } * { caret-color: transparent }")
    shots = list(acted(page, {"x": 48, "y": 60, "width": width - 96, "height": height - 60}))
    page.close()
    images = [Image.open(io.BytesIO(shot)).convert("RGB") for shot, _ in shots]
    path = folder / "score.webp"
    images[0].save(
        path,
        save_all=True,
        append_images=images[1:],
        duration=[milliseconds for _, milliseconds in shots],
        loop=0,
        lossless=True,
        method=6,
    )
    report(path, LARGEST_ANIMATED)


def acted(page: Page, clip: FloatRect) -> Iterator[tuple[bytes, int]]:
    """Use the page as a visitor does. Yields pictures, and for how many milliseconds each stays.

    clip: the part of the page that is taken.
    """
    box = page.get_by_label("Comment", exact=True)
    box.fill("")
    page.get_by_text("Nothing to score yet.").wait_for()
    settle(page)
    yield page.screenshot(clip=clip), 700
    words = COMMENT.split(" ")
    for number in range(1, len(words) + 1):
        box.fill(" ".join(words[:number]))
        yield page.screenshot(clip=clip), 130
    page.locator(".tox-marked", has_text=COMMENT).wait_for()
    page.locator(".tox-marked mark").first.wait_for()
    settle(page)
    yield page.screenshot(clip=clip), 2500
    tick = page.get_by_role("slider", name="Flag insult from")
    for threshold in range(39, 84, 4):
        tick.fill(str(threshold))
        yield page.screenshot(clip=clip), 90
    page.locator(".tox-sentence", has_text="Likely toxic.").wait_for()
    settle(page)
    yield page.screenshot(clip=clip), 2500


def score(page: Page, app: Served, query: str = "") -> None:
    """A scored and explained comment."""
    page.goto(app.url + query)
    page.get_by_label("Comment", exact=True).fill(COMMENT)
    page.locator(".tox-marked", has_text=COMMENT[:20]).wait_for()
    page.locator(".tox-marked mark").first.wait_for()


def preview(page: Page, app: Served, query: str = "") -> None:
    """A file before it is scored."""
    page.goto(f"{app.url}/file{query}")
    page.locator("input[type=file]").set_input_files(ROOT / "data" / "sample.csv")
    page.get_by_role("button", name="Score the file").wait_for()


def file(page: Page, app: Served, query: str = "") -> None:
    """A scored file, one row of it decided."""
    preview(page, app, query)
    page.get_by_role("button", name="Score the file").click()
    page.get_by_role("button", name="Agree").click()
    page.get_by_text("1 decision").wait_for()
    page.get_by_role("heading", name="Report").wait_for()


def models(page: Page, app: Served, query: str = "") -> None:
    """The shelf."""
    page.goto(f"{app.url}/models{query}")
    page.get_by_role("button", name="Details").first.wait_for()


def model(page: Page, app: Served, query: str = "") -> None:
    """The metrics of the shipped model."""
    models(page, app, query)
    settle(page)  # until then, another card can be the first
    page.get_by_role("button", name="Details").first.click()
    page.get_by_role("tab", name="Metrics").click()
    page.get_by_text("Calibration: does 80 % mean 80 in 100?").wait_for()


def train(page: Page, app: Served, query: str = "") -> None:
    """The form of a new run."""
    page.goto(f"{app.url}/train{query}")
    page.get_by_role("button", name="Start").wait_for()


SCREENSHOTS = {
    "score": score,
    "preview": preview,
    "file": file,
    "models": models,
    "model": model,
    "train": train,
}


def save(page: Page, path: Path, whole: bool) -> None:
    """Save the page as a small PNG; as far as HIGHEST where it is to be whole."""
    settle(page)
    if whole and page.viewport_size:
        height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
        size = page.viewport_size | {"height": min(int(height), HIGHEST)}
        page.set_viewport_size(size)
        page.wait_for_timeout(1000)
    page.screenshot(path=path)
    report(path)


def settle(page: Page) -> None:
    """Wait until the page has run and drawn itself."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    page.wait_for_function(DRAWN)
    page.wait_for_timeout(2000)  # charts draw themselves, widgets fade in


def report(path: Path, largest: int = LARGEST) -> None:
    """Print a screenshot's path and size. AssertionError when it is too large to track."""
    size = path.stat().st_size
    if size > largest:
        raise AssertionError(f"{path}: {size:,} bytes, more than {largest:,}")
    print(path, f"{size:,} bytes")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
