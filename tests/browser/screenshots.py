"""make screenshots: every page, wide and 390 pixels, light and dark, in a folder.

python -m tests.browser.screenshots docs/screenshots
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.serving import ROOT, Served, browser_path, serve

COMMENT = "Thanks for nothing, you absolute idiot. Do us all a favour and stop writing here."
WIDTHS = {"wide": 1200, "phone": 390}
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
        browser.close()
    return 0


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
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    page.wait_for_timeout(2000)  # charts draw themselves, widgets fade in
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": width, "height": min(int(height), HIGHEST)})
    page.wait_for_timeout(1000)
    page.screenshot(path=path)
    size = path.stat().st_size
    if size > LARGEST:
        raise AssertionError(f"{path}: {size:,} bytes, more than {LARGEST:,}")
    print(path, f"{size:,} bytes")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
