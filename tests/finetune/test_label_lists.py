"""Several labels per comment in one column: lists, and text that separates them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from comment_toxicity.errors import DataError, SettingsError
from finetune.config import Settings
from finetune.data.labels import Layout, Notes, classes_in, clean_rows, label_matrix, listed_in
from finetune.data.split import make_split, save_split, with_labels
from tests.rows import read_rows

LABELS = ("anger", "joy", "hate speech")
LAYOUT = Layout("text", LABELS, list_column="tags")


def targets(tags: list, layout: Layout = LAYOUT, notes: Notes | None = None) -> list:
    """The targets of rows with these cells."""
    texts = [f"comment {number}" for number in range(len(tags))]
    table = pd.DataFrame({"text": texts, "tags": pd.Series(tags, dtype=object)})
    rows = clean_rows(table, layout, "table", keep_unlabelled=True, notes=notes)
    return np.nan_to_num(label_matrix(rows, layout), nan=-1).tolist()


@pytest.mark.parametrize(
    "tags",
    [
        ["0,2", "1", "0, 1 ,2,"],
        ["0 2", "1", "0 1 2"],
        ["0.0|2.0", "1.0", "0|1|2"],
        ["[0, 2]", "[1]", "[0,1,2]"],
        ["[0 2]", "[1]", "[ 0  1 2 ]"],
        ["(0, 2)", "{1}", "(0, 1, 2)"],
        ["anger,hate speech", "joy", "joy,anger,hate speech"],
        ["anger;hate speech", "joy", "joy; anger; hate speech"],
        ["['anger', 'hate speech']", "['joy']", "['anger' 'joy'\n 'hate speech']"],
        ['["anger", "hate speech"]', '["joy"]', '["anger", "joy", "hate speech"]'],
        [[0, 2], [1], [0, 1, 2]],
        [np.array([0, 2]), np.array([1]), np.array([0, 1, 2, 2])],
        [["anger", "hate speech"], 1, ("anger", "joy", "hate speech")],
    ],
)
def test_lists_are_read_however_they_are_written(tags: list):
    assert targets(tags) == [[1, 0, 1], [0, 1, 0], [1, 1, 1]]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_lists_are_read_from_files_of_every_format(tmp_path: Path, ending: str):
    table = pd.DataFrame({"text": ["one", "two"], "tags": [[2, 0], [1]]})
    path = tmp_path / f"rows.{ending}"
    if ending == "csv":
        table.assign(tags=["2,0", "1"]).to_csv(path, index=False)
    elif ending == "jsonl":
        table.to_json(path, orient="records", lines=True)
    else:
        table.to_parquet(path)
    found = label_matrix(read_rows(str(path), LAYOUT), LAYOUT)
    assert found.tolist() == [[1, 0, 1], [0, 1, 0]]


def test_an_empty_list_is_no_label_and_a_missing_one_is_unknown():
    notes = Notes()
    assert targets([[], "", " ", "[]"], notes=notes) == [[0, 0, 0]] * 4
    assert notes.lines("t.csv") == ["t.csv: 2 rows with an empty list have no label"]
    assert targets([None, np.nan, "-1", [-1]]) == [[-1, -1, -1]] * 4


def test_a_mapping_names_ids_and_can_join_them():
    layout = Layout("text", ("bad", "good"), mapping={"4": 0, "7.0": 0, "9": 1}, list_column="tags")
    assert targets(["4,7", "9"], layout) == [[1, 0], [0, 1]]


def test_a_name_with_a_comma_is_one_label():
    layout = Layout("text", ("rude, mild", "rude, strong"), list_column="tags")
    assert targets(["rude, mild", "rude, strong"], layout) == [[1, 0], [0, 1]]
    assert targets(["rude, mild|rude, strong"], layout) == [[1, 1]]


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        (["0", "0,7"], "'7' in row 2, which is not in labels"),
        (["0", "0,-1"], "'-1' in row 2, which stands for unknown, beside other labels"),
        ([[0], [0, None]], "'' in row 2, which stands for unknown"),
        (["0,1", "2.14"], "'2.14' in row 2, which is not in labels"),
        (["joy", "{'anger': 1}"], "row 2, which is not a list of labels"),
        ([[0], {"anger": 1}], "row 2, which is not in labels"),
        (["joy", "['anger'"], "row 2, which is not a list of labels"),
        (["joy", "[['anger']]"], "row 2, which is not a list of labels"),
        (["joy", "(" * 5000], "row 2, which is not a list of labels"),
    ],
)
def test_a_cell_that_is_no_list_of_known_labels_is_refused(tags: list, message: str):
    with pytest.raises(DataError, match=message) as caught:
        targets(tags)
    assert len(str(caught.value)) < 300


def test_the_labels_of_a_list_column_are_found():
    assert listed_in(pd.Series(["10,2", "1"], name="tags"), "t") == ["1", "2", "10"]
    assert listed_in(pd.Series([["joy"], [], ["anger", "joy"]], name="tags"), "t") == [
        "anger",
        "joy",
    ]
    with pytest.raises(DataError, match="0 different values"):
        listed_in(pd.Series(["", "-1"], name="tags"), "t")


def ids(tmp_path: Path) -> Settings:
    """Settings of 60 rows with the ids 0 to 2, a third of them with two."""
    path = tmp_path / "ids.csv"
    lines = [f'comment number {i},"{i % 3}{",2" * (i % 4 == 0)}"\n' for i in range(60)]
    path.write_text("text,ids\n" + "".join(lines))
    return Settings(train_data=str(path), text_column="text", label_list_column="ids")


def test_a_multi_label_model_is_trained_on_a_list_column(tmp_path: Path, capsys):
    settings = with_labels(ids(tmp_path))
    settings.check()
    assert (settings.labels, settings.single_label) == (["0", "1", "2"], False)
    assert "labels of column ids: 0, 1, 2" in capsys.readouterr().out
    split = make_split(settings)
    assert split.test is not None
    assert list(split.train.columns) == ["text", "0", "1", "2"]
    parts = (split.train, split.validation, split.test)
    assert sum(int(rows["2"].sum()) for rows in parts) == 30
    save_split(split, tmp_path / "split")  # each part can be given as a table of another run
    settings.validation_data = str(tmp_path / "split" / "validation.parquet")
    again = make_split(settings).validation
    pd.testing.assert_frame_equal(again, split.validation)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"label_column": "ids", "label_list_column": "ids"}, "are both set"),
        ({"label_list_column": "ids", "label_mapping": {"a": 0}}, "so set labels too"),
        ({"label_mapping": {"a": 0}}, "without label_column or label_list_column"),
        ({"label_list_column": "ids", "labels": ["a"], "best_by": "accuracy"}, "single-label"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(given: dict, message: str):
    with pytest.raises(SettingsError, match=message):
        Settings(**given).check()


@pytest.mark.parametrize("cells", [["2,14", "2", "14"], [[2, 14], [2], [14]]])
def test_a_class_column_with_several_labels_names_the_setting_for_them(cells: list, monkeypatch):
    table = pd.DataFrame({"comment_text": ["a", "b", "c"], "label": pd.Series(cells, dtype=object)})
    monkeypatch.setattr("finetune.data.split.read_table", lambda *_: table)
    with pytest.raises(DataError, match="set label_list_column instead"):
        with_labels(Settings(label_column="label"))
    layout = Layout("comment_text", ("2", "14"), "label")
    with pytest.raises(DataError, match=r"row 1, .* set label_list_column instead"):
        clean_rows(table, layout, "table")


@pytest.mark.parametrize("cells", [["0,14", "1,15"], ["[joy]", "[]"], ["a;b", "a", "b"]])
def test_classes_that_are_lists_are_not_taken_for_names(cells: list[str]):
    with pytest.raises(DataError, match="looks like several labels"):
        classes_in(pd.Series(cells, name="label"), "t.csv")
    assert classes_in(pd.Series(["rude, mild", "fine"], name="label"), "t.csv")
