"""Rows of JSON, however they are laid out."""

import gzip
import json

import pytest

from comment_toxicity.errors import DataError
from comment_toxicity.files import json_rows
from comment_toxicity.files.read import open_input
from tests.comment_toxicity.tables import fails

ROWS = [
    {"text": 'he said "}" and [', "more": {"a": [1, {"b": None}]}},
    {"text": "back\\slash\\"},
    {"text": "ü, 😀", "id": 2**70},
]


def opened(tmp_path, content, name="in.jsonl"):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with open_input(str(tmp_path / name), "csv") as rows:
        [chunk] = rows.chunks("text")
    return chunk


LAYOUTS = {
    "lines": "\n".join(map(json.dumps, ROWS)),
    "commas": ",\r\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS) + ",\n",
    "array": json.dumps(ROWS),
    "array of lines": "[" + ",\n".join(map(json.dumps, ROWS)) + "]\n",
    "spread array": json.dumps(ROWS, indent=2, ensure_ascii=False),
    "spread objects": "\n\n".join(json.dumps(row, indent=2) for row in ROWS),
    "spread objects with commas": ",\n".join(json.dumps(row, indent=2) for row in ROWS),
}


@pytest.mark.parametrize("block", [1, 7, 1 << 16])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_layout_gives_the_same_rows(tmp_path, monkeypatch, layout, encoding, block):
    monkeypatch.setattr(json_rows, "BLOCK", block)
    chunk = opened(tmp_path, LAYOUTS[layout].encode(encoding))
    assert chunk.cells == ROWS
    assert chunk.reasons == [None] * 3


def test_a_compressed_array_is_read(tmp_path):
    assert len(opened(tmp_path, gzip.compress(b'[{"text": "a"}]'), "in.json.gz").texts) == 1


def test_elements_that_are_no_objects_keep_their_position_with_their_line(tmp_path):
    chunk = opened(
        tmp_path, '[\n{"text": "a"},\nnull, 3,\n"b", [{}],\n{"text": b},\n{"text": "c"}]'
    )
    assert chunk.texts == ["a", None, None, None, None, None, "c"]
    assert chunk.reasons[1:6] == [
        "line 3: not a JSON object",
        "line 3: not a JSON object",
        "line 4: not a JSON object",
        "line 4: not a JSON object",
        "line 5: not JSON",
    ]


def test_a_broken_first_line_does_not_swallow_the_others(tmp_path):
    chunk = opened(tmp_path, '{"text": "a", "n": {"b": 1}\n{"text": "b"}\n{"text": "c"}\n')
    assert chunk.texts == [None, "b", "c"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"text": "a"},\n{"text": "b"', "line 2: an object that does not end"),
        ('[{"text": "a"},\n{"text": "b"}', "the array does not end"),
        ('[{"text": "a"}]\n]', "line 2: a ] that nothing opens"),
        ('["a", "b"]\n["c"]', "none of its first lines is a JSON object (line 1: not a JSON"),
        ("[]", "is empty"),
    ],
)
def test_json_that_is_cut_off_ends_in_one_clear_error(tmp_path, score, content, message):
    (tmp_path / "in.json").write_text(content)
    found = fails(score, tmp_path, tmp_path / "in.json", "--output", tmp_path / "o.csv")
    assert message in found


@pytest.mark.usefixtures("short_cells")
def test_an_object_without_end_does_not_fill_the_memory(tmp_path):
    with pytest.raises(DataError, match="line 1: more than 1,000 characters in one object"):
        opened(tmp_path, '[{"text": "' + "a" * 1_000_000)


def test_nan_is_null_and_what_is_no_text_is_not_scored(tmp_path):
    chunk = opened(
        tmp_path,
        '{"text": NaN, "n": NaN}\n{"text": Infinity}\n{"text": 7}\n{"text": {"a": "b"}}\n'
        '{"text": ["a"]}\n{"text": false}\n{"text": "yes", "n": -Infinity}\n',
    )
    assert chunk.cells[0] == {"text": None, "n": None}
    assert chunk.reasons[0] == "blank"
    assert chunk.reasons[1:6] == [f"line {line}: its text is not a text" for line in range(2, 7)]
    assert chunk.texts[6] == "yes"
