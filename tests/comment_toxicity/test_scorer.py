"""Scorer: batches of any engine get the columns that the command `score` adds."""

import multiprocessing
import pickle
import subprocess
import sys

import numpy as np
import pandas
import pyarrow
import pyarrow.parquet
import pytest

from comment_toxicity import DataError, ModelError, batch
from comment_toxicity.batch import Scorer
from comment_toxicity.files.score import score_file
from tests.comment_toxicity.tables import SCORES
from tests.running import ROOT

TEXTS = ["you idiot", None, "  ", "thanks", "go away", "you idiot"]


@pytest.fixture
def scorer(exported):
    return Scorer(exported, text_column="text")


@pytest.fixture(scope="module")
def table():
    return pyarrow.table({"id": pyarrow.array(range(6), pyarrow.int8()), "text": TEXTS})


def test_a_table_gets_the_columns_and_bits_of_the_command(scorer, table, tiny, tmp_path):
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet")
    score_file(tiny, str(tmp_path / "in.parquet"), str(tmp_path / "out.parquet"))
    expected = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    scored = scorer(table)
    assert scored.column_names == ["id", "text", *SCORES, "flags", "reason"]
    assert scored.equals(expected.cast(scored.schema))
    assert scored["reason"].to_pylist() == [None, "blank", "blank", None, None, None]
    assert scored["toxic_score"].null_count == scored["flags"].null_count == 2


def test_a_record_batch_and_a_data_frame_get_the_same(scorer, table):
    scored = scorer(table)
    [record_batch] = table.to_batches()
    assert scorer(record_batch).equals(scored.combine_chunks().to_batches()[0])
    frame = table.to_pandas().set_index(pandas.Index(list("fedcba")))
    result = scorer(frame)
    assert list(result.index) == list("fedcba")
    assert list(result.columns) == scored.column_names
    assert np.array_equal(result[SCORES], scored.select(SCORES).to_pandas(), equal_nan=True)
    assert result[SCORES].dtypes.eq("float32").all()
    columns = ["flags", "reason"]
    assert result[columns].astype(object).where(result[columns].notna(), None).to_dict("list") == {
        name: scored[name].to_pylist() for name in columns
    }
    assert list(frame.columns) == ["id", "text"]


def test_cells_of_a_data_frame_that_are_no_texts_have_a_reason(scorer):
    cells = ["you", 7, {"a": 1}, b"you", pandas.NA, float("nan")]
    result = scorer(pandas.DataFrame({"text": pandas.Series(cells, dtype=object), 5: 0}))
    reasons = ["", *(["not a text"] * 3), *(["blank"] * 2)]
    assert result["reason"].fillna("").tolist() == reasons
    assert result["toxic_score"].notna().tolist() == [not reason for reason in reasons]


@pytest.mark.parametrize("text", [" ", "thanks", "you idiot"])
def test_every_data_frame_gets_columns_of_the_same_types(scorer, text):
    """Dask takes those of the first row for all; with None alone, pandas would have objects."""
    result = scorer(pandas.DataFrame({"text": [text]}))
    assert result[["flags", "reason"]].dtypes.eq("string").all()


@pytest.mark.parametrize("rows", [0, 6])
def test_every_batch_has_the_promised_schema(scorer, table, rows, monkeypatch):
    part = table.slice(0, rows)
    with monkeypatch.context() as patch:
        patch.setattr(batch, "_loaded", None)  # no model is needed for it
        schema = scorer.schema(part.schema)
    assert scorer(part).schema == schema
    [record_batch] = part.to_batches() or [pyarrow.RecordBatch.from_pylist([], part.schema)]
    result = scorer(record_batch)
    assert (result.schema, result.num_rows) == (schema, rows)


def test_columns_of_the_same_name_are_kept(scorer):
    own = {"text": ["you"], "flags": ["red"], "toxic_score": [7]}
    for scored in (scorer(pyarrow.table(own)), scorer(pandas.DataFrame(own))):
        columns = scored if isinstance(scored, pandas.DataFrame) else scored.to_pandas()
        assert (columns["flags"][0], columns["toxic_score"][0]) == ("red", 7)
        assert {"flags_1", "toxic_score_1"} <= set(columns)


def test_a_batch_that_cannot_be_scored_is_refused(scorer, exported):
    with pytest.raises(DataError, match=r"no column text \(found words\)"):
        scorer(pyarrow.table({"words": ["you"]}))
    with pytest.raises(DataError, match="column text holds int64, not text"):
        scorer(pyarrow.table({"text": [1]}))
    with pytest.raises(TypeError, match="Arrow table or a pandas DataFrame, not dict"):
        scorer({"text": np.array(["you"])})
    with pytest.raises(ModelError, match="No model 'nobodys'"):
        Scorer("nobodys")


def test_workers_of_a_process_pool_score_to_the_last_bit(scorer, table):
    parts = [table.slice(start, 2) for start in (0, 2, 4)]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        scored = pool.map(scorer, parts)
    assert pyarrow.concat_tables(scored).equals(scorer(table))


def test_copies_of_a_scorer_share_one_model_and_few_are_kept(scorer, exported, table, monkeypatch):
    monkeypatch.setattr(batch, "_loaded", {})
    scorer(table)
    pickle.loads(pickle.dumps(scorer))(table)
    assert len(batch._loaded) == 1
    for threads in (2, 3, 4):
        Scorer(exported, "text", threads)(table)
    assert len(batch._loaded) == batch.KEPT


def test_no_engine_is_imported():
    code = "import sys, comment_toxicity.batch; print(*sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    engines = {"ray", "pyspark", "dask", "pandas", "pyarrow", "torch"}
    assert engines.isdisjoint(answer.stdout.split())
