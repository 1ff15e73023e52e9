"""What a person does and sees, in a real browser."""

import csv
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import settle

PAGES = ["", "file", "models", "train"]
RUDE = "You are such an idiot, shut up."


UP_TO_DATE = "!document.documentElement.hasAttribute('data-tox-outdated')"


def score(page, text):
    """Type a comment, and wait until the result is for it."""
    page.get_by_label("Comment", exact=True).fill(text)
    page.locator(".tox-marked", has_text=text[:20]).first.wait_for()
    page.wait_for_function(UP_TO_DATE)


def choose(page, label, option):
    if not page.get_by_role("combobox", name=label).is_visible():
        page.get_by_role("button", name="Options").click()
    page.get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=option).first.click()


def test_a_comment_is_scored_and_explained(visit):
    page = visit()
    score(page, RUDE)
    assert page.locator(".tox-sentence").inner_text().startswith("Likely ")
    assert page.locator(".tox-bars [role=listitem]").count() == 6
    page.locator(".tox-marked mark", has_text="idiot").wait_for()


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


def test_the_text_area_stays_the_same_when_a_second_model_comes(visit):
    page = visit()
    box = page.get_by_label("Comment", exact=True)
    box.evaluate("box => { box.isOld = true }")  # a new one would forget what is being typed
    choose(page, "Compare with", "another")
    page.wait_for_function("document.querySelectorAll('.tox-sentence').length == 2")
    assert box.evaluate("box => box.isOld")
    assert box.bounding_box()["width"] > 900  # the results lie under it, side by side


def test_a_sample_is_scored_when_the_page_opens(visit):
    page = visit()
    page.locator(".tox-marked mark", has_text="idiot").wait_for()
    assert page.get_by_role("radio", name="Insult", exact=True).is_checked()


def test_what_is_typed_before_the_page_is_ready_is_scored(visit):
    page = visit()
    page.add_init_script("""
        new MutationObserver((_, observer) => {
            const box = document.querySelector("textarea");
            if (!box) return;
            observer.disconnect();
            // After React's effects, which set the box to its first value.
            requestAnimationFrame(() => setTimeout(() => {
                Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value")
                    .set.call(box, "What an early bird you are.");
                box.dispatchEvent(new Event("input", { bubbles: true }));
            }));
        }).observe(document, { childList: true, subtree: true });
    """)
    page.reload()
    page.locator(".tox-marked", has_text="What an early bird").wait_for()


def test_the_result_is_grey_while_it_is_for_another_text_and_new_when_typing_pauses(visit):
    page = visit()
    page.locator(".tox-marked mark", has_text="idiot").wait_for()
    page.evaluate("""addEventListener(
        'keydown', event => event.ctrlKey && event.stopImmediatePropagation(), true)""")
    page.get_by_label("Comment", exact=True).fill("Thank you so much for this.")
    page.get_by_text("The result is still for “You are an idiot").wait_for()
    result = page.locator(".st-key-result")
    page.wait_for_function("getComputedStyle(document.querySelector('.st-key-result')).opacity < 1")
    assert "idiot" in result.inner_text()
    page.get_by_role("heading", level=1).click()  # leaving the text sends it too
    page.locator(".tox-sentence", has_text="Nothing flagged.").wait_for()
    page.wait_for_function(UP_TO_DATE)
    assert "Thank you so much" in result.inner_text()


def test_a_pause_of_half_a_second_sends_what_is_typed(visit):
    page = visit()
    score(page, RUDE)
    # Timers end in their order, however slow the machine is: a clock would measure the machine.
    page.evaluate("""
        addEventListener('input', () => setTimeout(() => (window.over = true), 500), true)
        addEventListener('keydown', () => (window.sentInTime ??= !window.over), true)
    """)
    page.get_by_label("Comment", exact=True).fill("It is quiet here.")
    page.locator(".tox-marked", has_text="quiet here").wait_for()
    assert page.evaluate("sentInTime")


def test_ctrl_enter_scores_and_a_comment_survives_a_change_of_page(visit):
    page = visit()
    box = page.get_by_label("Comment", exact=True)
    box.fill(RUDE)
    box.press("Control+Enter")
    page.locator(".tox-marked", has_text=RUDE[:20]).wait_for()
    box.fill("Half a sentence, not")
    page.get_by_role("link", name="File").click()
    page.get_by_role("heading", name="Review a file").wait_for()
    page.get_by_role("link", name="Score").click()
    page.locator(".tox-marked", has_text="Half a sentence").wait_for()
    assert page.get_by_label("Comment", exact=True).input_value() == "Half a sentence, not"


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (700, 640), (390, 844)])
def test_verdict_words_and_flagged_bars_are_in_view_without_scrolling(visit, width, height):
    page = visit("" if width != 700 else "?embed=true", width=width, height=height)
    score(page, RUDE)
    page.locator(".tox-decided").wait_for()
    settle(page)
    seen = [".tox-sentence", ".tox-marked", ".tox-decided"]
    if width > 400:
        seen += [".tox-bars > .high >> nth=-1"]
    for selector in seen:
        box = page.locator(selector).bounding_box()
        assert box["y"] > 0
        assert box["y"] + box["height"] <= height


def test_a_tick_can_be_moved_by_keyboard_and_says_what_it_gives(visit):
    page = visit()
    handle = page.get_by_role("slider", name="Flag toxic from")
    handle.focus()
    page.keyboard.press("End")
    limit = page.locator(".tox-bars .limit").first
    assert "flagged from 99 %: " in limit.inner_text()
    page.locator(".tox-sentence", has_text="Likely insulting.").wait_for()
    page.wait_for_function("document.activeElement.type == 'range'")  # it keeps the focus
    assert handle.input_value() == "99"
    page.get_by_role("radio", name="Balanced").click()
    page.locator(".tox-sentence", has_text="Likely toxic").wait_for()


def test_a_comment_can_be_scored_by_keyboard_alone(visit):
    page = visit()
    box = page.get_by_label("Comment", exact=True)
    box.focus()
    page.keyboard.press("Control+A")
    page.keyboard.type(RUDE)
    page.locator(".tox-marked", has_text=RUDE).wait_for()
    page.wait_for_function(UP_TO_DATE)
    assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"  # typing can go on
    for _ in range(3):  # the examples are one stop
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText").strip().endswith("Score"):
            break
    else:
        pytest.fail("the button is not within three stops")
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


def test_choosing_an_example_scores_it(visit):
    page = visit()
    page.get_by_role("radio", name="Praise").click()
    page.locator(".tox-sentence", has_text="Nothing flagged.").wait_for()


def test_a_file_goes_in_and_comes_back_with_scores(visit, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(f'id,body\n1,"{RUDE}"\n2,\n3,=1+1 thank you\n', encoding="utf-8")
    page = visit("file")
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_role("button", name="Score the file").click()
    button = page.get_by_text("Download all, flags at these thresholds")
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
    settle(page)
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
    page.get_by_text("Log", exact=True).click()
    page.locator(".tox-log", has_text="── data").wait_for()
    assert str(app.folder) not in page.locator(".tox-log").inner_text()
    page.get_by_text("runs/browser is ready").wait_for(timeout=240_000)
    page.get_by_role("button", name="Score comments with it").click()
    page.get_by_label("Comment", exact=True).wait_for()
    score(page, RUDE)
    page.get_by_role("button", name="Options").click()
    assert "runs/browser" in page.get_by_role("combobox", name="Model").input_value()
    assert (app.folder / "runs" / "browser" / "model" / "README.md").is_file()


def test_a_model_has_an_address_and_to_look_at_it_does_not_choose_it(visit):
    page = visit("models")
    page.locator(".st-key-details-of-another").get_by_role("button").click()
    page.get_by_role("heading", level=1, name="another").wait_for()
    assert page.url.endswith("models?model=another")
    page.reload()
    page.get_by_role("heading", level=1, name="another").wait_for()
    page.go_back()
    page.get_by_role("heading", level=1, name="Models").wait_for()
    page.go_forward()
    page.get_by_role("heading", level=1, name="another").wait_for()
    page.get_by_role("link", name="Score").click()
    page.get_by_role("button", name="Options").click()
    assert "another" not in page.get_by_role("combobox", name="Model").input_value()
    page.go_back()
    page.get_by_role("button", name="Use this model").click()
    page.get_by_role("button", name="In use").wait_for()
    page.get_by_role("link", name="Score").click()
    page.get_by_role("button", name="Options").click()
    shown = page.get_by_role("combobox", name="Model")
    shown.wait_for()
    assert "another" in shown.input_value()


def test_a_model_is_measured_and_its_threshold_chosen(visit):
    page = visit("models?model=toxic-minilm")
    page.get_by_role("button", name="Measure", exact=True).click()
    page.get_by_role("heading", name="Operating point").wait_for(timeout=120_000)
    page.get_by_role("button", name="for toxic").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download decision.json").click()
    assert download.value.suggested_filename == "decision.json"


def test_two_models_are_compared_on_a_file_with_labels_of_its_own(visit):
    rows = "message,category\n" + f'"{RUDE}",abuse\nSee you at lunch.,ham\n' * 5
    page = visit("models?model=toxic-minilm&tab=Compare")
    page.get_by_role("combobox", name="Compare with").wait_for()
    choose(page, "Compare with", "another")
    page.get_by_text("Upload labelled comments").click()
    page.locator("input[type=file]").set_input_files(
        {"name": "spam.csv", "mimeType": "text/csv", "buffer": rows.encode()}
    )
    page.get_by_text("Choose what the labels of the file are called").wait_for()
    for number in range(2):
        box = page.get_by_role("combobox", name="“abuse” in the file is").nth(number)
        box.scroll_into_view_if_needed()
        settle(page)  # a list closes while the page scrolls
        box.click()
        page.get_by_role("option", name="toxic", exact=True).click()
        settle(page)
    page.get_by_role("button", name="Measure", exact=True).click()
    page.get_by_role("cell", name="abuse").first.wait_for(timeout=120_000)


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_shows_each_page_without_scrolling_sideways(visit, path):
    page = visit(path, width=390)
    if not path:
        score(page, RUDE)
    settle(page)
    main = "document.querySelector('[data-testid=stMain]')"
    assert page.evaluate(f"{main}.scrollWidth <= {main}.clientWidth")


def test_the_cards_of_models_fit_a_narrow_phone(visit):
    page = visit("models", width=360)
    page.locator(".tox-facts").first.wait_for()
    main = "document.querySelector('[data-testid=stMain]')"
    assert page.evaluate(f"{main}.scrollWidth <= {main}.clientWidth")


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
    page.locator(".tox-folded summary").first.click()
    page.locator(".tox-marked mark").first.wait_for()


def previewed_file(page):
    rows = f"comment_text,toxic,insult\n{RUDE},1,1\nThank you.,0,0\nFine by me.,0,0\n"
    labelled = {
        "name": "mine.csv",
        "mimeType": "text/csv",
        "buffer": rows.replace(", ", " ").encode(),
    }
    page.locator("input[type=file]").set_input_files(labelled)
    page.get_by_role("button", name="Score the file").wait_for()


def scored_file(page):
    previewed_file(page)
    page.get_by_role("button", name="Score the file").click()
    page.get_by_role("button", name="Agree").click()
    page.get_by_text("1 decision").wait_for()
    page.get_by_role("heading", name="Report").wait_for()


def unfolded(page):
    for part in page.get_by_test_id("stExpander").locator("summary").all():
        part.click()


def shown_metrics(page):
    for tab, shown in {
        "Compare": "Both models score the same rows",
        "Fairness": "Each measure in a sentence",
        "Use from code": "A file",
        "Metrics": "Calibration: does 80 % mean 80 in 100?",
    }.items():
        page.get_by_role("tab", name=tab).click()
        page.get_by_text(shown).wait_for()


def serious_violations(page):
    settle(page)  # a part that is still pale would count as low contrast
    return [
        (violation["id"], [node["html"][:200] for node in violation["nodes"]][:3])
        for violation in Axe().run(page).response["violations"]
        if violation["impact"] in ("serious", "critical")
    ]


# Each page light and dark, wide and on a phone, in two visits.
@pytest.mark.parametrize(("color_scheme", "width"), [("light", 1280), ("dark", 390)])
@pytest.mark.parametrize(
    ("path", "use"),
    [("", long_comment_on_two_models), ("file", previewed_file), ("file", scored_file),
     ("models", None), ("models?model=toxic-minilm", shown_metrics),
     ("models?model=toxic-minilm&tab=Fairness", unfolded), ("train", None)],
)  # fmt: skip
def test_axe_finds_nothing_serious_on_a_page_before_and_after_its_use(
    visit, path, use, color_scheme, width
):
    page = visit(path, width=width, color_scheme=color_scheme)
    assert serious_violations(page) == []
    if use:
        use(page)
        assert serious_violations(page) == []
