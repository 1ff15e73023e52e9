"""Reading, cleaning and dividing labelled comments."""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from comment_toxicity.errors import DataError
from finetune.config import Settings
from finetune.data.labels import label_matrix, read_rows, row_weights
from finetune.data.mix import read_extra
from finetune.data.split import (
    make_split,
    prevalence,
)
from finetune.data.tables import describe_source, read_table
from tests.publish.hub_server import Repository

ROWS = pd.DataFrame(
    {
        "id": ["a", "b", "c", "d"],
        "comment_text": ["fine, thanks", "you idiot", "so what", "I will find you"],
        "toxic": [0, 1, 0, 1],
        "threat": [0, 0, -1, 1],
    }
)


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


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "jsonl", "jsonl.gz", "json", "parquet"])
def test_every_kind_of_file_gives_the_same_rows(tmp_path: Path, ending: str):
    path = tmp_path / f"rows.{ending}"
    if "csv" in ending:
        ROWS.to_csv(path, index=False)
    elif ending == "parquet":
        ROWS.to_parquet(path)
    else:
        ROWS.to_json(path, orient="records", lines=True)
    rows = read_rows(str(path), settings().layout)
    assert rows["comment_text"].tolist() == ROWS["comment_text"].tolist()
    assert np.array_equal(
        label_matrix(rows, settings().layout), [[0, 0], [1, 0], [0, np.nan], [1, 1]], equal_nan=True
    )


@pytest.mark.parametrize("mark", [";", "\t"])
def test_a_csv_can_have_semicolons_or_tabs(tmp_path: Path, mark: str):
    path = tmp_path / "rows.csv"
    ROWS.to_csv(path, index=False, sep=mark)
    rows = read_rows(str(path), settings().layout)
    assert rows["comment_text"].tolist() == ROWS["comment_text"].tolist()
    assert rows["toxic"].tolist() == ROWS["toxic"].tolist()


def test_the_label_order_is_the_settings_not_the_files(tmp_path: Path):
    path = tmp_path / "rows.csv"
    ROWS.to_csv(path, index=False)
    turned = settings(labels=["threat", "toxic"])
    assert label_matrix(read_rows(str(path), turned.layout), turned.layout)[1].tolist() == [0, 1]


def test_an_empty_label_is_unknown_and_a_wordless_row_is_left_out(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text("comment_text,toxic,threat\nhello,1,\n   ,0,0\nnothing known,,-1\n")
    rows = read_rows(str(path), settings().layout)
    assert rows["comment_text"].tolist() == ["hello"]
    assert np.isnan(rows["threat"][0])


def test_words_that_look_like_gaps_stay_comments(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text("comment_text,toxic,threat\nNone of it,0,0\nnull,0,0\n007,1,0\n")
    assert read_rows(str(path), settings().layout)["comment_text"].tolist() == [
        "None of it",
        "null",
        "007",
    ]


def test_classes_come_from_a_mapping(tmp_path: Path):
    path = tmp_path / "reviews.csv"
    path.write_text("review,stars\nawful,1\nlovely,5\n")
    reviews = Settings(
        text_column="review",
        label_column="stars",
        labels=["negative", "positive"],
        label_mapping={"1": 0, "5": 1},
    )
    assert label_matrix(read_rows(str(path), reviews.layout), reviews.layout).tolist() == [
        [1, 0],
        [0, 1],
    ]


@pytest.mark.parametrize("labels", [["1", "0"], ["5", "4", "3", "2", "1"]])
def test_a_class_called_by_a_number_is_that_number(tmp_path: Path, labels: list[str]):
    path = tmp_path / "reviews.csv"
    path.write_text("review,stars\n" + "".join(f"the {star}th,{star}\n" for star in labels))
    reviews = Settings(text_column="review", label_column="stars", labels=labels)
    found = label_matrix(read_rows(str(path), reviews.layout), reviews.layout)
    assert found.tolist() == np.eye(len(labels)).tolist()
    path.write_text("review,stars\nno such class,9\n")
    with pytest.raises(DataError, match="'9', which is not in label_mapping"):
        read_rows(str(path), reviews.layout)


def test_a_class_of_minus_one_is_unknown(tmp_path: Path):
    path = tmp_path / "reviews.csv"
    path.write_text("review,label\nawful,0\nlovely,1\nwho knows,-1\nnor this,\n")
    reviews = Settings(text_column="review", label_column="label", labels=["bad", "good"])
    assert read_rows(str(path), reviews.layout)["review"].tolist() == ["awful", "lovely"]


def test_no_text_stands_on_two_sides(many: Path):
    split = make_split(settings(train_data=str(many), validation_fraction=0.2, test_fraction=0.2))
    assert split.test is not None
    sides = [
        set(rows["comment_text"].str.casefold().str.strip())
        for rows in (split.train, split.validation, split.test)
    ]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 1000


def test_a_label_of_four_rows_is_on_every_side(many: Path):
    split = make_split(settings(train_data=str(many), validation_fraction=0.2, test_fraction=0.2))
    assert split.test is not None
    counts = [int(side["threat"].sum()) for side in (split.train, split.validation, split.test)]
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


def test_rows_without_an_id_are_divided_each_by_itself(tmp_path: Path):
    path = tmp_path / "rows.parquet"
    number = np.arange(300)
    ids = pd.Series([None] * 100 + [""] * 100 + ["one"] * 100)
    pd.DataFrame(
        {"id": ids, "comment_text": [f"t {i}" for i in number], "toxic": number % 2}
    ).to_parquet(path)
    split = make_split(settings(labels=["toxic"], train_data=str(path), id_column="id"))
    assert 10 < len(split.validation[split.validation["id"] == ""]) < 40
    assert split.train.loc[split.train["id"] == "one"].shape[0] in (0, 100)


def test_no_id_of_a_test_file_is_trained_on(tmp_path: Path):
    number = np.arange(200)
    table = pd.DataFrame(
        {"id": number // 2, "comment_text": [f"t {i}" for i in number], "toxic": number // 2 % 2}
    )
    table[number % 2 == 0].to_csv(tmp_path / "rows.csv", index=False)
    table[(number % 2 == 1) & (number < 40)].to_csv(tmp_path / "held.csv", index=False)
    files = {"train_data": str(tmp_path / "rows.csv"), "test_data": str(tmp_path / "held.csv")}
    split = make_split(settings(labels=["toxic"], id_column="id", **files))
    known = pd.concat([split.train, split.validation])["id"].astype(int)
    assert known.min() == 20


def test_validation_leaves_out_what_the_test_file_holds(many: Path, tmp_path: Path):
    rows = "comment_text,toxic,threat\nthe same,0,0\nanother,1,1\none more,0,0\n"
    (tmp_path / "validation.csv").write_text(rows)
    (tmp_path / "test.csv").write_text("comment_text,toxic,threat\nThe  SAME,0,0\n")
    files = {f"{side}_data": str(tmp_path / f"{side}.csv") for side in ("validation", "test")}
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


def test_saved_rows_can_be_split_data_again(many: Path, tmp_path: Path):
    from finetune.data.split import save_split

    given = settings(train_data=str(many), weight_column="natural")
    split = make_split(given)
    save_split(split, tmp_path / "split")
    paths = {
        f"{side}_data": str(tmp_path / "split" / f"{side}.parquet")
        for side in ("train", "validation", "test")
    }
    again = make_split(settings(weight_column="natural", **paths))
    for side in ("train", "validation", "test"):
        pd.testing.assert_frame_equal(getattr(split, side), getattr(again, side))


def test_training_leaves_out_what_the_test_file_holds(many: Path, tmp_path: Path):
    held = tmp_path / "held.csv"
    held.write_text("comment_text,toxic,threat\ncomment  NUMBER 7,0,0\n")
    split = make_split(settings(train_data=str(many), test_data=str(held)))
    assert not split.train["comment_text"].str.casefold().str.strip().eq("comment number 7").any()


def test_an_id_is_the_same_whether_a_file_keeps_it_as_text_or_number(many: Path, tmp_path: Path):
    table = pd.read_csv(many).assign(id=np.arange(2000))
    table.to_csv(many, index=False)
    held = tmp_path / "held.parquet"
    some = table.iloc[:50].assign(comment_text="other words", id=[None, *range(1, 50)])
    some.to_parquet(held)
    split = make_split(settings(train_data=str(many), validation_data=str(held), id_column="id"))
    assert not set(split.validation["id"]) & set(split.train["id"])
    assert len(split.train) + len(split.test) == 2000 - 49


def test_the_natural_mix_is_that_of_a_validation_table_of_its_own(many: Path, tmp_path: Path):
    held = tmp_path / "held.csv"
    held.write_text(
        "comment_text,toxic,threat,natural\none,0,1,true\ntwo,1,0,true\nthree,0,0,true\n"
    )
    given = settings(train_data=str(many), validation_data=str(held))
    assert make_split(given).prevalence["threat"] == pytest.approx(1 / 3)
    given = settings(train_data=str(many), validation_data=str(held), weight_column="natural")
    assert make_split(given).prevalence["threat"] == pytest.approx(0.008)


def test_what_others_read_of_a_url_is_no_secret(many: Path):
    url = "https://me:secret@example.org/rows.csv?X-Amz-Signature=secret#secret"
    assert describe_source(url) == {"name": "https://example.org/rows.csv"}
    assert describe_source("ftp://me:secret@example.org/r.csv")["name"] == "ftp://example.org/r.csv"
    assert describe_source("owner/name") == {"name": "owner/name"}
    assert list(describe_source(str(many))) == ["name", "sha256"]


def test_prevalence_counts_the_natural_rows_only(many: Path):
    table = pd.read_csv(many)
    table.loc[table["natural"], "toxic"] = 0
    given = settings(weight_column="natural")
    rows = table.assign(natural=table["natural"].astype(float))
    assert prevalence(rows, given)["toxic"] == 0


def test_the_test_rows_count_by_their_own_weight_column(many: Path, tmp_path: Path):
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


def test_a_weight_column_that_the_test_file_lacks_is_missed(many: Path, tmp_path: Path):
    held = tmp_path / "held.csv"
    held.write_text("comment_text,toxic,threat\nother one,0,0\n")
    given = settings(train_data=str(many), test_data=str(held), test_weight_column="weigth")
    with pytest.raises(DataError, match=r"held\.csv: no column weigth"):
        make_split(given)


def test_labels_may_be_true_or_false(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text("comment_text,toxic,threat\na,true,False\nb,FALSE,\nc,-1,True\n")
    rows = read_rows(str(path), settings().layout)
    assert rows[["toxic", "threat"]].fillna(-1).to_numpy().tolist() == [[1, 0], [0, -1], [-1, 1]]


def test_excluded_values_are_left_out(many: Path):
    split = make_split(settings(train_data=str(many), exclude={"natural": ["false"]}))
    assert sum(map(len, (split.train, split.validation, split.test))) == 1000


BAD_FILES = {
    "missing.csv": (None, "no such file"),
    "empty.csv": (b"", "empty"),
    "header.csv": (b"comment_text,toxic,threat\n", "no rows"),
    "latin.csv": ("comment_text,toxic,threat\ncafé,0,0\n".encode("latin-1"), "not UTF-8"),
    "columns.csv": (b"text,toxic,threat\nhi,0,0\n", "no column comment_text (found text"),
    "label.csv": (b"comment_text,toxic,threat\nhi,maybe,0\n", "'maybe' in row 1"),
    "blank.csv": (b"comment_text,toxic,threat\n ,0,0\n", "no row has both"),
    "broken.parquet": (b"not parquet", "cannot be read as parquet"),
    "broken.jsonl": (b'{"comment_text": ', "cannot be read as jsonl"),
    "broken.csv.gz": (b"not gzip", "cannot be read as csv"),
    "cut.csv.gz": (gzip.compress(b"comment_text,toxic,threat\n" * 9)[:-9], "cannot be read as csv"),
    "commas.csv": (b"comment_text,toxic,threat\nhi,0,0,\n", "line 2 has 4 cells, not 3"),
    "few.csv": (b"comment_text,toxic,threat\nhi,0,0\nho,1\n", "line 3 has 2 cells, not 3"),
    "quote.csv": (
        b'id,comment_text,toxic,threat\n1,"oh no,0,0\n2,hi,0,0\n3,"ho" she said,0,0\n',
        "line 2: a quotation mark opens a cell that ends in line 4",
    ),
    "null.jsonl": (
        b'{"comment_text": "a", "toxic": 1, "threat": 0}\nnull\n',
        "one of its lines is not an object",
    ),
    "table.xlsx": (b"", "give .csv"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_gets_one_sentence_that_names_it(tmp_path: Path, name: str):
    content, said = BAD_FILES[name]
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_rows(str(path), settings().layout)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_side_with_one_class_only_is_refused(tmp_path: Path):
    path = tmp_path / "one.csv"
    lines = [f"comment {i},{i % 2},0" for i in range(100)]
    path.write_text("comment_text,toxic,threat\n" + "\n".join(lines))
    with pytest.raises(DataError, match="no positive row of threat"):
        make_split(settings(train_data=str(path)))


def test_the_file_that_lacks_a_class_is_the_one_that_is_named(many: Path, tmp_path: Path):
    path = tmp_path / "validation.csv"
    path.write_text("comment_text,toxic,threat\nother one,0,0\nother two,1,0\n")
    with pytest.raises(DataError, match=r"validation\.csv: the validation rows have no positive"):
        make_split(settings(train_data=str(many), validation_data=str(path)))


def test_a_column_of_lists_is_not_taken_for_texts(tmp_path: Path):
    path = tmp_path / "tokens.parquet"
    ROWS.assign(comment_text=ROWS["comment_text"].str.split()).to_parquet(path)
    with pytest.raises(DataError, match="comment_text has lists"):
        read_rows(str(path), settings().layout)


def test_a_wide_file_does_not_fill_the_screen(tmp_path: Path):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([{"comment_text": "hi", "toxic": 1}] * 5000))
    with pytest.raises(DataError) as caught:
        read_rows(str(path), settings().layout)
    assert len(str(caught.value)) < 500


@pytest.fixture
def hub_data(hub):
    """A data set on the Hub: two subsets, and of the first a split in two files and another."""
    parts = ("en/train/0000", "en/train/0001", "en/test/0000", "en_us/train/0000")
    files = {f"{part}.parquet": ROWS.assign(id=part).to_parquet() for part in parts}
    data = hub.repositories["someone/comments"] = Repository()
    data.tags["refs/convert/parquet"] = data.add("converted", files).sha
    return hub


def test_a_hub_data_set_is_read_from_one_subset(hub_data):
    assert set(read_table("someone/comments")["id"]) == {"en/train/0000", "en/train/0001"}
    assert set(read_table("someone/comments:test")["id"]) == {"en/test/0000"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("someone/comments:dev", "no split 'dev'"),
        ("someone/nothing", "nor a Hub dataset that can be reached"),
    ],
)
def test_a_hub_data_set_that_is_not_there_is_one_sentence(hub_data, name, said):
    with pytest.raises(DataError, match=said):
        read_table(name)


def test_a_url_is_read(tmp_path: Path):
    import threading
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    with gzip.open(tmp_path / "rows.jsonl.gz", "wt") as file:
        file.write(json.dumps({"comment_text": "hi", "toxic": 1, "threat": 0}) + "\n")
    semicolons = b'id;comment_text;toxic\n1;"""oh, no""";1\n'
    (tmp_path / "rows.csv").write_bytes(semicolons)
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(semicolons))
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        assert read_table(address + "rows.jsonl.gz?download=1")["toxic"].tolist() == [1]
        assert read_table(address + "rows.csv?key=secret")["comment_text"].tolist() == ['"oh, no"']
        assert read_table(address + "rows.csv.gz")["toxic"].tolist() == ["1"]
        extra = settings(extra_data=[address + "rows.csv?key=secret&v=1.0"])
        assert read_extra(extra)["source"].tolist() == ["rows"]
        with pytest.raises(DataError, match="404"):
            read_table(address + "other.csv")
        server.shutdown()


@pytest.mark.parametrize("name", ["someone/comments", "some--one/comments"])
def test_a_hub_that_does_not_answer_gets_one_sentence(hub, name):
    hub.stop()
    with pytest.raises(DataError, match="neither a local file nor a Hub dataset"):
        read_table(name)


def test_a_hub_data_set_without_a_network_gets_one_sentence():
    with pytest.raises(DataError, match="neither a local file nor a Hub dataset"):
        read_table("someone/comments:train")
