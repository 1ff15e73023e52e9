"""Labelled tables: columns of 0 and 1, or one column of classes, to clean rows and targets."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from comment_toxicity.errors import DataError
from finetune.data.labels import Layout, Notes, clean_rows, label_matrix, row_weights
from tests.rows import read_rows

LAYOUT = Layout("comment_text", ("toxic", "threat"))


def test_the_label_order_is_the_layouts_not_the_files(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text("comment_text,toxic,threat\nyou idiot,1,0\n")
    turned = Layout("comment_text", ("threat", "toxic"))
    assert label_matrix(read_rows(str(path), turned), turned).tolist() == [[0, 1]]


def test_an_empty_label_is_unknown_and_a_blank_comment_is_left_out(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text("comment_text,toxic,threat\nhello,1,\n   ,0,0\nnothing known,,-1\n")
    rows = read_rows(str(path), LAYOUT)
    assert rows["comment_text"].tolist() == ["hello"]
    assert np.isnan(rows["threat"][0])


def test_labels_can_be_true_or_false(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text("comment_text,toxic,threat\na,true,False\nb,FALSE,\nc,-1,True\n")
    rows = read_rows(str(path), LAYOUT)
    assert rows[["toxic", "threat"]].fillna(-1).to_numpy().tolist() == [[1, 0], [0, -1], [-1, 1]]


def test_classes_come_from_a_mapping(tmp_path: Path):
    path = tmp_path / "reviews.csv"
    path.write_text("review,stars\nawful,1\nlovely,5\n")
    reviews = Layout("review", ("negative", "positive"), "stars", {"1": 0, "5": 1})
    assert label_matrix(read_rows(str(path), reviews), reviews).tolist() == [
        [1, 0],
        [0, 1],
    ]


@pytest.mark.parametrize("labels", [["1", "0"], ["5", "4", "3", "2", "1"]])
def test_a_class_named_by_a_number_is_not_an_index(tmp_path: Path, labels: list[str]):
    path = tmp_path / "reviews.csv"
    path.write_text("review,stars\n" + "".join(f"the {star}th,{star}\n" for star in labels))
    reviews = Layout("review", tuple(labels), "stars")
    found = label_matrix(read_rows(str(path), reviews), reviews)
    assert found.tolist() == np.eye(len(labels)).tolist()
    path.write_text("review,stars\nno such class,9\n")
    with pytest.raises(DataError, match="'9' in row 1, which is not in labels"):
        read_rows(str(path), reviews)


def test_class_minus_one_is_unknown(tmp_path: Path):
    path = tmp_path / "reviews.csv"
    path.write_text("review,label\nawful,0\nlovely,1\nwho knows,-1\nnor this,\n")
    reviews = Layout("review", ("bad", "good"), "label")
    assert read_rows(str(path), reviews)["review"].tolist() == ["awful", "lovely"]


def test_a_column_of_lists_is_refused_as_texts(tmp_path: Path):
    path = tmp_path / "tokens.parquet"
    rows = pd.DataFrame({"comment_text": [["you", "idiot"]], "toxic": 1, "threat": 0})
    rows.to_parquet(path)
    with pytest.raises(DataError, match="comment_text has lists"):
        read_rows(str(path), LAYOUT)


def test_a_column_without_a_name_is_named_by_its_place_and_weighs_nothing_unasked(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text("comment_text,toxic,\nyou idiot,1,0.5\n")
    weighed = Layout("comment_text", ("toxic",), weight="column 3")
    assert row_weights(read_rows(str(path), weighed), weighed).tolist() == [0.5]
    unweighed = Layout("comment_text", ("toxic",))
    assert row_weights(read_rows(str(path), unweighed), unweighed).tolist() == [1]


def test_an_optional_column_that_the_table_lacks_is_left_out_of_the_layout():
    layout = Layout("comment_text", ("toxic",), weight="weight", id="id")
    assert layout.optional(["comment_text", "toxic", "id"]) == Layout(
        "comment_text", ("toxic",), id="id"
    )


def test_unlabelled_rows_can_be_kept():
    table = pd.DataFrame({"comment_text": ["a", "b", " "], "toxic": [1, -1, 0]}, index=[5, 6, 7])
    layout = Layout("comment_text", ("toxic",))
    assert clean_rows(table, layout, "table").index.tolist() == [5]
    assert clean_rows(table, layout, "table", keep_unlabelled=True).index.tolist() == [5, 6]


@pytest.mark.parametrize("cells", [["0.0", "1.0", "0"], [0.0, 1.0, 0.0], ["0", "1.00", "0.0"]])
def test_whole_numbers_name_the_same_class_however_they_are_written(cells: list):
    table = pd.DataFrame({"text": list("abc"), "label": cells})
    for labels in (("bad", "good"), ("0", "1"), ("0.0", "1.0")):
        layout = Layout("text", labels, "label")
        rows = clean_rows(table, layout, "table")
        assert rows["label"].tolist() == [labels[0], labels[1], labels[0]]
    turned = Layout("text", ("1.0", "0.0"), "label")
    assert label_matrix(clean_rows(table, turned, "table"), turned)[:, 0].tolist() == [0, 1, 0]
    mapped = Layout("text", ("bad", "good"), "label", {"0.0": 1, "1.0": 0})
    assert clean_rows(table, mapped, "table")["label"].tolist() == ["good", "bad", "good"]


def test_minus_one_is_a_class_where_labels_or_a_mapping_name_it():
    table = pd.DataFrame({"text": list("abc"), "mood": [-1, 0, 1]})
    named = Layout("text", ("-1", "0", "1"), "mood")
    assert clean_rows(table, named, "table")["mood"].tolist() == ["-1", "0", "1"]
    mapped = Layout("text", ("sad", "calm", "glad"), "mood", {"-1": 0, "0": 1, "1": 2})
    assert clean_rows(table, mapped, "table")["mood"].tolist() == ["sad", "calm", "glad"]
    notes = Notes()
    rows = clean_rows(table, Layout("text", ("calm", "glad"), "mood"), "table", notes=notes)
    assert rows["mood"].tolist() == ["calm", "glad"]
    assert notes.left_out == {"without a known class": 1}


def test_columns_of_categories_are_read():
    table = pd.DataFrame({"text": ["a", "b", None], "toxic": ["1", "0.5", "0"]}, dtype="category")
    rows = clean_rows(table, Layout("text", ("toxic",)), "table", soft=True)
    assert rows["toxic"].tolist() == [1, 0.5]


def test_two_columns_of_one_name_are_refused():
    table = pd.DataFrame([["a", 1, 0]], columns=["text", "toxic", "toxic"])
    with pytest.raises(DataError, match="two columns toxic"):
        clean_rows(table, Layout("text", ("toxic",)), "table")


def test_a_column_cannot_be_a_label_and_the_text():
    table = pd.DataFrame({"toxic": ["1"]})
    with pytest.raises(DataError, match="toxic is a label and the name of another column"):
        clean_rows(table, Layout("toxic", ("toxic",)), "table")
