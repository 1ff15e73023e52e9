"""benchmarks/: each has its help, and prints its tables of small models. No speed is tested."""

import argparse
import functools

import pandas as pd
import pytest

from tests.running import ROOT, python


@pytest.fixture
def common(monkeypatch):
    """The module as the benchmarks import it: they are started as files."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import common

    return common


@pytest.fixture
def small_bert_base(monkeypatch):
    """What the benchmarks call bert-base has one narrow layer."""
    import transformers

    small = functools.partial(
        transformers.BertConfig,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    monkeypatch.setattr(transformers, "BertConfig", small)


@pytest.mark.parametrize("name", ["scoring", "cold_start", "training", "load", "sessions", "scale"])
def test_each_benchmark_explains_itself(name):
    answer = python(f"benchmarks/{name}.py", "--help")
    assert answer.returncode == 0, answer.stderr
    about = answer.stdout.partition("\n\n")[2].partition("\n\n")[0]
    assert about.endswith("."), about  # a whole sentence
    assert "--" in answer.stdout


def test_scoring_prints_a_row_for_each_method_and_the_matrix_rates(
    common, small_bert_base, tiny_base, monkeypatch, capsys
):
    import scoring

    few = ["--comments", "2", "--rounds", "1", "--seconds", "0"]
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("sys.argv", ["scoring.py", "--model", str(tiny_base), *few])
    assert scoring.main() == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split("|")[1].strip() for line in lines if line[:1] == "|"]
    assert rows[2:6] == [
        "ours",
        "bert-base, one call a text",
        "bert-base, pipeline, batches of 16",
        "our model in torch, one call a text",
    ]
    assert rows[8:] == ["fp32", "bf16", "int8"]


def test_an_unknown_model_ends_in_one_clear_error():
    answer = python("benchmarks/scoring.py", "--model", "no/such/model")
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: ")
    assert "no/such/model" in answer.stderr
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["training.py", "--text-column", "body"], "no column body"),
        (["training.py", "--data", "few.csv"], "2 comments, but a step takes 16"),
        (["scoring.py", "--rounds", "0"], "0 is too few"),
    ],
)
def test_unusable_input_ends_in_one_clear_error(tmp_path, flags, message):
    (tmp_path / "few.csv").write_text("comment_text\nhello\nthank you\n")  # no labels are needed
    script, *others = [str(tmp_path / flag) if flag == "few.csv" else flag for flag in flags]
    answer = python(f"benchmarks/{script}", *others)
    assert answer.returncode == 2
    assert message in answer.stderr.splitlines()[-1]
    assert "Traceback" not in answer.stderr


def test_the_workers_of_scale_share_the_comments_out(common, tmp_path):
    from scale import FILES_PER_WORKER, write_comments

    write_comments(tmp_path / "two", ["one", "two\nlines", "three"], 2, 10)
    files = sorted((tmp_path / "two").iterdir())
    rows = [len(pd.read_csv(file)) for file in files]
    assert len(files) == 2 * FILES_PER_WORKER
    assert sum(rows) == 20
    assert max(rows) - min(rows) <= 1


def test_scale_prints_the_rate_of_each_number_of_workers(common, exported, monkeypatch, capsys):
    import scale

    few = ["--comments", "8", "--rounds", "1", "--workers", "1"]
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("sys.argv", ["scale.py", "--model", str(exported), *few])
    assert scale.main() == 0
    assert capsys.readouterr().out.splitlines()[2].startswith("| processes |       1 |")


def test_a_process_start_has_a_time_and_a_peak_memory(common):
    from cold_start import start

    seconds, peak = start("held = bytearray(50_000_000)")
    assert seconds > 0
    assert 50e6 < peak < 150e6


def test_a_table_is_markdown_with_its_columns_aligned(common, capsys):
    common.print_table(["method", "texts/s"], [["ours", 1234.5], ["theirs", 6.789]])
    assert capsys.readouterr().out.splitlines() == [
        "| method | texts/s |",
        "|--------|--------:|",
        "| ours   |   1,234 |",
        "| theirs |    6.79 |",
    ]


def test_training_minilm_is_a_share_of_the_matrix_rate(common, monkeypatch, capsys):
    import training

    monkeypatch.setattr(training, "MINILM_TOKENS", 4)
    training.measure_minilm(argparse.Namespace(steps=1, seconds=0))
    header, _, row = [line for line in capsys.readouterr().out.splitlines() if line[:1] == "|"]
    assert header.split("|")[-2].strip() == "share"
    assert 0 < float(row.split("|")[-2]) < 2


def test_comments_are_as_long_as_those_of_the_file(common, tmp_path):
    texts = pd.Series(["a" * length for length in range(1, 1001)])
    table = tmp_path / "comments.csv"
    pd.DataFrame({"comment_text": texts.sample(frac=1, random_state=3)}).to_csv(table)
    lengths = common.read_comments(str(table), "comment_text", 10)["comment_text"].str.len()
    assert sorted(lengths) == [51, 151, 251, 351, 451, 551, 651, 751, 851, 951]
    assert lengths.tolist() != sorted(lengths)
    assert len(common.read_comments(str(table), "comment_text", 2000)) == 1000
