"""Reading a table: files of any format, URLs and Hub datasets."""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from comment_toxicity.errors import DataError
from comment_toxicity.files.read import open_input
from finetune.data.labels import Layout, label_matrix
from finetune.data.tables import describe_source, read_table
from tests.publish.hub_server import Repository
from tests.rows import read_rows

ROWS = pd.DataFrame(
    {
        "id": ["a", "b", "c", "d"],
        "comment_text": ["fine, thanks", "you idiot", "so what", "I will find you"],
        "toxic": [0, 1, 0, 1],
        "threat": [0, 0, -1, 1],
    }
)

LAYOUT = Layout("comment_text", ("toxic", "threat"))


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "jsonl", "jsonl.gz", "json", "parquet"])
def test_files_of_every_format_give_the_same_rows(tmp_path: Path, ending: str):
    path = tmp_path / f"rows.{ending}"
    if "csv" in ending:
        ROWS.to_csv(path, index=False)
    elif ending == "parquet":
        ROWS.to_parquet(path)
    else:
        ROWS.to_json(path, orient="records", lines=True)
    rows = read_rows(str(path), LAYOUT)
    assert rows["comment_text"].tolist() == ROWS["comment_text"].tolist()
    assert np.array_equal(
        label_matrix(rows, LAYOUT), [[0, 0], [1, 0], [0, np.nan], [1, 1]], equal_nan=True
    )


@pytest.mark.parametrize("mark", [";", "\t"])
def test_a_csv_can_be_separated_by_semicolons_or_tabs(tmp_path: Path, mark: str):
    path = tmp_path / "rows.csv"
    ROWS.to_csv(path, index=False, sep=mark)
    rows = read_rows(str(path), LAYOUT)
    assert rows["comment_text"].tolist() == ROWS["comment_text"].tolist()
    assert rows["toxic"].tolist() == ROWS["toxic"].tolist()


def test_comments_that_look_like_missing_values_stay_comments(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text("comment_text,toxic,threat\nNone of it,0,0\nnull,0,0\n007,1,0\n")
    assert read_rows(str(path), LAYOUT)["comment_text"].tolist() == [
        "None of it",
        "null",
        "007",
    ]


BAD_FILES = {
    "missing.csv": (None, "no such file"),
    "missing.toml": (None, "cannot be read (No such file"),
    "empty.csv": (b"", "empty"),
    "header.csv": (b"comment_text,toxic,threat\n", "no rows"),
    "latin.csv": ("comment_text,toxic,threat\ncafé,0,0\n".encode("latin-1"), "not UTF-8"),
    "columns.csv": (b"text,toxic,threat\nhi,0,0\n", "no column comment_text (found text"),
    "label.csv": (b"comment_text,toxic,threat\nhi,maybe,0\n", "'maybe' in row 1"),
    "blank.csv": (b"comment_text,toxic,threat\n ,0,0\n", "no row has both"),
    "broken.parquet": (b"not parquet", "not a whole Parquet file"),
    "broken.jsonl": (b'{"comment_text": ', "line 1: not JSON"),
    "broken.csv.gz": (b"not gzip", "the gzip data are broken"),
    "cut.csv.gz": (
        gzip.compress(b"comment_text,toxic,threat\n" * 9)[:-9],
        "the gzip data are broken",
    ),
    "commas.csv": (b"comment_text,toxic,threat\nhi,0,0,\n", "line 2 has 4 cells, not 3"),
    "few.csv": (b"comment_text,toxic,threat\nhi,0,0\nho,1\n", "line 3 has 2 cells, not 3"),
    "quote.csv": (
        b'id,comment_text,toxic,threat\n1,"oh no,0,0\n2,hi,0,0\n3,"ho" she said,0,0\n',
        "line 2: a quotation mark opens a cell that ends in line 4",
    ),
    "null.jsonl": (
        b'{"comment_text": "a", "toxic": 1, "threat": 0}\nnull\n',
        "line 2: not a JSON object",
    ),
    "table.xlsx": (b"", "a spreadsheet, which is not read"),
    "array.json": (b'[{"comment_text": "a"}, 7]', "line 1: not a JSON object"),
    "lines.jsonl": (b'{"comment_text": "a"}\n\n{"comment_text": b}\n', "line 3: not JSON"),
    "title.csv": (b"who,toxic\nwell, no,0\noh, no,1\n", "line 1 has fewer cells"),
    "both.csv": (b"Toxic,TOXIC,threat,comment_text\n0,0,0,hi\n", "could both be toxic"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_an_unreadable_file_ends_in_one_clear_error_that_names_it(tmp_path: Path, name: str):
    content, message = BAD_FILES[name]
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_rows(str(path), LAYOUT)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_error_for_a_very_wide_file_is_short(tmp_path: Path):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([{f"column {n}": "hi" for n in range(5000)}]))
    with pytest.raises(DataError) as caught:
        read_rows(str(path), LAYOUT)
    assert len(str(caught.value)) < 1000


WRITTEN = {
    "bom.jsonl": (LINES := '{"comment_text": "so", "toxic": 0.83}\n').encode("utf-8-sig"),
    "wide.jsonl": LINES.encode("utf-16"),
    "commas.jsonl": LINES.replace("\n", ",\n").encode(),
    "array.json": f"[{LINES}]".encode(),
    "spread.json": json.dumps([json.loads(LINES)], indent=2).encode(),
    "spread.jsonl": json.dumps(json.loads(LINES), indent=2).encode(),
    "tabs.tsv": b"comment_text\ttoxic\nso\t0.83\n",
    "tabs.txt": b"comment_text\ttoxic\nso\t0.83\n",
    "sep.csv": b"sep=;\ncomment_text;toxic\nso;0.83\n",
    "empty.csv": b"comment_text,toxic,,,\nso,0.83,,,\n",
    "wide.csv": "comment_text,toxic\nso,0.83\n".encode("utf-16"),
    "names.csv": "\ufeff\xa0Comment Text , TOXIC\nso,0.83\n".encode(),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_files_as_other_programs_write_them_are_read(tmp_path: Path, name: str):
    path = tmp_path / name
    path.write_bytes(WRITTEN[name])
    table = read_table(str(path), ["comment_text", "toxic"])
    assert list(table) == ["comment_text", "toxic"]
    assert [str(cell) for cell in table.iloc[0]] == ["so", "0.83"]


def test_json_keeps_large_numbers_and_decimals(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    rows = [{"id": 2**70, "toxic": 0.83}, {"id": None, "toxic": float("nan")}, {"id": 1}]
    path.write_text("\n".join(map(json.dumps, rows)))
    table = read_table(str(path))
    assert table["id"].tolist()[:1] == [2**70]
    assert table["toxic"].tolist()[0] == 0.83
    assert table.isna().sum().tolist() == [1, 2]


def test_another_encoding_is_read_where_a_table_is_not_utf8(tmp_path: Path):
    for name, encoding in (("old.csv", "cp1252"), ("new.csv", "utf-8")):
        (tmp_path / name).write_bytes("comment_text\nça va ?\n".encode(encoding))
        table = read_table(str(tmp_path / name), encoding="cp1252")
        assert table["comment_text"].tolist() == ["ça va ?"]
    with pytest.raises(DataError, match="or name its encoding, such as cp1252"):
        read_table(str(tmp_path / "old.csv"))


def test_a_table_in_another_encoding_is_parsed_once(tmp_path: Path, monkeypatch):
    opened = []

    def counted(*arguments):
        opened.append(arguments)
        return open_input(*arguments)

    monkeypatch.setattr("finetune.data.tables.open_input", counted)
    path = tmp_path / "rows.csv.gz"
    for encoding in ("cp1252", "utf-8", "utf-16"):  # é of the second is at the end of a block
        path.write_bytes(gzip.compress(f"comment_text\n{'x' * 65_522}é\nno é\n".encode(encoding)))
        table = read_table(str(path), encoding="cp1252")
        assert [text.lstrip("x") for text in table["comment_text"]] == ["é", "no é"]
    assert len(opened) == 3


def test_parquet_texts_that_are_stored_as_bytes_become_texts(tmp_path: Path):
    table = pd.DataFrame({"comment_text": [b"so", None], "image": [b"\xff", b"\x00"], "n": [1, 2]})
    table.to_parquet(tmp_path / "rows.parquet")
    found = read_table(str(tmp_path / "rows.parquet"))
    assert found["comment_text"].tolist()[0] == "so"
    assert found["image"].tolist() == [b"\xff", b"\x00"]


@pytest.fixture
def converted(hub):
    """A function that puts converted files of these names, which are their ids too, on the Hub."""

    def put(*paths: str) -> None:
        files = {path: ROWS.assign(id=path).to_parquet() for path in paths}
        data = hub.repositories["someone/comments"] = Repository()
        data.tags["refs/convert/parquet"] = data.add("converted", files).sha

    return put


EN, DE = "en/train/0000.parquet", "de/train/0000.parquet"


def test_of_a_hub_dataset_a_configuration_and_a_split_can_be_named(converted, capsys):
    other = "en/train/0001.parquet"
    converted(EN, other, "en/test/0000.parquet", DE, "my set (2)/dev/0000.parquet", "README.md")
    assert list(read_table("someone/comments:en/train")["id"].unique()) == [EN, other]
    assert "8 rows of configuration en, split train" in capsys.readouterr().out
    assert set(read_table("someone/comments:de/train")["id"]) == {DE}
    assert len(read_table("someone/comments:my set (2)/dev")) == 4


def test_the_configuration_can_be_left_out_where_one_alone_has_the_split(converted, capsys):
    converted(EN, DE, "de/test/0000.parquet")
    assert set(read_table("someone/comments:test")["id"]) == {"de/test/0000.parquet"}
    assert "configuration de, split test" in capsys.readouterr().out


def test_a_configuration_called_default_is_the_default(converted, capsys):
    converted("cased/train/0000.parquet", "default/train/0000.parquet")
    assert set(read_table("someone/comments")["id"]) == {"default/train/0000.parquet"}
    assert "configuration default" in capsys.readouterr().out


def test_a_partial_split_is_taken_by_its_name_alone(converted, capsys):
    path = "default/partial-train/0000.parquet"
    converted(path)
    with pytest.raises(DataError, match=r"no split 'train'; name one of .*:default/partial-train"):
        read_table("someone/comments")
    assert set(read_table("someone/comments:partial-train")["id"]) == {path}
    assert "the first part of a large split" in capsys.readouterr().out


def test_a_split_can_be_in_several_folders(converted):
    paths = ["default/train-part0/0000.parquet", "default/train-part1/0000.parquet"]
    converted(*paths)
    assert list(read_table("someone/comments:train")["id"].unique()) == paths


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "someone/comments",
            "several configurations have a split 'train'; name one of .*:de/train",
        ),
        ("someone/comments:dev", "no split 'dev'; name one of .*:de/train, .*:en/train"),
        ("someone/comments:fr/train", "no split fr/train; name one of .*:de/train"),
        ("someone/nothing", "nor a Hub dataset that can be reached"),
    ],
)
def test_a_hub_dataset_or_split_that_is_not_clear_ends_in_one_clear_error(converted, name, message):
    converted(EN, DE)
    with pytest.raises(DataError, match=message):
        read_table(name)


def test_parquet_files_outside_the_layout_of_the_hub_are_not_guessed_at(converted):
    converted("train.parquet", "data/train.parquet")
    with pytest.raises(DataError, match="has no files CONFIGURATION/SPLIT"):
        read_table("someone/comments")


def test_a_hub_dataset_without_a_parquet_copy_says_so(hub):
    hub.repositories["someone/comments"] = Repository()
    hub.repositories["someone/comments"].add("first", {"rows.csv": b""})
    with pytest.raises(DataError, match="no Parquet copy"):
        read_table("someone/comments")


@pytest.mark.parametrize("name", ["someone/comments", "some--one/comments"])
def test_an_unreachable_hub_ends_in_one_clear_error(hub, name):
    hub.stop()
    with pytest.raises(DataError, match="neither a local file nor a Hub dataset"):
        read_table(name)


def test_a_hub_dataset_without_a_network_ends_in_one_clear_error():
    with pytest.raises(DataError, match="neither a local file nor a Hub dataset"):
        read_table("someone/comments:train")


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
        with pytest.raises(DataError, match="404"):
            read_table(address + "other.csv")
        server.shutdown()


def test_the_record_of_a_url_has_no_secrets(main_rows: Path):
    url = "https://me:secret@example.org/rows.csv?X-Amz-Signature=secret#secret"
    assert describe_source(url) == {"name": "https://example.org/rows.csv"}
    assert describe_source("ftp://me:secret@example.org/r.csv")["name"] == "ftp://example.org/r.csv"
    assert describe_source("owner/name") == {"name": "owner/name"}
    assert list(describe_source(str(main_rows))) == ["name", "sha256"]
