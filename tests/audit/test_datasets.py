"""Files as their authors publish them, in miniature."""

import pandas as pd
import pytest

from comment_toxicity.errors import DataError
from finetune.audit import datasets


def write(path, **columns):
    pd.DataFrame(columns).to_csv(path, index=False)
    return str(path)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rows.csv"


def test_madlibs_labels_become_zeros_and_ones(path):
    file = write(path, Text=["a nice cat", "a bad cat"], Label=["NOT_BAD", "BAD"])
    assert datasets.read_madlibs(file).bad.tolist() == [0, 1]


def test_a_hatecheck_case_without_a_target_shows_a_dash(path):
    file = write(
        path,
        functionality=["threat_dir_h", "target_obj_nh"],
        test_case=["I will find you", "I hate rain"],
        label_gold=["hateful", "non-hateful"],
        target_ident=["women", ""],
    )
    rows = datasets.read_hatecheck(file)
    assert rows.hateful.tolist() == [1, 0]
    assert rows.target.tolist() == ["women", "–"]


def test_two_of_davidsons_three_classes_are_toxic_and_one_is_hate(path):
    file = write(path, tweet=["a", "b", "c"], **{"class": [0, 1, 2]})
    rows = datasets.read_davidson(file, "toxic", "hate")
    assert rows.toxic.tolist() == [1, 1, 0]
    assert rows.hate.tolist() == [1, 0, 0]
    assert datasets.read_davidson(file, "bad", "bad").bad.tolist() == [1, 1, 0]


def test_only_the_test_rows_of_dynahate_are_read(path):
    file = write(path, text=["a", "b"], label=["hate", "nothate"], split=["train", "test"])
    rows = datasets.read_dynahate(file, "hate")
    assert rows.text.tolist() == ["b"]
    assert rows.hate.tolist() == [0]


def test_labelled_rows_keep_their_weights_and_unknown_labels(path):
    file = write(path, text=["a", " ", "c"], toxic=[1, 0, -1], weight=[2, 1, 1], other=[1, 1, 1])
    rows = datasets.read_labelled(file, ["threat", "toxic"])
    assert rows.text.tolist() == ["a", "c"]  # nothing can be scored in a blank one
    assert rows.weight.tolist() == [2, 1]
    assert rows.toxic[0] == 1
    assert rows.toxic.isna().tolist() == [False, True]
    assert "other" not in rows


def test_single_label_rows_are_read_from_a_column_called_label(path):
    file = write(path, text=["a", "b", "c"], label=["fine", "rude", 1])
    rows = datasets.read_labelled(file, ["fine", "rude"], exclusive=True)
    assert rows[["fine", "rude"]].to_numpy().tolist() == [[1, 0], [0, 1], [0, 1]]
    assert rows.weight.tolist() == [1, 1, 1]
    with pytest.raises(DataError, match="one of the model's labels"):
        datasets.read_labelled(file, ["fine", "rude"])


def test_rows_of_weight_zero_are_left_out(path):
    file = write(path, text=["a", "b", "c"], toxic=[1, 0, 0], weight=[0, 2, 1])
    assert datasets.read_labelled(file, ["toxic"]).text.tolist() == ["b", "c"]
    file = write(path, text=["a", "b", "c"], toxic=[1, 0, 0], weight=["false", "true", "true"])
    assert datasets.read_labelled(file, ["toxic"]).text.tolist() == ["b", "c"]


@pytest.mark.parametrize(
    ("read", "columns", "message"),
    [
        (datasets.read_madlibs, {"Text": ["a"]}, "no column Label"),
        (datasets.read_madlibs, {"Text": ["a"], "Label": ["GOOD"]}, "'GOOD'; expected BAD or NOT"),
        (
            datasets.read_hatecheck,
            {"text": ["a"]},
            "no column test_case, functionality, label_gold",
        ),
        (datasets.read_madlibs, {"Text": [" "], "Label": ["BAD"]}, "no row has a text"),
        (
            lambda f: datasets.read_labelled(f, ["toxic"]),
            {"text": ["a"]},
            "one of the model's labe",
        ),
        (
            lambda f: datasets.read_labelled(f, ["toxic"]),
            {"text": ["a"], "toxic": [1], "weight": [-1]},
            "weight must hold true, false or a number from 0 up",
        ),
        (
            lambda f: datasets.read_dynahate(f, "hate"),
            {"text": ["a"], "label": ["hate"], "split": ["train"]},
            "no row has split test",
        ),
        (
            lambda f: datasets.read_labelled(f, ["toxic"]),
            {"text": ["a"], "toxic": [3]},
            "expected 0, 1",
        ),
    ],
)
def test_a_file_in_another_layout_ends_in_one_clear_error(path, read, columns, message):
    with pytest.raises(DataError, match=message) as raised:
        read(write(path, **columns))
    assert str(path) in str(raised.value)


def test_a_missing_file_ends_in_one_clear_error(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        datasets.read_hatecheck(str(tmp_path / "none.csv"))
