"""The File page: a file in, scores out."""

import gc
import io
import json
import re
import threading
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from comment_toxicity.decision import LabelDecision, Weights
from comment_toxicity.errors import DataError
from comment_toxicity.service.feedback import FeedbackStore
from tests.pages.standins import PAGES, Choice, FixedScores, WordCounts, button, html
from ui import corrections
from ui.downloads import route
from ui.files import job
from ui.files import upload as uploads
from ui.files.decisions import write_training_table
from ui.files.job import FileJob
from ui.files.kept import KEPT, SOURCE
from ui.files.labelled import report_on
from ui.files.upload import look_into, save_lines

CSV = b"id,comment_text\n1,hello there\n2,\n3,you fool\n"


class WithFlags:
    """FixedScores with what scoring a file needs of a model."""

    def score(self, texts, languages=None):
        return super().score([text or "" for text in texts])

    def flags(self, row, language=None):
        return [n for n, v in zip(self.labels, row, strict=True) if v >= self.thresholds.get(n, 2)]

    @property
    def weights_file(self):
        return self.folder.weights


class Flags(WithFlags, FixedScores):
    pass


class Paused(Flags):
    """Scores a few rows; the others once `may` is set."""

    def __init__(self):
        super().__init__()
        self.may = threading.Event()

    def score(self, texts, languages=None):
        if self.asked:
            self.may.wait()
        return super().score(texts)


THOUSAND_ROWS = b"text\n" + b"hello\n" * 1000  # one chunk of score_file


class WithWords(WithFlags, WordCounts):
    pass


class ByLanguage(WithFlags, FixedScores):
    """Flags German from 90 % on, other languages from 50 % on."""

    def __init__(self):
        super().__init__({"toxic": 0.5}, [0.7])
        self.decision = replace(
            self.decision, languages={"de": {"toxic": LabelDecision(threshold=0.9)}}
        )

    def languages(self, texts):
        return ["de" if text and "du" in text else None for text in texts]

    def flags(self, row, language=None):
        return ["toxic"] if row[0] >= (0.9 if language else 0.5) else []

    def in_language(self, language):
        return FixedScores({"toxic": 0.9}, [0.7]) if language else self


@pytest.fixture
def with_weights(tmp_path):
    """Write a weight file for a stand-in; its hash shows which model scored a file."""

    def give(model):
        model.folder.path = tmp_path
        model.folder.weights = tmp_path / "model.onnx"
        model.folder.weights.write_bytes(b"weights")
        return model

    return give


@pytest.fixture
def many(bilingual, tmp_path):
    """The bilingual model, with what scoring a file needs of it."""

    class Many(Flags):
        reads = bilingual.reads

    model = Many(name=bilingual.name, scores=bilingual.scores)
    model.folder.path = tmp_path / "models" / "many"
    model.folder.weights = model.folder.path / "model.onnx"
    model.folder.weights.write_bytes(b"other weights")
    model.decision = replace(model.decision, weights=Weights("model.onnx", "1"))
    return model


def finished(page, seconds=20):
    """Run the page until its job is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        page.run()
        if page.session_state["file job"].progress.over:
            return page.run()
        time.sleep(0.05)
    raise AssertionError(page.session_state["file job"].progress)


def wait_for(job, seconds=20):
    """Wait for a job that no page shows."""
    end = time.monotonic() + seconds
    while not job.progress.over and time.monotonic() < end:
        time.sleep(0.01)


def upload(page, content=CSV, name="mine.csv"):
    page.file_uploader[0].upload(name, content, "text/csv").run()
    return page


def rows_of_figures(page):
    return re.search(r'tox-figures">([^<]*)', html(page))[1]


def downloads(page):
    """What each download holds, by the name of its file."""
    found = {}
    client = TestClient(Starlette(routes=[route()]))
    for link, name in re.findall(r'href="(/downloads/[^/]+/([^"]+))"', html(page)):
        found[name] = client.get(link).content.decode("utf-8-sig")
    return found


def read_as(page):
    return next(each.value for each in page.markdown if " · " in each.value)


def start_over(page):
    button(page, "Start over").click().run()
    return button(page, "Discard").click().run()


def slider(page, label):
    return next(each for each in page.slider if each.label.startswith(f"{label} ·"))


def test_a_file_is_scored_and_can_be_downloaded(serve, with_weights):
    page = upload(serve("file", a=with_weights(Flags())))
    assert page.selectbox[0].value == "comment_text"
    button(page, "Score the file").click().run()
    page = finished(page)
    assert not page.exception
    assert rows_of_figures(page) == "3 rows · 2 flagged · 1 not scored"
    assert any("1 row skipped: blank" in text.value for text in page.caption)
    assert list(downloads(page)) == ["mine-scored.csv"]
    lines = downloads(page)["mine-scored.csv"].splitlines()
    assert lines[0].startswith("id,comment_text,toxic_score,")
    assert lines[2].startswith("2,,,,,,,,") and lines[2].endswith("blank")


def test_a_moved_threshold_reaches_every_figure_and_the_downloads(serve, with_weights):
    model = WithWords("fool")
    page = upload(serve("file", a=with_weights(model)), b"id;body\n1;hello you\n2;you fool fool\n")
    button(page, "Score the file").click().run()
    page = finished(page)
    assert rows_of_figures(page) == "2 rows · 1 flagged"
    assert list(page.dataframe[0].value["flags"]) == ["", "toxic"]
    page = slider(page, "toxic").set_value(70).run()
    assert slider(page, "toxic").proto.format == "%d %%"  # as the page writes percentages
    assert rows_of_figures(page) == "2 rows · 0 flagged"
    assert slider(page, "toxic").label == "toxic · 0 (0.0 %)"
    assert "toxic;" not in downloads(page)["mine-scored.csv"]
    page = slider(page, "insult").set_value(5).run()
    page.selectbox(key="show").select("flagged: insult").run()
    lines = downloads(page)["mine-scored.csv"].splitlines()
    assert lines[0] == "id;body;toxic_score;insult_score;flags"
    assert lines[1] == "1;hello you;0.0;0.1;insult"
    presets = next(each for each in page.segmented_control if each.label == "Thresholds")
    assert presets.value is None  # moved one by one
    page = presets.set_value("Balanced").run()
    assert rows_of_figures(page) == "2 rows · 1 flagged"
    assert slider(page, "insult").value == 50


def test_a_preset_moves_the_thresholds_of_a_file(serve, with_weights, tmp_path):
    curve = {"thresholds": [0.0, 0.5, 1.0], "precision": [0.2, 0.5, 1.0], "recall": [1, 0.8, 0.3]}
    record = {"test": {"labels": {"toxic": {"curve": curve}}}}
    (tmp_path / "metrics.json").write_text(json.dumps(record))
    page = upload(serve("file", a=with_weights(WithWords("fool"))), b"body\nyou fool\nfool fool\n")
    button(page, "Score the file").click().run()
    page = finished(page)
    assert rows_of_figures(page) == "2 rows · 1 flagged"
    presets = next(each for each in page.segmented_control if each.label == "Thresholds")
    assert presets.value == "Balanced"
    page = presets.set_value("Thorough").run()
    assert rows_of_figures(page) == "2 rows · 2 flagged"
    assert slider(page, "toxic").value == 25
    assert slider(page, "insult").value == 50  # it has no figures


def test_the_rows_shown_can_be_downloaded_alone(serve, with_weights):
    content = b"id;body\n1;=hello you\n2;you fool fool,=1+1\n"
    page = upload(serve("file", a=with_weights(WithWords("fool"))), content)
    button(page, "Score the file").click().run()
    page = finished(page)
    page.selectbox(key="show").select("flagged").run()
    assert "Download the 1 row shown" in html(page)
    lines = downloads(page)["mine-shown.csv"].splitlines()
    assert lines[1:] == ["2;you fool fool,'=1+1;0.6;0.1;toxic"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("mine.jsonl", '{"text": "hi", "tags": ["a"]}\n{"text": "you fool fool", "tags": []}\n'),
        ("mine.json", '[{"text": "hi", "tags": ["a"]}, {"text": "you fool fool", "tags": []}]'),
    ],
)
def test_json_comes_back_as_json(serve, with_weights, name, content):
    page = upload(serve("file", a=with_weights(WithWords("fool"))), content.encode(), name)
    button(page, "Score the file").click().run()
    [(_, result)] = downloads(finished(page)).items()
    rows = json.loads(result) if name.endswith("n") else map(json.loads, result.splitlines())
    assert list(rows) == [
        {"text": "hi", "tags": ["a"], "toxic_score": 0.0, "insult_score": 0.1, "flags": ""},
        {"text": "you fool fool", "tags": [], "toxic_score": 0.6, "insult_score": 0.1,
         "flags": "toxic"},
    ]  # fmt: skip


def test_parquet_comes_back_as_parquet(serve, with_weights):
    table = io.BytesIO()
    pd.DataFrame({"said": ["hello", "you fool fool"], "stars": [5, 1]}).to_parquet(table)
    page = serve("file", a=with_weights(WithWords("fool")))
    page = upload(page, table.getvalue(), "mine.parquet")
    button(page, "Score the file").click().run()
    page = finished(page)
    [link] = re.findall(r'href="(/downloads/[^"]+)"', html(page))
    content = TestClient(Starlette(routes=[route()])).get(link).content
    rows = pd.read_parquet(io.BytesIO(content))
    assert rows["stars"].tolist() == [5, 1]
    assert rows["flags"].tolist() == ["", "toxic"]


def test_a_row_opens_and_next_and_previous_walk_through_the_rows_shown(serve, with_weights):
    page = upload(serve("file", a=with_weights(Flags())))
    button(page, "Score the file").click().run()
    page = finished(page)
    assert button(page, "Previous").disabled
    assert "hello there" in html(page)
    page = button(page, "Next").click().run()
    assert page.query_params["row"] == "2"
    assert page.info[0].value == "Not scored: blank"
    page.selectbox(key="show").select("flagged").run()
    assert page.query_params["row"] == "1"  # a new choice begins at its first row
    page = button(page, "Next").click().run()
    assert page.query_params["row"] == "3"
    assert button(page, "Next").disabled
    assert "you fool" in html(page)


def test_a_row_of_the_address_is_opened(serve, with_weights):
    page = upload(serve("file", a=with_weights(Flags())))
    button(page, "Score the file").click().run()
    page = finished(page)
    page.query_params["row"] = "3"
    page.run()
    assert "you fool" in html(page)
    page.query_params["row"] = "³"
    page.run()
    assert not page.exception


def test_the_sorted_column_stands_before_the_comment(serve, with_weights):
    page = upload(serve("file", a=with_weights(WithWords("fool"))), b"text,who\nhi,ann\nfool,bob\n")
    button(page, "Score the file").click().run()
    page = finished(page)
    page.selectbox(key="order").select("toxic, highest first").run()
    assert page.dataframe[0].value.index.tolist() == [2, 1]
    assert list(page.dataframe[0].proto.column_order)[:4] == ["toxic_score", "text", "flags", "who"]


def test_rows_hardly_in_english_are_counted_and_shown(serve, with_weights):
    german = "Du bist wirklich ein ganz besonders dummer Mensch und das wissen alle hier"
    page = upload(serve("file", a=with_weights(Flags())), f"text\nhello\n{german}\n".encode())
    button(page, "Score the file").click().run()
    page = finished(page)
    assert rows_of_figures(page).endswith("1 in other languages")
    page.selectbox(key="show").select("in other languages").run()
    assert page.warning[-1].value.startswith("This looks like a language")


def test_rows_are_flagged_at_the_thresholds_of_their_language_until_a_slider_is_moved(
    serve, with_weights
):
    content = b"text,toxic\nyou fool,1\ndu depp,0\n"
    page = upload(serve("file", a=with_weights(ByLanguage())), content)
    button(page, "Score the file").click().run()
    page = finished(page)
    assert rows_of_figures(page) == "2 rows · 1 flagged"
    assert list(page.dataframe[0].value["flags"]) == ["toxic", ""]
    assert any("depend on a comment's language" in each.value for each in page.caption)
    reported = [
        report_on(page.session_state["file job"], chosen)["labels"]["toxic"]["precision"]
        for chosen in ({}, {"toxic": 0.6})
    ]
    assert reported == [1, 0.5]
    page = button(page, "Next").click().run()
    assert "flagged from 90 %" in html(page)
    page = slider(page, "toxic").set_value(60).run()
    assert rows_of_figures(page) == "2 rows · 2 flagged"
    assert not any("depend on a comment's language" in each.value for each in page.caption)


CHINESE = "text\nyou fool\n你这个白痴\n我喜欢这家餐馆\n".encode()


def test_a_model_that_reads_the_rows_is_offered_before_they_are_scored(serve, with_weights, many):
    page = upload(serve("file", a=with_weights(Flags()), many=many), CHINESE)
    assert [each.value for each in page.warning] == [
        "2 of 3 rows look like Chinese. The model reads English only: its scores mean nothing "
        "there."
    ]
    page = button(page, "Use many").click().run()
    assert page.selectbox(key="model").value == "many"
    assert not page.warning


def test_a_file_can_be_scored_again_by_the_model_that_reads_it_and_decisions_stay(
    serve, with_weights, many
):
    page = upload(serve("file", a=with_weights(Flags()), many=many), CHINESE)
    button(page, "Score the file").click().run()
    page = finished(page)
    assert page.warning[0].value.startswith("2 of 3 rows look like Chinese. The model reads")
    button(page, "Agree").click().run()
    before = page.session_state["file job"]
    button(page, "Score again with many").click().run()
    page = finished(page)
    assert not page.warning
    assert rows_of_figures(page) == "3 rows · 0 flagged"
    assert page.session_state["file job"].decisions == before.decisions != {}
    assert not before.folder.exists()
    assert page.query_params["row"] == "2"


def test_the_operator_can_have_each_row_scored_by_the_model_that_reads_it(
    serve, with_weights, many, monkeypatch
):
    monkeypatch.setenv("TOXICITY_BY_LANGUAGE", "1")
    page = upload(serve("file", a=with_weights(Flags()), many=many), CHINESE)
    assert not page.warning
    assert any(r"many will score the rows that a does not" in each.value for each in page.caption)
    button(page, "Score the file").click().run()
    page = finished(page)
    assert not page.warning
    assert rows_of_figures(page) == "3 rows · 1 flagged"
    assert any("a \\(1 row\\) and many \\(2 rows\\)" in e.value for e in page.caption)
    lines = downloads(page)["mine-scored.csv"].splitlines()
    assert lines[0].startswith("text,language,model,toxic_score,")
    assert [line.split(",")[1:3] for line in lines[1:]] == [["en", "a"], *[["zh", "many"]] * 2]
    page = button(page, "Next").click().run()
    assert r"Scored by many\." in [each.value for each in page.caption]
    job = page.session_state["file job"]
    assert [job.models[job.model_of(row)] for row in range(3)] == ["0", "1", "1"]
    assert job.model_name == "a"


def test_a_few_rows_of_another_language_make_no_warning(serve, with_weights, many):
    rows = "text\n" + "you fool\n" * 99 + "你这个白痴\n"
    page = upload(serve("file", a=with_weights(Flags()), many=many), rows.encode())
    assert not page.warning
    button(page, "Score the file").click().run()
    page = finished(page)
    assert rows_of_figures(page).endswith("1 in other languages")
    assert not page.warning


@pytest.mark.parametrize("threshold", [0.004, 0.125, 0.996])
def test_an_untouched_slider_counts_by_the_unrounded_threshold_of_the_model(
    serve, with_weights, threshold
):
    model = Flags({"rare": threshold}, [threshold])
    page = upload(serve("file", a=with_weights(model)))
    button(page, "Score the file").click().run()
    page = finished(page)
    assert not page.exception
    assert rows_of_figures(page).startswith("3 rows · 2 flagged")


def test_the_comment_column_may_be_named_like_a_column_of_the_page(serve, with_weights):
    page = upload(serve("file", a=with_weights(Flags())), b"flagged\nhello\n")
    button(page, "Score the file").click().run()
    page = finished(page)
    assert not page.exception
    assert page.dataframe[0].value["flagged"].tolist() == ["hello"]


def test_rows_can_be_filtered_ordered_and_searched(serve, with_weights):
    page = upload(serve("file", a=with_weights(Flags())))
    button(page, "Score the file").click().run()
    page = finished(page)
    assert page.dataframe[0].value["comment_text"].tolist() == ["hello there", "", "you fool"]
    page.text_input[0].set_value("FOOL").run()
    assert page.dataframe[0].value["comment_text"].tolist() == ["you fool"]
    page.text_input[0].set_value("").run()
    page.selectbox(key="show").select("not scored").run()
    assert page.dataframe[0].value.index.tolist() == [2]


def test_a_file_with_label_columns_gets_a_report(serve, with_weights):
    content = b"comment_text,toxic,insult\nhello,0,0\nyou fool,1,1\nbye,0,-1\n"
    page = upload(serve("file", a=with_weights(Flags())), content)
    button(page, "Score the file").click().run()
    page = finished(page)
    assert "Report" in [header.value for header in page.subheader]
    assert "ROC-AUC" in html(page)


def test_an_invalid_label_is_reported_and_the_scores_stay(serve, with_weights):
    page = upload(serve("file", a=with_weights(Flags())), b"text,toxic\nhi,maybe\n")
    button(page, "Score the file").click().run()
    page = finished(page)
    assert "maybe" in page.error[0].value
    assert "Download all" in html(page)


def test_an_error_that_quotes_a_huge_cell_is_shortened(serve, with_weights):
    content = b"text,toxic\nhi," + b"maybe" * 200_000 + b"\n"
    page = upload(serve("file", a=with_weights(Flags())), content)
    button(page, "Score the file").click().run()
    page = finished(page)
    assert page.error[0].value.startswith("The file")
    assert len(page.error[0].value) < 2000


def test_a_single_label_model_gets_counts_and_no_sliders(serve, with_weights):
    class Either(Flags, Choice):
        pass

    page = upload(serve("file", a=with_weights(Either("a"))))
    button(page, "Score the file").click().run()
    page = finished(page)
    assert not page.exception
    assert not page.slider
    assert any(text.value == "positive · 2 (100.0 %)" for text in page.markdown)


def test_pasted_lines_are_scored_like_a_file(serve, with_weights):
    page = serve("file", a=with_weights(Flags()))
    page.text_area[0].set_value("one\ntwo\n")
    button(page, "Use these lines").click().run()
    button(page, "Score the file").click().run()
    page = finished(page)
    assert rows_of_figures(page).startswith("2 rows")


def test_the_first_rows_are_shown_as_they_were_read_before_scoring(serve):
    content = "id;body;votes\r\n1;one <b>long</b> comment;3\r\n2;another comment;4\r\n"
    page = upload(serve("file", a=FixedScores()), content.encode())
    assert "3 columns, 2 rows, semicolons, UTF-8" in read_as(page)
    rows = html(page)
    assert '<th scope=col class="lit">body</th>' in rows
    assert "one &lt;b&gt;long&lt;/b&gt; comment" in rows
    page.selectbox[0].select("votes").run()
    assert '<th scope=col class="lit">votes</th>' in html(page)


def test_a_first_row_that_is_a_comment_can_be_scored(serve, with_weights):
    page = upload(serve("file", a=with_weights(Flags())), b"hello\nyou fool\nbye\n")
    assert "1 column, 2 rows" in read_as(page)
    page.toggle[0].set_value(False).run()
    assert "1 column, 3 rows" in read_as(page)
    assert not page.toggle[0].value
    button(page, "Score the file").click().run()
    page = finished(page)
    assert page.dataframe[0].value["comment_text"].tolist() == ["hello", "you fool", "bye"]
    start_over(page)
    folder = page.session_state["workspace"].folder
    assert [path.name for path in folder.rglob("*") if path.is_file()] == [".lock"]


def test_a_file_that_plainly_has_no_header_gets_one(serve):
    page = upload(serve("file", a=FixedScores()), b"1,What a day this was.\n2,Thank you all!\n")
    assert not page.error
    assert "2 columns, 2 rows" in read_as(page)
    assert page.selectbox[0].value == "comment_text"
    assert not page.toggle[0].value


def test_a_file_of_windows_can_be_read_before_it_is_scored(serve):
    content = "body\nSchöne Grüße\n".encode("cp1252")
    page = upload(serve("file", a=FixedScores()), content)
    assert "not all of them UTF-8" in read_as(page)
    next(each for each in page.toggle if each.label.startswith("Windows")).set_value(True).run()
    assert "Schöne Grüße" in html(page)
    assert "1 row, commas, UTF-8" in read_as(page)


def test_an_unreadable_upload_shows_one_clear_error(serve):
    page = upload(serve("file", a=FixedScores()), b"", "empty.csv")
    assert page.error[0].value.startswith(r"empty\.csv\: is empty")
    assert page.file_uploader


def test_a_file_can_be_uploaded_after_a_refused_one(serve):
    page = upload(serve("file", a=FixedScores()), b"", "empty.csv")
    page = upload(page, b"text\nhello\n", "good.csv")
    assert not page.error
    assert button(page, "Score the file")


def test_columns_named_like_a_result_are_kept_and_ours_get_a_number(serve, with_weights):
    content = b"text,toxic_score,flags,reason\nhi,1,spam,mail\n,0,,\n"
    page = upload(serve("file", a=with_weights(Flags())), content)
    button(page, "Score the file").click().run()
    page = finished(page)
    assert not page.exception
    [note] = [text.value for text in page.caption if "of these names" in text.value]
    assert "reason → reason_1" in note.replace("\\", "")
    assert page.dataframe[0].value["text"].tolist() == ["hi", ""]
    scored = page.session_state["file job"].result
    assert scored.columns[:4] == ["text", "toxic_score", "flags", "reason"]
    assert scored.columns[-2:] == ["flags_1", "reason_1"]
    assert scored.unscored_reasons() == {"blank": 1}


def test_a_job_can_be_cancelled_and_leaves_nothing(serve, with_weights):
    model = Paused()
    page = upload(serve("file", a=with_weights(model)), THOUSAND_ROWS)
    button(page, "Score the file").click().run()
    button(page, "Cancel").click().run()
    model.may.set()
    page = finished(page)
    assert page.info[0].value.startswith("Cancelled")
    assert len(model.asked) < 500
    assert not list(page.session_state["workspace"].folder.rglob("scored*"))


def test_a_column_without_texts_is_refused_without_naming_a_flag(serve, with_weights):
    table = io.BytesIO()
    pd.DataFrame({"said": ["hello"], "stars": [5]}).to_parquet(table)
    page = upload(serve("file", a=with_weights(Flags())), table.getvalue(), "mine.parquet")
    page.selectbox[0].select("stars")
    button(page, "Score the file").click().run()
    page = finished(page)
    said = page.error[0].value.replace("\\", "")
    assert said == "mine.parquet: column stars holds int64, not text; choose another column."


def test_a_write_error_is_reported_without_paths_of_the_server(with_weights, tmp_path):
    source = save_lines("hello", tmp_path)
    missing = tmp_path / "missing"
    job = FileJob(source, "comment_text", with_weights(Flags()), missing, threading.Event())
    wait_for(job)
    assert job.progress.message.startswith("This server cannot store the result")


def test_a_job_whose_folder_goes_with_its_visitor_ends_without_an_error(
    with_weights, tmp_path, monkeypatch
):
    gone = threading.Event()

    def score_file(*args, **settings):
        gone.set()
        raise FileNotFoundError

    monkeypatch.setattr(job, "score_file", score_file)
    source = save_lines("hello", tmp_path)
    left = FileJob(source, "comment_text", with_weights(Flags()), tmp_path / "out", gone)
    wait_for(left)
    assert left.progress.state == "cancelled"


def test_a_file_with_too_many_rows_is_refused(serve, with_weights, monkeypatch):
    monkeypatch.setattr(job, "MOST_ROWS", 2)
    monkeypatch.setattr(uploads, "MOST_ROWS", 2)
    page = upload(serve("file", a=with_weights(Flags())))
    button(page, "Score the file").click().run()
    page = finished(page)
    assert "more than 2 rows" in page.error[0].value


def test_a_long_job_on_a_public_server_makes_room_for_those_who_wait(
    serve, with_weights, monkeypatch
):
    monkeypatch.setenv("TOXICITY_PUBLIC", "1")
    monkeypatch.setattr(job, "MOST_SECONDS", 0)
    page = upload(serve("file", a=with_weights(Flags())))
    button(page, "Score the file").click().run()
    assert finished(page).session_state["file job"].progress.state == "done"  # nobody waits
    start_over(page)
    monkeypatch.setattr(job, "_waiting", {"another"})
    page = upload(page)
    button(page, "Score the file").click().run()
    assert "as other files wait; split it" in finished(page).error[0].value


def test_progress_of_a_slow_model_is_visible_within_the_first_chunk(serve, with_weights):
    model = Paused()
    page = upload(serve("file", a=with_weights(model)), THOUSAND_ROWS)
    button(page, "Score the file").click().run()
    job = page.session_state["file job"]
    end = time.monotonic() + 20
    while not job.progress.rows and time.monotonic() < end:
        time.sleep(0.05)
    assert 0 < job.progress.rows < 500
    assert job.progress.seconds_left
    job.cancel()
    model.may.set()


def test_starting_over_deletes_the_file_and_its_result(serve, with_weights):
    page = upload(serve("file", a=with_weights(Flags())))
    button(page, "Score the file").click().run()
    page = finished(page)
    folder = page.session_state["workspace"].folder
    assert list(folder.rglob("scored.parquet"))
    start_over(page)
    assert [path.name for path in folder.rglob("*") if path.is_file()] == [".lock"]


def test_files_are_deleted_when_the_session_ends(serve, with_weights):
    page = upload(serve("file", a=with_weights(Flags())))
    folder = page.session_state["workspace"].folder
    assert list(folder.rglob("mine.csv"))
    for name in ("workspace", KEPT, SOURCE):
        del page.session_state[name]
    gc.collect()
    assert not folder.exists()


def scored_words(serve, with_weights, rows=8, name="a"):
    content = "id;body\n" + "".join(f"{n};comment {n} {'fool ' * (n % 3)}\n" for n in range(rows))
    page = upload(serve("file", **{name: with_weights(WithWords("fool"))}), content.encode())
    button(page, "Score the file").click().run()
    return finished(page)


def test_a_moderator_agrees_corrects_and_undoes(serve, with_weights):
    page = scored_words(serve, with_weights)
    job = page.session_state["file job"]
    button(page, "Agree").click().run()
    assert job.decisions == {0: (False, False)}
    assert page.query_params["row"] == "2"  # on to the next
    button(page, "insult").click().run()
    assert not [each for each in page.button if each.label == "Agree"]
    button(page, "Save correction").click().run()
    assert job.decisions[1] == (False, True)
    button(page, "Nothing applies").click().run()
    assert job.decisions[2] == (False, False)
    assert any("3 decisions** · 1 as the model · 2 corrected" in e.value for e in page.markdown)
    assert page.dataframe[0].value["your decision"].tolist()[:4] == [
        *("✓ nothing", "✓ insult", "✓ nothing", ""),
    ]
    button(page, "Previous").click().run()
    button(page, "Undo").click().run()
    assert set(job.decisions) == {0, 1}
    page.selectbox(key="show").select("not decided yet").run()
    assert page.dataframe[0].value.index.tolist() == [3, 4, 5, 6, 7, 8]
    lines = downloads(page)["mine-decisions.csv"].splitlines()
    assert lines == ["id,comment_text,toxic,insult", "decision-1,comment 0 ,0,0",
                     "decision-2,comment 1 fool ,0,1"]  # fmt: skip


def test_decisions_become_a_table_that_train_begins_with(serve, with_weights, monkeypatch):
    moved = []
    monkeypatch.setattr("streamlit.switch_page", moved.append)
    monkeypatch.setattr("ui.files.decide.local_model", lambda name: Path("/models/a"))
    page = scored_words(serve, with_weights)
    for _ in range(4):
        button(page, "Agree").click().run()
    assert not [each for each in page.button if each.label == "Train on these decisions"]
    button(page, "Agree").click().run()
    button(page, "Train on these decisions").click().run()
    assert [path.name for path in moved] == ["train.py"]
    source = page.session_state["rows to train on"]
    table = pd.read_csv(source.path)
    assert list(table) == ["id", "comment_text", "toxic", "insult"]
    assert table["id"].str.startswith("decision-").sum() == 5
    assert len(table) > 300  # with the sample
    assert source.name == f"5 decisions and {len(table) - 5} rows of data/sample.csv"
    assert page.session_state["base model"] == "/models/a"


def test_a_base_row_that_was_decided_gives_way_to_the_decision(serve, with_weights, tmp_path):
    job = scored_words(serve, with_weights).session_state["file job"]
    job.decisions[1] = (True, False)
    (tmp_path / "base.csv").write_text("text,toxic\nCOMMENT  1 fool,0\nanother,1\n,1\n")
    base = look_into(tmp_path / "base.csv", "base.csv")
    assert write_training_table(job, tmp_path / "table.csv", base) == 1
    rows = (tmp_path / "table.csv").read_text().splitlines()
    assert rows[1:] == ["decision-2,comment 1 fool ,1,0", "base-2,another,1,"]
    (tmp_path / "other.csv").write_text("text,spam\nhi,0\n")
    with pytest.raises(DataError, match=r"other.csv: has no column toxic or insult"):
        write_training_table(
            job, tmp_path / "table.csv", look_into(tmp_path / "other.csv", "other.csv")
        )


def test_decisions_go_to_the_database_of_corrections_but_not_of_a_public_server(
    serve, with_weights, tmp_path, monkeypatch
):
    database = f"sqlite:///{tmp_path}/corrections.sqlite3"
    store = FeedbackStore(database)
    store.open()
    corrections.keep_in(store)
    try:
        page = scored_words(serve, with_weights)
        assert any("database of corrections" in each.value for each in page.caption)
        button(page, "Agree").click().run()
        corrections._writer.submit(int).result()
        [row] = store.rows()
        assert (row.text, row.community) == ("comment 0 ", "file page")
        assert row.suggested == {"TOXICITY": 0.0, "INSULT": 0.0}
        monkeypatch.setenv("TOXICITY_PUBLIC", "1")
        page.run()
        assert not any("database of corrections" in each.value for each in page.caption)
        button(page, "Agree").click().run()
        corrections._writer.submit(int).result()
        assert len(list(store.rows())) == 1
    finally:
        corrections.keep_in(None)
        store.close()


def reloaded(page):
    """The page as a new session opens it by its address."""
    again = AppTest.from_file(PAGES / "file.py", default_timeout=60)
    for name in ("file", "row"):
        again.query_params[name] = page.query_params[name]
    return again.run()


def test_a_reload_finds_file_place_thresholds_and_decisions_again(serve, with_weights):
    page = scored_words(serve, with_weights)
    slider(page, "toxic").set_value(70).run()
    button(page, "Agree").click().run()
    again = reloaded(page)
    assert "mine.csv" in again.title[0].value.replace("\\", "")
    assert again.query_params["row"] == "2"
    assert slider(again, "toxic").value == 70
    assert again.session_state["file job"].decisions == {0: (False, False)}
    folder = again.session_state["file job"].folder
    assert start_over(again).title[0].value == "Review a file"
    assert not folder.exists()
    page.run()  # the other tab
    assert page.info[0].value.startswith("That file is no longer on this server")


def test_a_file_that_is_only_uploaded_is_found_again(serve):
    page = upload(serve("file", a=FixedScores()))
    page.query_params["row"] = "1"
    assert button(reloaded(page), "Score the file")


def test_the_address_of_a_file_is_of_no_use_in_another_browser(serve, with_weights, monkeypatch):
    page = scored_words(serve, with_weights)
    monkeypatch.setattr("ui.files.kept._browser", lambda: b"another")
    again = reloaded(page)
    assert again.info[0].value.startswith("That file is no longer on this server")
    assert "file" not in again.query_params


def test_starting_over_asks_first(serve, with_weights):
    page = scored_words(serve, with_weights)
    button(page, "Start over").click().run()
    assert page.session_state["file job"].folder.is_dir()
    assert button(page, "Discard")
