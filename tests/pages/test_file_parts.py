"""The parts behind the File page: uploads, spreadsheet-safe CSV, scored rows, measuring them."""

import csv
import gzip
import io
import itertools
import json
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import streamlit as st
from starlette.applications import Starlette
from starlette.testclient import TestClient

from comment_toxicity.errors import DataError
from comment_toxicity.files.write import score_columns
from tests.pages.standins import FixedScores
from ui.downloads import _offered, address, route
from ui.files import upload
from ui.files.labelled import Labelled, OperatingPoints, label_columns
from ui.files.safe_csv import safe_cell, write_safe_csv
from ui.files.scored_file import ScoredFile
from ui.files.upload import save_lines, save_upload
from ui.text import in_markdown, shortened


def saved(content, name, tmp_path):
    data = content if isinstance(content, bytes) else content.encode()
    folder = tmp_path / "upload"
    folder.mkdir()
    return save_upload(io.BytesIO(data), name, folder)


# uploads


def test_the_column_that_is_called_like_one_holds_the_comments(tmp_path):
    source = saved("note,text\na very long note indeed,hi\n", "a.csv", tmp_path)
    assert (source.columns, source.text_column) == (["note", "text"], "text")


def test_its_case_does_not_matter(tmp_path):
    content = "note,Comment_Text\na very long note indeed,hi\n"
    assert saved(content, "a.csv", tmp_path).text_column == "Comment_Text"


def test_what_excel_separates_by_semicolons_has_its_columns(tmp_path):
    source = saved('id;comment_text\r\n1;"hi; you"\r\n', "a.csv", tmp_path)
    assert (source.columns, source.text_column) == (["id", "comment_text"], "comment_text")


def test_a_line_of_json_with_values_without_end_is_copied_unread(tmp_path):
    line = '{"text": "hi", "n": [' + "{}," * 300_000 + "{}]}"
    tracemalloc.start()
    try:
        source = saved('{"text": "ho"}\n' + line + "\n", "a.jsonl", tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
    assert source.path.read_text().splitlines()[1] == line


def test_otherwise_the_longest_column_does(tmp_path):
    source = saved("id,when,body\n1,2020,what a long comment\n2,2021,\n", "a.csv", tmp_path)
    assert source.text_column == "body"


def test_of_parquet_the_longest_text_column(tmp_path):
    table = pd.DataFrame({"n": [1, 2], "who": ["a", "b"], "said": ["hello there", "bye now"]})
    stream = io.BytesIO()
    table.to_parquet(stream)
    assert saved(stream.getvalue(), "x.parquet", tmp_path).text_column == "said"


def test_gzip_is_unpacked(tmp_path):
    source = saved(gzip.compress(b"text\nhello\n"), "a.csv.gz", tmp_path)
    assert source.path.read_text() == "text\nhello\n"


def test_gzip_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(upload, "UNPACKED_BYTES", 1_000_000)
    bomb = gzip.compress(b"text\n" + b"a" * 5_000_000)
    with pytest.raises(DataError, match=r"^bomb.csv.gz: larger than 1 MB when unpacked"):
        saved(bomb, "bomb.csv.gz", tmp_path)
    assert not (tmp_path / "upload").exists()


@pytest.mark.parametrize("encoding", ["RLE_DICTIONARY", "DELTA_BYTE_ARRAY"])
@pytest.mark.parametrize("nested", [False, True])
def test_parquet_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch, nested, encoding):
    """A text that stands in each row is kept once: gigabytes fit into a kilobyte."""
    monkeypatch.setattr(upload, "UNPACKED_BYTES", 10_000_000)
    text = "a" * 100_000
    cell = [{"said": [text]}] if nested else text
    stream = io.BytesIO()
    table = pa.table({"text": ["hi"] * 101, "said": [cell] * 101})
    path = "said.list.element.said.list.element" if nested else "said"
    how = {} if encoding == "RLE_DICTIONARY" else {"column_encoding": {path: encoding}}
    pq.write_table(table, stream, use_dictionary=not how, **how)
    assert encoding in str(pq.ParquetFile(stream).metadata.row_group(0).to_dict())
    assert len(stream.getvalue()) < 100_000
    with pytest.raises(DataError, match=r"^bomb.parquet: larger than 10 MB when unpacked"):
        saved(stream.getvalue(), "bomb.parquet", tmp_path)


def test_numbers_that_parquet_keeps_once_are_counted_too(tmp_path, monkeypatch):
    monkeypatch.setattr(upload, "UNPACKED_BYTES", 1_000_000)
    stream = io.BytesIO()
    pq.write_table(pa.table({"text": ["hi"], "n": [[7] * 200_000]}), stream)
    with pytest.raises(DataError, match="larger than 1 MB when unpacked"):
        saved(stream.getvalue(), "numbers.parquet", tmp_path)


def test_parquet_of_every_type_and_encoding_is_taken(tmp_path):
    columns = {
        "map": pa.array([[("k", "v")], None], pa.map_(pa.string(), pa.string())),
        "struct": pa.array([{"t": "1"}, None]),
        "few": pa.array(["x", "y"]).dictionary_encode(),
        "bytes": pa.array([b"abc", None], pa.binary(3)),
        "view": pa.array(["p", "q"], pa.string_view()),
        "none": pa.nulls(2),
        "said": ["hello there", "hello"],
    }
    stream = io.BytesIO()
    encoding = {"said": "DELTA_BYTE_ARRAY"}
    kept_once = [name for name in columns if name != "said"]
    pq.write_table(pa.table(columns), stream, use_dictionary=kept_once, column_encoding=encoding)
    assert saved(stream.getvalue(), "all.parquet", tmp_path).text_column == "said"


def test_parquet_with_broken_pages_is_told_in_a_sentence(tmp_path):
    stream = io.BytesIO()
    pq.write_table(pa.table({"said": [f"comment {n}" for n in range(1000)]}), stream)
    content = bytearray(stream.getvalue())
    content[20:2000] = b"\xff" * 1980
    with pytest.raises(DataError, match=r"^a.parquet: the Parquet data is damaged"):
        saved(bytes(content), "a.parquet", tmp_path)


def test_one_text_that_is_not_utf8_does_not_spoil_a_parquet_file(tmp_path):
    offsets, texts = pa.array([0, 2, 4], pa.int32()).buffers()[1], pa.py_buffer(b"ok\xff\xfe")
    stream = io.BytesIO()
    pq.write_table(
        pa.table({"said": pa.Array.from_buffers(pa.string(), 2, [None, offsets, texts])}), stream
    )
    source = saved(stream.getvalue(), "a.parquet", tmp_path)
    assert source.text_column == "said"
    write_safe_csv(source.path, tmp_path / "a.csv", lambda: None)
    assert (tmp_path / "a.csv").read_text("utf-8-sig") == "said\nok\n\ufffd\ufffd\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("wide.csv", ",".join(f"c{n}" for n in range(501)) + "\na\n"),
        ("wide.jsonl", "".join(f'{{"text": "a", "c{n}": 1}}\n' for n in range(501))),
    ],
)
def test_a_file_with_columns_without_end_is_refused(tmp_path, name, content):
    """Each row has a cell of each: short lines would fill the memory."""
    with pytest.raises(DataError, match=rf"^{name}: has more than 500 columns"):
        saved(content, name, tmp_path)


def test_cells_of_json_lines_become_texts_and_broken_lines_stay(tmp_path):
    lines = '{"text": "hi", "n": 1, "x": null}\nnot json\n{"text": "ho", "n": "two"}\n'
    source = saved(lines, "a.jsonl", tmp_path)
    kept = source.path.read_text().splitlines()
    assert json.loads(kept[0]) == {"text": "hi", "n": "1", "x": None}
    assert kept[1] == "not json"


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        ("", "empty.csv", "empty.csv: is empty"),
        ("hello", "text.txt", "text.txt: unknown ending"),
        ("not a table", "a.parquet", "a.parquet: not a whole Parquet file"),
        (b"\x1f\x8bbroken", "a.csv.gz", "a.csv.gz: the gzip data is damaged"),
    ],
)
def test_what_cannot_be_read_is_said_with_the_visitors_own_name_for_it(
    content, name, sentence, tmp_path
):
    with pytest.raises(DataError) as failure:
        saved(content, name, tmp_path)
    assert str(failure.value).startswith(sentence)
    assert str(tmp_path) not in str(failure.value)


def test_a_name_cannot_lead_out_of_the_folder(tmp_path):
    source = saved("text\nhi\n", "../../etc/pass wd;.csv", tmp_path)
    assert source.path.parent == tmp_path / "upload"
    assert source.path.name == "pass_wd_.csv"


def test_pasted_lines_are_comments_whatever_is_in_them(tmp_path):
    source = save_lines('one, "two"\n\n  \n=1+1\n', tmp_path)
    with source.path.open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["comment_text"], ['one, "two"'], ["=1+1"]]
    with pytest.raises(DataError, match="Nothing pasted yet"):
        save_lines(" \n", tmp_path)


# CSV for a spreadsheet


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+cmd", "'+cmd"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
        (" =1", "' =1"),
        ("\x00=1", "'\x00=1"),
        ("\ufeff=1", "'\ufeff=1"),
        ("＝1+1", "'＝1+1"),
        ("-1", "-1"),
        ("+4.5e3", "+4.5e3"),
        ("hello = world", "hello = world"),
        ("fine;=1+1", "fine;'=1+1"),
        ('one\n"@you"', 'one\n\'"@you"'),
        ("well; -5 degrees ;-) a;b\r\n\r\n c", "well; -5 degrees ;-) a;b\r\n\r\n c"),
        ("", ""),
        (None, ""),
        (float("nan"), ""),
        (-0.25, "-0.25"),
        (True, "True"),
        ({"a": 1}, '{"a": 1}'),
    ],
)
def test_no_cell_of_the_csv_is_a_formula(cell, written):
    assert safe_cell(cell) == written


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_no_cell_is_a_formula_where_a_spreadsheet_splits_at_another_sign(tmp_path, delimiter):
    pieces = ["=1", "+1", "-1", "@a", '"=1', ";", "\t", "\n", "\r", "\r\n", '"', ",", "a", "\x00="]
    texts = [f"a{''.join(made)}a" for made in itertools.product(pieces, repeat=4)]
    path = tmp_path / "a.parquet"
    pd.DataFrame({"id": "x", "text": texts}).to_parquet(path)
    write_safe_csv(path, tmp_path / "a.csv", lambda: None)
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as stream:
        cells = [cell for row in csv.reader(stream, delimiter=delimiter) for cell in row]
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r"))]


def test_even_a_columns_name_is_no_formula(tmp_path):
    path = tmp_path / "a.parquet"
    pd.DataFrame({"=1+1": ["é"]}).to_parquet(path)
    write_safe_csv(path, tmp_path / "a.csv", lambda: None)
    assert (tmp_path / "a.csv").read_text("utf-8-sig") == "'=1+1\né\n"


def test_a_carriage_return_in_a_cell_ends_no_row(tmp_path):
    path = tmp_path / "a.parquet"
    pd.DataFrame({"text": ["one\rtwo", "three"]}).to_parquet(path)
    write_safe_csv(path, tmp_path / "a.csv", lambda: None)
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as stream:
        assert list(csv.reader(stream)) == [["text"], ["one\rtwo"], ["three"]]


def test_figures_keep_their_digits_and_have_no_more_than_they_are_worth(tmp_path):
    path = tmp_path / "a.parquet"
    table = pd.DataFrame({"id": [1234567890.5], "n": [16777215], "toxic_score": [0.1]})
    table.astype({"n": "float32", "toxic_score": "float32"}).to_parquet(path)
    write_safe_csv(path, tmp_path / "a.csv", lambda: None)
    assert (tmp_path / "a.csv").read_text("utf-8-sig") == (
        "id,n,toxic_score\n1234567890.5,16777215.0,0.1\n"
    )


# downloads


def test_many_visitors_results_are_offered_at_once(tmp_path):
    paths = [tmp_path / f"{number}.csv" for number in range(300)]
    for path in paths:
        path.touch()
    before = dict(_offered)
    try:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda path: address(path, "a.csv"), paths))
        assert [address(path, "a.csv") for path in paths] == found
    finally:
        _offered.clear()
        _offered.update(before)


def test_a_page_below_another_path_has_its_downloads_there_too(tmp_path):
    (tmp_path / "a.csv").write_text("hi")
    before = st.get_option("server.baseUrlPath")
    st.config.set_option("server.baseUrlPath", "/tox/")
    try:
        page = TestClient(Starlette(routes=[route()]))
        assert page.get(address(tmp_path / "a.csv", "a b.csv")).text == "hi"
        assert page.get("/tox/downloads/guess/a.csv").status_code == 404
    finally:
        st.config.set_option("server.baseUrlPath", before)


# scored rows


@pytest.fixture
def scored(tmp_path):
    rows = 1000
    scores = np.linspace(0, 1, rows, dtype=np.float32)
    table = pd.DataFrame({"text": [f"comment {n}" for n in range(rows)]})
    table["toxic"] = (np.arange(rows) >= 600).astype(str)
    table["toxic"] = np.where(np.arange(rows) >= 600, "1", "0")
    table["toxic_score"], table["insult_score"] = scores, scores[::-1]
    table["flags"], table["reason"] = "", None
    table.loc[3, ["toxic_score", "insult_score"]] = np.nan
    table.loc[3, "reason"] = "line 5 is not UTF-8"
    path = tmp_path / "scored.parquet"
    table.to_parquet(path, row_group_size=100)
    return ScoredFile.read(path, ["toxic", "insult"], "text")


def test_flags_are_counted_over_all_rows(scored):
    flags = scored.flags({"toxic": 0.5, "insult": 0.9})
    assert flags.sum(axis=0).tolist() == [500, 99]
    assert not flags[3].any()


def test_of_labels_that_exclude_each_other_the_likeliest_is_flagged(scored):
    flags = scored.flags({})
    assert flags[[0, 999]].tolist() == [[False, True], [True, False]]
    assert not flags[3].any()


def test_a_histogram_counts_every_scored_row(scored):
    assert sum(scored.histogram("toxic")) == 999


def test_rows_come_in_the_order_asked_for_with_their_numbers(scored):
    table = scored.take(np.array([950, 2, 401]), ["text"])
    assert table["text"].tolist() == ["comment 950", "comment 2", "comment 401"]
    assert table.index.tolist() == [951, 3, 402]
    assert scored.take(np.array([], dtype=int), ["text"]).empty


def test_a_column_that_was_an_index_in_pandas_is_one_like_the_others(tmp_path):
    table = pd.DataFrame({"text": ["hi", "ho"], "toxic": ["0", "1"]})
    table["toxic_score"] = np.array([0.1, 0.9], np.float32)
    path = tmp_path / "s.parquet"
    table.set_index(["text", "toxic"]).to_parquet(path)
    scored = ScoredFile.read(path, ["toxic"], "text")
    assert scored.take(np.array([1]), ["text"])["text"].tolist() == ["ho"]
    labelled = Labelled.read(scored, "model", single_label=False)
    assert labelled.targets.tolist() == [[0], [1]]


def test_columns_that_are_categories_in_pandas_are_read_like_the_others(tmp_path):
    cells = {"text": ["hi", "ho", None], "label": ["no", "yes", None]}
    table = pd.DataFrame(cells, dtype="category")
    table["no_score"] = np.array([0.9, 0.1, np.nan], np.float32)
    table["yes_score"] = 1 - table["no_score"]
    path = tmp_path / "s.parquet"
    table.to_parquet(path)
    scored = ScoredFile.read(path, ["no", "yes"], "text")
    shown = scored.take(np.array([2, 1]), ["text"])["text"].fillna("")
    assert shown.tolist() == ["", "ho"]
    assert scored.containing("HO").tolist() == [False, True, False]
    targets = Labelled.read(scored, "model", single_label=True).targets
    assert targets[:2].tolist() == [[1, 0], [0, 1]]


def test_rows_are_found_by_what_their_comments_contain(scored):
    assert np.flatnonzero(scored.containing("COMMENT 99")).tolist() == [99, *range(990, 1000)]


def test_reasons_are_counted_without_line_numbers(scored):
    assert scored.unscored_reasons() == {"not UTF-8": 1}


def test_a_million_rows_without_scores_are_counted_at_once(tmp_path):
    rows = 200_000  # a fifth of them, for a fifth of the time
    reasons = ["blank", f"line {rows} has 3 cells, not 2"] * (rows // 2)
    path = tmp_path / "s.parquet"
    pd.DataFrame({"a_score": np.full(rows, np.nan, np.float32), "reason": reasons}).to_parquet(path)
    scored = ScoredFile.read(path, ["a"], "text")
    began = time.thread_time()
    assert scored.unscored_reasons() == {"blank": 100_000, "3 cells, not 2": 100_000}
    assert time.thread_time() - began < 2


def test_measuring_gives_what_evaluate_gives(scored):
    from finetune.measure.evaluate import evaluate_labels

    labelled = Labelled.read(scored, "model", single_label=False)
    assert labelled.labels == ["toxic"]
    report = labelled.report({"toxic": 0.55})
    targets = (np.arange(1000) >= 600).astype(float)[:, None]
    wanted = evaluate_labels(targets, scored.scores[:, :1], ["toxic"], {"toxic": 0.55})
    assert report == wanted.to_dict()
    assert report["blank"] == 1


def test_classes_are_read_by_name_by_the_cards_name_and_by_number(tmp_path):
    labels = ["LABEL_0", "LABEL_1", "LABEL_2"]
    table = pd.DataFrame({"text": list("abcd"), "label": ["negative", "LABEL_1", "2", ""]})
    table[score_columns(labels)] = np.eye(4, 3, dtype=np.float32)
    table.to_parquet(tmp_path / "s.parquet")
    scored = ScoredFile.read(tmp_path / "s.parquet", labels, "text")
    model = "cardiffnlp/twitter-roberta-base-sentiment"
    report = Labelled.read(scored, model, single_label=True).report({})
    assert (report["rows"], report["accuracy"]) == (3, 1.0)
    table["label"] = ["negative", "LABEL_1", "-1", "2.0"]
    table.to_parquet(tmp_path / "s.parquet")
    scored = ScoredFile.read(tmp_path / "s.parquet", labels, "text")
    assert Labelled.read(scored, model, single_label=True).report({})["rows"] == 3
    table["label"] = ["good"] * 4
    table.to_parquet(tmp_path / "s.parquet")
    with pytest.raises(DataError, match=r"holds 'good'"):
        Labelled.read(scored, model, single_label=True)


@pytest.mark.parametrize("labels", [["1", "0"], ["v1.0", "v2.0"]])
def test_classes_whose_names_look_like_numbers_keep_them(tmp_path, labels):
    table = pd.DataFrame({"text": list("ab"), "label": labels[::-1]})
    table[score_columns(labels)] = np.eye(2, dtype=np.float32)
    table.to_parquet(tmp_path / "s.parquet")
    scored = ScoredFile.read(tmp_path / "s.parquet", labels, "text")
    targets = Labelled.read(scored, "model", single_label=True).targets
    assert targets.tolist() == [[0, 1], [1, 0]]


def test_labels_without_names_are_found_by_those_of_the_models_card(tmp_path):
    model, names = "andyqin18/finetuned-bert-uncased", ["toxic", "severe_toxic", "obscene"]
    labels = ["LABEL_0", "LABEL_1", "LABEL_2"]
    table = pd.DataFrame({"text": list("abcd"), "severe_toxic": list("0110")})
    table[score_columns(labels)] = np.float32(0.2)
    table["LABEL_1_score"] = np.array([0.1, 0.8, 0.9, 0.3], np.float32)
    table.to_parquet(tmp_path / "s.parquet")
    scored = ScoredFile.read(tmp_path / "s.parquet", labels, "text")
    assert label_columns(names, labels, False, model) == dict(zip(labels, names, strict=True))
    labelled = Labelled.read(scored, model, single_label=False)
    assert labelled.report({"LABEL_1": 0.5})["labels"]["LABEL_1"]["roc_auc"] == 1.0
    assert {point["label"] for point in labelled.curve_points(model)[0]} == {"severe toxic"}


# operating points


def test_each_threshold_has_its_precision_and_recall():
    truth = np.array([0, 0, 1, 1, 1.0])
    scores = np.array([0.1, 0.6, 0.3, 0.7, 0.9], dtype=np.float32)
    points = OperatingPoints.of(truth, scores, np.ones(5))
    half = points.at(0.5)
    assert (points.precision[half], points.recall[half]) == pytest.approx((2 / 3, 2 / 3))
    assert points.flagged[half] == pytest.approx(0.6)
    assert points.recall[points.at_precision(0.9)] == pytest.approx(2 / 3)
    assert points.precision[points.at_recall(1.0)] == pytest.approx(3 / 4)
    assert np.isnan(points.precision[points.at(0.95)])


def test_a_score_at_a_threshold_counts_as_flagged_as_the_model_does():
    points = OperatingPoints.of(np.array([1.0, 0.0]), np.array([0.3, 0.1], np.float32), np.ones(2))
    assert points.recall[points.at(0.3)] == 1


# text


def test_nothing_of_markdown_is_left_in_an_escaped_text():
    assert in_markdown("a *b* [c](d) $e$ :red[f]\n# g") == (
        r"a \*b\* \[c\]\(d\) \$e\$ \:red\[f\] \# g"
    )


def test_a_long_text_is_shortened_to_a_line():
    assert shortened("one\n two " * 100, 20) == "one two one two one…"


def test_stand_in_models_are_like_real_ones(tiny_base):
    from comment_toxicity import load_classifier

    real = load_classifier(tiny_base)
    for name in ("name", "labels", "thresholds", "single_label", "calibrated", "decision"):
        assert type(getattr(FixedScores(), name)) is type(getattr(real, name))
