"""A scored file on disk: counts over all rows, and some rows to show."""

import time

import numpy as np
import pandas as pd

from ui.files.labelled import Labelled
from ui.files.scored_file import ScoredFile


def test_flags_are_counted_over_all_rows(scored):
    flags = scored.flags({"toxic": 0.5, "insult": 0.9})
    assert flags.sum(axis=0).tolist() == [500, 99]
    assert not flags[3].any()


def test_without_thresholds_the_most_likely_label_is_flagged(scored):
    flags = scored.flags({})
    assert flags[[0, 999]].tolist() == [[False, True], [True, False]]
    assert not flags[3].any()


def test_a_histogram_counts_every_scored_row(scored):
    assert sum(scored.histogram("toxic")) == 999


def test_taken_rows_keep_the_given_order_and_their_row_numbers(scored):
    table = scored.take(np.array([950, 2, 401]), ["text"])
    assert table["text"].tolist() == ["comment 950", "comment 2", "comment 401"]
    assert table.index.tolist() == [951, 3, 402]
    assert scored.take(np.array([], dtype=int), ["text"]).empty


def test_a_column_that_was_an_index_in_pandas_is_read_as_a_column(tmp_path):
    table = pd.DataFrame({"text": ["hi", "ho"], "toxic": ["0", "1"]})
    table["toxic_score"] = np.array([0.1, 0.9], np.float32)
    path = tmp_path / "s.parquet"
    table.set_index(["text", "toxic"]).to_parquet(path)
    scored = ScoredFile.read(path, ["toxic"], "text")
    assert scored.take(np.array([1]), ["text"])["text"].tolist() == ["ho"]
    labelled = Labelled.read(scored, "model", single_label=False)
    assert labelled.targets.tolist() == [[0], [1]]


def test_columns_that_are_categories_in_pandas_are_read_as_texts(tmp_path):
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


def test_rows_are_searched_by_text_ignoring_case(scored):
    assert np.flatnonzero(scored.containing("COMMENT 99")).tolist() == [99, *range(990, 1000)]


def test_reasons_are_counted_without_line_numbers(scored):
    assert scored.unscored_reasons() == {"not UTF-8": 1}


def test_the_reasons_of_many_unscored_rows_are_counted_within_seconds(tmp_path):
    rows = 200_000  # a fifth of them, for a fifth of the time
    reasons = ["blank", f"line {rows} has 3 cells, not 2"] * (rows // 2)
    path = tmp_path / "s.parquet"
    pd.DataFrame({"a_score": np.full(rows, np.nan, np.float32), "reason": reasons}).to_parquet(path)
    scored = ScoredFile.read(path, ["a"], "text")
    began = time.thread_time()
    assert scored.unscored_reasons() == {"blank": 100_000, "3 cells, not 2": 100_000}
    assert time.thread_time() - began < 2
