"""make screenshots: every page, wide and 390 pixels, light and dark, in a folder.

Two more, cropped and of the same height, are for the README.

python -m tests.browser.screenshots docs/screenshots
"""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.serving import ROOT, Served, browser_path, serve

COMMENT = "Thanks for nothing, you absolute idiot. Do us all a favour and stop writing here."
WIDTHS = {"wide": 1200, "phone": 390}
README = {"wide": (1000, "light"), "phone": (390, "dark")}
LARGEST = 300_000  # bytes of a screenshot
HIGHEST = 2600  # pixels


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
        for width_name, width in WIDTHS.items():
            for scheme in ("light", "dark"):
                context = browser.new_context(
                    viewport={"width": width, "height": 900}, color_scheme=scheme
                )
                context.set_default_timeout(120_000)
                for name, take in SCREENSHOTS.items():
                    page = context.new_page()
                    take(page, app)
                    save(page, folder / f"{name}-{width_name}-{scheme}.png", width)
                    page.close()
                context.close()
        readme_pair(browser, app, folder)
        browser.close()
    return 0


def readme_pair(browser: Browser, app: Served, folder: Path) -> None:
    """Take the README's two screenshots: a comment and its result, wide and on a phone.

    The wide one shows the comment's field and the result; the phone's the result alone. The shorter
    one is padded with the page's background.
    """
    shots = {}
    for name, (width, scheme) in README.items():
        page = browser.new_page(viewport={"width": width, "height": 2600}, color_scheme=scheme)
        page.set_default_timeout(120_000)
        score(page, app)
        settle(page)
        result = page.locator(".tox-sentence").bounding_box()
        field = page.get_by_label("Comment", exact=True).bounding_box()
        below = page.locator("[data-testid=stExpander]").first.bounding_box()
        assert result and field and below
        bottom = below["y"] + (below["height"] + 18 if name == "wide" else -4)
        top = field["y"] - 40 if name == "wide" else result["y"] - 20
        clip = {"x": field["x"] - 24, "y": top, "width": field["width"] + 48}
        if name == "phone":
            clip |= {"x": 0, "width": width}
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


def score(page: Page, app: Served) -> None:
    """A scored and explained comment."""
    page.goto(app.url)
    page.get_by_label("Comment", exact=True).fill(COMMENT)
    page.get_by_role("button", name="Score", exact=True).click()
    page.locator(".tox-marked mark").first.wait_for()


def file(page: Page, app: Served) -> None:
    """A scored file."""
    page.goto(f"{app.url}/file")
    page.locator("input[type=file]").set_input_files(ROOT / "data" / "sample.csv")
    page.get_by_role("button", name="Score the file").click()
    page.get_by_role("heading", name="Report").wait_for()


def models(page: Page, app: Served) -> None:
    """The metrics of the shipped model."""
    page.goto(f"{app.url}/models")
    page.get_by_role("tab", name="Metrics").click()
    page.get_by_text("Calibration: does 80 % mean 80 in 100?").wait_for()


def train(page: Page, app: Served) -> None:
    """The form of a new run."""
    page.goto(f"{app.url}/train")
    page.get_by_role("button", name="Start").wait_for()


SCREENSHOTS = {"score": score, "file": file, "models": models, "train": train}


def save(page: Page, path: Path, width: int) -> None:
    """Save the whole page, as far as HIGHEST, as a small PNG."""
    settle(page)
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": width, "height": min(int(height), HIGHEST)})
    page.wait_for_timeout(1000)
    page.screenshot(path=path)
    report(path)


def settle(page: Page) -> None:
    """Wait until the page has run and drawn itself."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    page.wait_for_timeout(2000)  # charts draw themselves, widgets fade in


def report(path: Path) -> None:
    """Print a screenshot's path and size. AssertionError when it is too large to track."""
    size = path.stat().st_size
    if size > LARGEST:
        raise AssertionError(f"{path}: {size:,} bytes, more than {LARGEST:,}")
    print(path, f"{size:,} bytes")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
