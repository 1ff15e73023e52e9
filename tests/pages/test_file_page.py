"""The File page: a file in, scores out."""

import errno
import gc
import io
import re
import threading
import time

import pandas as pd
import pytest

from tests.pages.standins import Choice, FixedScores, button, html
from ui.downloads import _offered
from ui.files import job
from ui.files import upload as uploads
from ui.files.job import FileJob
from ui.files.upload import save_lines

CSV = b"id,comment_text\n1,hello there\n2,\n3,you fool\n"


class Flags(FixedScores):
    """FixedScores with what scoring a file needs of a model."""

    def score(self, texts):
        return super().score([text or "" for text in texts])

    def flags(self, row):
        return [n for n, v in zip(self.labels, row, strict=True) if v >= self.thresholds.get(n, 2)]

    @property
    def weights_file(self):
        return self.folder.weights


@pytest.fixture
def with_weights(tmp_path):
    """Write a weight file for a stand-in; its hash shows which model scored a file."""

    def give(model):
        model.folder.path = tmp_path
        model.folder.weights = tmp_path / "model.onnx"
        model.folder.weights.write_bytes(b"weights")
        return model

    return give


def finished(page, seconds=20):
    """Run the page until its job is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        page.run()
        if page.session_state["file job"].progress.over:
            return page.run()
        time.sleep(0.05)
    raise AssertionError(page.session_state["file job"].progress)


def upload(page, content=CSV, name="mine.csv"):
    page.file_uploader[0].upload(name, content, "text/csv").run()
    return page


def test_a_file_is_scored_and_can_be_downloaded(serve, with_weights):
    page = upload(serve("file", a=with_weights(Flags())))
    assert page.selectbox[0].value == "comment_text"
    button(page, "Score the file").click().run()
    page = finished(page)
    assert not page.exception
    assert {metric.label: metric.value for metric in page.metric}["rows"] == "3"
    assert any("1 × blank" in text.value for text in page.caption)
    tokens = re.findall(r'href="/downloads/([^/]+)/mine-scored\.(csv|parquet)"', html(page))
    assert [ending for _, ending in tokens] == ["csv", "parquet"]
    lines = _offered[tokens[0][0]].read_text("utf-8-sig").splitlines()
    assert lines[0].startswith("id,comment_text,toxic_score,")
    assert lines[2].startswith("2,,,,,,,,") and lines[2].endswith("blank")


def test_moving_a_threshold_updates_the_count_of_flagged_rows(serve, with_weights):
    page = upload(serve("file", a=with_weights(Flags())))
    button(page, "Score the file").click().run()
    page = finished(page)
    slider = next(each for each in page.slider if each.label == "Threshold for toxic")
    counts = [text.value for text in page.caption if "flagged" in text.value]
    assert counts[0] == "**2** of 2 rows flagged (100.0 %)"
    slider.set_value(0.95).run()
    counts = [text.value for text in page.caption if "flagged" in text.value]
    assert counts[0] == "**0** of 2 rows flagged (0.0 %)"


@pytest.mark.parametrize("threshold", [0.004, 0.125, 0.996])
def test_an_untouched_slider_counts_by_the_unrounded_threshold_of_the_model(
    serve, with_weights, threshold
):
    model = Flags({"rare": threshold}, [threshold])
    page = upload(serve("file", a=with_weights(model)))
    button(page, "Score the file").click().run()
    page = finished(page)
    assert not page.exception
    assert any("**2** of 2 rows flagged" in text.value for text in page.caption)


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
    shown = next(box for box in page.selectbox if box.label == "Show")
    shown.select("not scored").run()
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
    assert "Download CSV" in html(page)


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
    assert any("**2** of 2 rows most likely" in text.value for text in page.caption)


def test_pasted_lines_are_scored_like_a_file(serve, with_weights):
    page = serve("file", a=with_weights(Flags()))
    page.segmented_control[0].select("Paste lines").run()
    page.text_area[0].set_value("one\ntwo\n")
    button(page, "Use these lines").click().run()
    button(page, "Score the file").click().run()
    page = finished(page)
    assert {metric.label: metric.value for metric in page.metric}["rows"] == "2"


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


def test_rows_are_kept_when_the_disk_has_no_room_for_the_csv(serve, with_weights, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(job, "write_safe_csv", full)
    page = upload(serve("file", a=with_weights(Flags())))
    button(page, "Score the file").click().run()
    page = finished(page)
    assert not page.exception
    assert "Download Parquet" in html(page)
    assert "Download CSV" not in html(page)
    assert any("CSV could not be written" in text.value for text in page.caption)


def test_a_job_can_be_cancelled_and_leaves_nothing(serve, with_weights):
    class Slow(Flags):
        def score(self, texts):
            time.sleep(0.01 * len(texts))
            return super().score(texts)

    lines = b"text\n" + b"hello\n" * 1000  # a chunk of score_file, which takes ten seconds
    page = upload(serve("file", a=with_weights(Slow())), lines)
    button(page, "Score the file").click().run()
    button(page, "Cancel").click().run()
    page = finished(page, seconds=5)
    assert page.info[0].value.startswith("Cancelled")
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
    end = time.monotonic() + 20
    while not job.progress.over and time.monotonic() < end:
        time.sleep(0.05)
    assert job.progress.message.startswith("This server cannot store the result")


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
    button(page, "Start over").click().run()
    monkeypatch.setattr(job, "_waiting", {"another"})
    page = upload(page)
    button(page, "Score the file").click().run()
    assert "as other files wait; split it" in finished(page).error[0].value


def test_progress_of_a_slow_model_is_visible_within_the_first_chunk(serve, with_weights):
    class Slow(Flags):
        def score(self, texts):
            time.sleep(0.01 * len(texts))
            return super().score(texts)

    page = upload(serve("file", a=with_weights(Slow())), b"text\n" + b"hello\n" * 1000)
    button(page, "Score the file").click().run()
    job = page.session_state["file job"]
    end = time.monotonic() + 20
    while not job.progress.rows and time.monotonic() < end:
        time.sleep(0.05)
    job.cancel()
    assert 0 < job.progress.rows < 500
    assert job.progress.seconds_left


def test_starting_over_deletes_the_file_and_its_result(serve, with_weights):
    page = upload(serve("file", a=with_weights(Flags())))
    button(page, "Score the file").click().run()
    page = finished(page)
    folder = page.session_state["workspace"].folder
    assert list(folder.rglob("scored.csv"))
    button(page, "Start over").click().run()
    assert [path.name for path in folder.rglob("*") if path.is_file()] == [".lock"]


def test_files_are_deleted_when_the_session_ends(serve, with_weights):
    page = upload(serve("file", a=with_weights(Flags())))
    folder = page.session_state["workspace"].folder
    assert list(folder.rglob("mine.csv"))
    del page.session_state["workspace"]
    gc.collect()
    assert not folder.exists()
