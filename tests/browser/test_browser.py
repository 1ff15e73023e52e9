"""What a person does and sees, in a real browser."""

import csv
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

PAGES = ["", "file", "models", "train"]
RUDE = "You are such an idiot, shut up."


def score(page, text):
    page.get_by_label("Comment", exact=True).fill(text)
    page.get_by_role("button", name="Score", exact=True).click()
    page.locator(".tox-sentence").first.wait_for()


def choose(page, label, option):
    page.get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=option).first.click()


def test_a_comment_is_scored_and_explained(visit):
    page = visit()
    score(page, RUDE)
    assert page.locator(".tox-sentence").inner_text().startswith("Flagged as")
    assert page.locator(".tox-bars [role=listitem]").count() == 6
    page.locator(".tox-marked mark.up", has_text="idiot").wait_for()


def test_another_model_scores_the_comment_that_is_there(visit):
    page = visit()
    score(page, RUDE)
    choose(page, "Compare with", "another")
    page.get_by_text("another", exact=True).wait_for()
    page.wait_for_function("document.querySelectorAll('.tox-sentence').length == 2")
    first, second = page.locator(".tox-sentence").all_inner_texts()
    assert first == second
    choose(page, "Model", "another")
    page.wait_for_function("document.querySelectorAll('.tox-sentence').length == 1")


def test_a_comment_can_be_scored_by_keyboard_alone(visit):
    page = visit()
    box = page.get_by_label("Comment", exact=True)
    box.focus()
    page.keyboard.type(RUDE)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText").strip().endswith("Score")
    page.keyboard.press("Enter")
    page.locator(".tox-sentence").wait_for()


def test_what_is_typed_is_shown_as_text_and_stays_out_of_the_address_and_the_log(visit, app):
    page = visit()
    page.evaluate("document.title = 'untouched'")
    typed = "<img src=x onerror=\"document.title='hit'\"> **bold** you xyzzy idiot"
    score(page, typed)
    page.locator(".tox-marked").wait_for()
    assert typed in page.locator(".tox-marked").inner_text()
    assert page.locator("img[src=x]").count() == 0
    assert page.title() != "hit"
    assert "xyzzy" not in page.url
    assert "xyzzy" not in app.log.read_text()


def test_choosing_a_sample_comment_scores_it(visit):
    page = visit()
    choose(page, "Example", "Thank you for the careful rewrite")
    page.locator(".tox-sentence", has_text="No label reaches its threshold.").wait_for()


def test_a_file_goes_in_and_comes_back_with_scores(visit, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(f'id,body\n1,"{RUDE}"\n2,\n3,=1+1 thank you\n', encoding="utf-8")
    page = visit("file")
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_role("button", name="Score the file").click()
    button = page.get_by_text("Download CSV")
    button.wait_for()
    page.get_by_test_id("stDataFrame").hover()
    page.get_by_role("button", name="Search").wait_for()
    # The table's own download would write =1+1 as a formula.
    assert page.get_by_role("button", name="Download as CSV").count() == 0
    with page.expect_download() as download:
        button.click()
    assert download.value.suggested_filename == "mine-scored.csv"
    with Path(download.value.path()).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert "insult" in rows[0]["flags"]
    assert float(rows[0]["toxic_score"]) > 0.5
    assert rows[1]["reason"] == "blank"
    assert rows[2]["body"] == "'=1+1 thank you"
    assert page.request.get(page.url.replace("file", "downloads/guess/mine.csv")).status == 404


def test_a_training_run_survives_a_reload_and_its_model_can_be_chosen(visit, app, small_base):
    page = visit("train")
    base = page.get_by_role("combobox", name="Base model")
    base.fill(str(small_base))
    base.press("Enter")
    page.get_by_label("Run name").fill("browser")
    page.get_by_role("spinbutton", name="Training rows").fill("32")
    page.get_by_role("spinbutton", name="Epochs").fill("1")
    page.get_by_role("button", name="Start").click()
    page.get_by_text("has been training for").wait_for()
    page.reload()
    page.get_by_text("has been training for").wait_for()
    other = visit("train")  # a second visitor sees it too
    other.get_by_text("has been training for").wait_for()
    assert other.get_by_role("button", name="Start").count() == 0
    page.get_by_text("and in the list of models").wait_for(timeout=240_000)
    page.get_by_role("button", name="Score comments with it").click()
    page.get_by_label("Comment", exact=True).wait_for()
    score(page, RUDE)
    assert "runs/browser" in page.get_by_role("combobox", name="Model").input_value()
    assert (app.folder / "runs" / "browser" / "model" / "README.md").is_file()


def test_a_model_is_measured_and_its_threshold_chosen(visit):
    page = visit("models")
    page.get_by_role("tab", name="Measure").click()
    page.get_by_role("button", name="Measure", exact=True).click()
    page.get_by_role("heading", name="Operating point").wait_for(timeout=120_000)
    page.get_by_role("button", name="for toxic").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download decision.json").click()
    assert download.value.suggested_filename == "decision.json"


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_shows_each_page_without_scrolling_sideways(visit, path):
    page = visit(path, width=390)
    if not path:
        score(page, RUDE)
    page.wait_for_load_state("networkidle")
    main = "document.querySelector('[data-testid=stMain]')"
    assert page.evaluate(f"{main}.scrollWidth <= {main}.clientWidth")


def test_the_list_of_models_fits_a_narrow_phone(visit):
    table = visit("models", width=360).locator(".tox-scroll").first
    assert table.evaluate("table => table.scrollWidth <= table.clientWidth")


def test_the_page_works_in_an_iframe(visit, app):
    page = visit("?embed=true")
    score(page, RUDE)
    page.set_content(f'<iframe src="{app.url}/?embed=true" width="800" height="800"></iframe>')
    frame = page.frame_locator("iframe")
    frame.get_by_label("Comment", exact=True).fill(RUDE)
    frame.get_by_role("button", name="Score", exact=True).click()
    frame.locator(".tox-sentence").wait_for()


def long_comment_on_two_models(page):
    choose(page, "Compare with", "another")
    score(page, f"{RUDE} " + "It goes on and on, and never ends. " * 40)
    page.get_by_text("Show as a table").first.click()
    page.locator(".tox-marked mark").first.wait_for()


def scored_file(page):
    rows = f"comment_text,toxic,insult\n{RUDE},1,1\nThank you.,0,0\nFine by me.,0,0\n"
    labelled = {
        "name": "mine.csv",
        "mimeType": "text/csv",
        "buffer": rows.replace(", ", " ").encode(),
    }
    page.locator("input[type=file]").set_input_files(labelled)
    page.get_by_role("button", name="Score the file").click()
    page.get_by_role("heading", name="Report").wait_for()


def shown_metrics(page):
    page.get_by_role("tab", name="Metrics").click()
    page.get_by_text("Calibration: does 80 % mean 80 in 100?").wait_for()


def serious_violations(page):
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    page.wait_for_timeout(1000)  # widgets fade in; a pale one would count as low contrast
    return [
        (violation["id"], [node["html"][:200] for node in violation["nodes"]][:3])
        for violation in Axe().run(page).response["violations"]
        if violation["impact"] in ("serious", "critical")
    ]


# Each page light and dark, wide and on a phone, in two visits.
@pytest.mark.parametrize(("color_scheme", "width"), [("light", 1280), ("dark", 390)])
@pytest.mark.parametrize(
    ("path", "use"),
    [("", long_comment_on_two_models), ("file", scored_file), ("models", shown_metrics),
     ("train", None)],
)  # fmt: skip
def test_axe_finds_nothing_serious_on_a_page_before_and_after_its_use(
    visit, path, use, color_scheme, width
):
    page = visit(path, width=width, color_scheme=color_scheme)
    assert serious_violations(page) == []
    if use:
        use(page)
        assert serious_violations(page) == []
