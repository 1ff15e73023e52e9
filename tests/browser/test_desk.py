"""The review desk in a real browser: a file, decisions, and the way from them to a better model."""

import re

import pytest

from tests.browser.conftest import settle

ROWS = 14
# All different: of equal comments, all would be on one side of the split.
COMMENTS = [
    f"You are such an idiot! Shut up about page {row}."
    if row % 2
    else f"Thank you for the help with page {row}."
    for row in range(ROWS)
]


@pytest.fixture
def desk(visit):
    """The File page with a scored file of ROWS comments, separated by semicolons."""
    lines = "".join(f"{row};user {row};{comment}\n" for row, comment in enumerate(COMMENTS))
    content = {
        "name": "forum.csv",
        "mimeType": "text/csv",
        "buffer": f"id;by;body\n{lines}".encode(),
    }
    page = visit("file")
    page.locator("input[type=file]").set_input_files(content)
    page.get_by_text("3 columns, 14 rows, semicolons, UTF-8").wait_for()
    page.get_by_role("button", name="Score the file").click()
    page.get_by_text("Row 1 · 1 of 14").wait_for()
    return page


def press(page, key, then):
    """Press a key outside all fields, and wait for a text."""
    page.locator(".tox-marked").first.wait_for()  # the row before is drawn
    settle(page)
    page.keyboard.press(key)
    page.get_by_text(then).wait_for()


def test_reload_and_back_keep_the_file_and_the_place(desk):
    page = desk
    press(page, "j", "Row 2 · 2 of 14")
    press(page, "a", "Row 3 · 3 of 14")
    page.reload()
    page.get_by_text("Row 3 · 3 of 14").wait_for()
    page.get_by_text("1 decision").wait_for()
    page.get_by_role("link", name="Models").click()
    page.get_by_role("heading", name="Models", level=1).wait_for()
    page.go_back()
    page.get_by_text("Row 3 · 3 of 14").wait_for()


def test_thresholds_and_filter_reach_the_download(desk):
    page = desk
    page.get_by_text("14 rows · 7 flagged").wait_for()
    page.get_by_role("combobox", name="Show").click()
    page.get_by_role("option", name="flagged: insult").click()
    button = page.get_by_text("Download the 7 rows shown")
    button.wait_for()
    with page.expect_download() as download:
        button.click()
    assert download.value.suggested_filename == "forum-shown.csv"
    text = download.value.path().read_text(encoding="utf-8-sig")
    assert text.splitlines()[0].startswith("id;by;body;toxic_score")
    assert len(text.splitlines()) == 8
    slider = page.get_by_role("slider", name="insult")
    slider.focus()
    page.keyboard.press("End")
    page.get_by_text("No rows match.").wait_for()


def test_a_slider_that_is_moved_fast_stays_where_it_was_moved(desk):
    page = desk
    slider = page.get_by_role("slider", name="insult")
    before = int(slider.input_value())
    slider.focus()
    for _ in range(30):
        page.keyboard.press("ArrowRight", delay=20)
    settle(page)
    slider.evaluate("each => each.blur()")
    press(page, "j", "Row 2 · 2 of 14")
    settle(page)
    assert slider.input_value() == str(before + 30)


def test_decisions_become_a_model_that_is_compared_and_then_used(desk):
    page = desk
    for row in range(2, ROWS, 2):  # each rude comment is none, for this moderator
        press(page, "a", f"Row {row} · ")
        press(page, "n", f"Row {row + 1} · ")
    page.get_by_text("12 decisions").wait_for()
    page.get_by_text("6 as the model · 6 corrected").wait_for()
    page.get_by_role("button", name="Train on these decisions").click()

    page.get_by_text(re.compile(r"12 decisions and \d+ rows of data/sample\.csv")).wait_for()
    base = page.get_by_role("combobox", name="Base model")
    assert base.input_value() == "toxic-minilm, trained further"
    page.get_by_label("Run name").fill("decided")
    page.get_by_role("spinbutton", name="Training rows").fill("24")
    page.get_by_role("spinbutton", name="Epochs").fill("1")
    page.get_by_role("button", name="Start").click()
    page.get_by_role("button", name="Compare it with toxic-minilm").click(timeout=400_000)

    page.wait_for_url("**/models?model=runs%2Fdecided*")
    page.get_by_text(re.compile(r"Of \d+ rows, right in every label: ")).wait_for(timeout=200_000)
    page.get_by_role("heading", name=re.compile(r"Results on \d+ held-out decisions")).wait_for()
    page.get_by_role("columnheader", name="false alarms, toxic-minilm").wait_for()
    page.get_by_role("button", name="Use runs/decided").click()
    page.get_by_text("Score and File use runs/decided now.").wait_for()
    page.get_by_role("link", name="Score", exact=True).click()
    page.locator(".st-key-result").get_by_text("runs/decided").wait_for()
    page.locator(".tox-sentence").wait_for()
    page.get_by_role("button", name="Options").click()
    assert "runs/decided" in page.get_by_role("combobox", name="Model").input_value()
