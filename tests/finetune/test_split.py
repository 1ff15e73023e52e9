"""Splitting the rows of a run: which ones are held out, and that nothing leaks."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from comment_toxicity.errors import DataError
from finetune.config import Settings
from finetune.data.labels import row_weights
from finetune.data.split import Split, make_split, near_repeats, prevalence, save_split
from tests.finetune.splits import split_of


def settings(**given) -> Settings:
    return Settings(**({"labels": ["toxic", "threat"]} | given))


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """1,000 comments, each written twice with another case; 4 in 1,000 are threats."""
    number = np.arange(1000)
    table = pd.DataFrame(
        {
            "comment_text": [f"Comment number {i}" for i in number],
            "toxic": (number % 10 == 0).astype(int),
            "threat": (number % 250 == 0).astype(int),
            "natural": number % 2 == 0,
        }
    )
    twice = pd.concat([table, table.assign(comment_text=table.comment_text.str.upper() + " ")])
    path = tmp_path / "many.csv"
    twice.to_csv(path, index=False)
    return path


def test_rows_that_repeat_a_training_row_but_for_digits_and_signs_are_counted():
    trained = pd.DataFrame({"comment_text": ["Win 100 now!", "See you at 5.", "123"]})
    tested = pd.DataFrame({"comment_text": ["win 250, now", "See you soon.", "456", "你好"]})
    split = Split(trained, tested, tested, {})
    assert near_repeats(split, "comment_text") == 1
    assert near_repeats(Split(trained, tested, None, {}), "comment_text") == 0


def test_no_text_is_in_two_splits(many: Path):
    split = make_split(settings(train_data=str(many), validation_fraction=0.2, test_fraction=0.2))
    assert split.test is not None
    texts = [
        set(rows["comment_text"].str.casefold().str.strip())
        for rows in (split.train, split.validation, split.test)
    ]
    assert sum(map(len, texts)) == len(set.union(*texts)) == 1000


def test_a_label_with_four_rows_is_in_every_split(many: Path):
    split = make_split(settings(train_data=str(many), validation_fraction=0.2, test_fraction=0.2))
    assert split.test is not None
    counts = [int(rows["threat"].sum()) for rows in (split.train, split.validation, split.test)]
    assert counts == [4, 2, 2]  # each text is there twice


def test_rows_that_share_an_id_stay_together(tmp_path: Path):
    path = tmp_path / "threads.csv"
    table = pd.DataFrame(
        {"id": np.arange(400) // 4, "comment_text": [f"t {i}" for i in range(400)]}
    )
    table["toxic"] = (np.arange(400) % 3 == 0).astype(int)
    table.to_csv(path, index=False)
    given = settings(
        labels=["toxic"], train_data=str(path), id_column="id", validation_fraction=0.3
    )
    split = make_split(given)
    assert not set(split.train["id"]) & set(split.validation["id"])


def test_rows_without_an_id_are_split_one_by_one(tmp_path: Path):
    path = tmp_path / "rows.parquet"
    number = np.arange(300)
    ids = pd.Series([None] * 100 + [""] * 100 + ["one"] * 100)
    pd.DataFrame(
        {"id": ids, "comment_text": [f"t {i}" for i in number], "toxic": number % 2}
    ).to_parquet(path)
    split = make_split(settings(labels=["toxic"], train_data=str(path), id_column="id"))
    assert 10 < len(split.validation[split.validation["id"] == ""]) < 40
    assert split.train.loc[split.train["id"] == "one"].shape[0] in (0, 100)


def test_no_id_of_the_test_file_is_trained_on(tmp_path: Path):
    number = np.arange(200)
    table = pd.DataFrame(
        {"id": number // 2, "comment_text": [f"t {i}" for i in number], "toxic": number // 2 % 2}
    )
    table[number % 2 == 0].to_csv(tmp_path / "rows.csv", index=False)
    table[(number % 2 == 1) & (number < 40)].to_csv(tmp_path / "held.csv", index=False)
    files = {"train_data": str(tmp_path / "rows.csv"), "test_data": str(tmp_path / "held.csv")}
    split = make_split(settings(labels=["toxic"], id_column="id", **files))
    ids = pd.concat([split.train, split.validation])["id"].astype(int)
    assert ids.min() == 20


def test_an_id_is_the_same_as_text_or_as_a_number(many: Path, tmp_path: Path):
    table = pd.read_csv(many).assign(id=np.arange(2000))
    table.to_csv(many, index=False)
    held = tmp_path / "held.parquet"
    some = table.iloc[:50].assign(comment_text="other words", id=[None, *range(1, 50)])
    some.to_parquet(held)
    split = make_split(settings(train_data=str(many), validation_data=str(held), id_column="id"))
    assert not set(split.validation["id"]) & set(split.train["id"])
    assert len(split.train) + len(split.test) == 2000 - 49


def test_training_leaves_out_texts_of_the_test_file(many: Path, tmp_path: Path):
    held = tmp_path / "held.csv"
    held.write_text("comment_text,toxic,threat\ncomment  NUMBER 7,0,0\n")
    split = make_split(settings(train_data=str(many), test_data=str(held)))
    assert not split.train["comment_text"].str.casefold().str.strip().eq("comment number 7").any()


def test_validation_leaves_out_texts_of_the_test_file(many: Path, tmp_path: Path):
    rows = "comment_text,toxic,threat\nthe same,0,0\nanother,1,1\none more,0,0\n"
    (tmp_path / "validation.csv").write_text(rows)
    (tmp_path / "test.csv").write_text("comment_text,toxic,threat\nThe  SAME,0,0\n")
    files = {f"{name}_data": str(tmp_path / f"{name}.csv") for name in ("validation", "test")}
    split = make_split(settings(train_data=str(many), **files))
    assert split.validation["comment_text"].tolist() == ["another", "one more"]


def test_rows_that_are_all_held_out_leave_nothing_to_train_on(many: Path):
    with pytest.raises(DataError, match="all of its rows are also in validation_data or test_data"):
        make_split(settings(train_data=str(many), test_data=str(many)))


def test_the_same_seed_draws_the_same_rows(many: Path):
    given = {"train_data": str(many), "sample": 500, "labels": ["toxic"]}
    first, again, other = (
        make_split(settings(**given, seed=seed)).train["comment_text"].tolist()
        for seed in (18, 18, 19)
    )
    assert first == again != other
    assert len(first) < 500


def test_saved_rows_can_be_split_again(many: Path, tmp_path: Path):

    given = settings(train_data=str(many), weight_column="natural")
    split = make_split(given)
    save_split(split, tmp_path / "split")
    paths = {
        f"{name}_data": str(tmp_path / "split" / f"{name}.parquet")
        for name in ("train", "validation", "test")
    }
    again = make_split(settings(weight_column="natural", **paths))
    for name in ("train", "validation", "test"):
        pd.testing.assert_frame_equal(getattr(split, name), getattr(again, name))
    if os.name == "posix":
        assert (tmp_path / "split").stat().st_mode & 0o077 == 0  # comments can be private


def test_excluded_rows_are_left_out(many: Path):
    split = make_split(settings(train_data=str(many), exclude={"natural": ["false"]}))
    assert sum(map(len, (split.train, split.validation, split.test))) == 1000


def test_train_only_rows_and_their_ids_are_in_no_other_split(main_rows: Path):
    table = pd.read_csv(main_rows)
    stripped = set(table[table.form == "stripped"].comment_text)
    split = split_of(main_rows, train_only={"form": ["stripped"]}, id_column="id")
    for held_out in (split.validation, split.test):
        assert not set(held_out.comment_text) & stripped
        assert not set(held_out.id) & set(split.train.id)
    assert set(split.train.comment_text) & stripped


@pytest.mark.parametrize(
    "conditions", [{"natural": ["false"]}, {"threat": ["-1"]}, {"source": ["copy"]}]
)
def test_a_column_that_train_only_names_keeps_its_own_meaning(main_rows, conditions):
    table = pd.read_csv(main_rows, dtype=str)
    odd = np.arange(len(table)) % 2 == 1
    table["natural"] = np.where(odd, "false", "true")
    table["source"] = np.where(odd, "copy", "")
    table["threat"] = np.where(odd, "-1", table["threat"])
    table.to_csv(main_rows, index=False)
    split = split_of(main_rows, train_only=conditions, weight_column="natural")
    assert set(split.train.natural) == {0.0, 1.0}
    assert set(split.train.threat.dropna()) == {0.0, 1.0}
    assert "source" not in split.train
    assert set(split.validation.natural) == {1.0}


def test_rows_that_are_all_for_training_need_other_tables(main_rows: Path, tmp_path: Path):
    everything = {"form": ["stripped", "original"]}
    with pytest.raises(
        DataError, match="train_only matches all of its rows, which leaves none for"
    ):
        split_of(main_rows, train_only=everything)
    held = tmp_path / "held.csv"
    held.write_text("comment_text,toxic,threat\none,0,1\ntwo,1,0\nthree,0,0\nfour,0,0\n")
    others = {"validation_data": str(held), "validation_fraction": 0.0, "test_fraction": 0.0}
    split = split_of(main_rows, train_only=everything, **others)
    assert len(split.train) == 200
    assert split.prevalence == {"toxic": 0.25, "threat": 0.25}


def test_prevalence_counts_only_the_random_sample(many: Path):
    table = pd.read_csv(many)
    table.loc[table["natural"], "toxic"] = 0
    given = settings(weight_column="natural")
    rows = table.assign(natural=table["natural"].astype(float))
    assert prevalence(rows, given)["toxic"] == 0


def test_prevalence_is_that_of_a_validation_file_without_weights(many: Path, tmp_path: Path):
    held = tmp_path / "held.csv"
    held.write_text(
        "comment_text,toxic,threat,natural\none,0,1,true\ntwo,1,0,true\nthree,0,0,true\n"
    )
    given = settings(train_data=str(many), validation_data=str(held))
    assert make_split(given).prevalence["threat"] == pytest.approx(1 / 3)
    given = settings(train_data=str(many), validation_data=str(held), weight_column="natural")
    assert make_split(given).prevalence["threat"] == pytest.approx(0.008)


def test_the_test_file_can_have_its_own_weight_column(many: Path, tmp_path: Path):
    held = tmp_path / "held.csv"
    lines = ["other one,0,0,true,15.4", "other two,1,1,false,1.0"]
    held.write_text("comment_text,toxic,threat,natural,weight\n" + "\n".join(lines))
    given = settings(
        train_data=str(many),
        test_data=str(held),
        weight_column="natural",
        test_weight_column="weight",
    )
    split = make_split(given)
    assert split.test is not None
    assert row_weights(split.test, given.test_layout).tolist() == [15.4, 1.0]
    assert set(row_weights(split.train, given.layout)) == {0, 1}


def test_a_test_file_without_its_weight_column_is_refused(many: Path, tmp_path: Path):
    held = tmp_path / "held.csv"
    held.write_text("comment_text,toxic,threat\nother one,0,0\n")
    given = settings(train_data=str(many), test_data=str(held), test_weight_column="weigth")
    with pytest.raises(DataError, match=r"held\.csv: no column weigth"):
        make_split(given)


def test_a_split_with_only_one_class_is_refused(tmp_path: Path):
    path = tmp_path / "one.csv"
    lines = [f"comment {i},{i % 2},0" for i in range(100)]
    path.write_text("comment_text,toxic,threat\n" + "\n".join(lines))
    with pytest.raises(DataError, match="no positive row of threat"):
        make_split(settings(train_data=str(path)))


def test_the_error_names_the_file_that_lacks_a_class(many: Path, tmp_path: Path):
    path = tmp_path / "validation.csv"
    path.write_text("comment_text,toxic,threat\nother one,0,0\nother two,1,0\n")
    with pytest.raises(DataError, match=r"validation\.csv: the validation rows have no positive"):
        make_split(settings(train_data=str(many), validation_data=str(path)))


def test_every_row_is_in_a_part_or_is_counted_as_left_out(tmp_path: Path):
    number = np.arange(300)
    table = pd.DataFrame({"comment_text": [f"comment {i}" for i in number], "form": "plain"})
    table["toxic"] = (number % 3 == 0).astype(int)
    held = tmp_path / "held.csv"
    table[200:].assign(toxic=lambda rows: rows.toxic.mask(rows.index < 210, -1)).to_csv(held)
    table.loc[:4, "comment_text"] = [" ", "", "\t", " ", " "]
    table.loc[10:19, "toxic"] = -1
    table.loc[30:49, "form"] = "odd"
    path = tmp_path / "rows.csv"
    table[:250].to_csv(path, index=False)
    given = {"exclude": {"form": ["odd"]}, "sample": 150, "test_data": str(held)}
    split = make_split(settings(labels=["toxic"], train_data=str(path), seed=3, **given))
    notes = split.notes["train_data"]
    assert notes.rows == 250
    assert notes.left_out["with a blank text"] == 5
    assert notes.left_out["without a known label"] == 10
    assert notes.left_out["excluded"] == 20
    assert notes.left_out["not drawn in the sample"] == 65
    assert notes.left_out["with the text or id of a held-out row"] > 0
    assert len(split.train) + len(split.validation) + notes.left_out.total() == 250
    assert split.notes["test_data"].left_out == {"without a known label": 10}
    line = "test_data: 10 of 100 rows left out: 10 without a known label"
    assert split.notes["test_data"].lines("test_data") == [line]


def test_extra_rows_that_are_held_out_are_counted(tmp_path: Path, many: Path):
    extra, held = tmp_path / "extra.csv", tmp_path / "held.csv"
    texts = ["Comment NUMBER 5", "another one", " "]
    pd.DataFrame({"text": texts, "toxic": 1, "threat": 0}).to_csv(extra, index=False)
    pd.read_csv(many)[:1000].to_csv(held, index=False)
    main = tmp_path / "main.csv"
    rows = pd.read_csv(many)[1000:]
    rows.assign(comment_text=rows.comment_text + " again").to_csv(main, index=False)
    split = make_split(
        settings(train_data=str(main), validation_data=str(held), extra_data=[str(extra)])
    )
    assert split.notes[str(extra)].left_out == {"with a blank text": 1}
    assert split.notes["extra_data"].left_out == {"with the text or id of a held-out row": 1}


@pytest.mark.parametrize(("moods", "message"), [("01", "no row of class 2"), ("2", "only rows")])
def test_a_class_without_rows_is_called_a_class(tmp_path: Path, moods: str, message: str):
    path = tmp_path / "moods.csv"
    lines = [f"comment {i},{moods[i % len(moods)]}\n" for i in range(60)]
    path.write_text("comment_text,mood\n" + "".join(lines))
    with pytest.raises(DataError, match=message):
        make_split(settings(labels=["2", "0", "1"], label_column="mood", train_data=str(path)))
