"""Several models: which one scores a text, and that it scores it as it would alone."""

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from comment_toxicity import load_classifier
from comment_toxicity.__main__ import main
from comment_toxicity.batch import Scorer
from comment_toxicity.decision import Decision
from comment_toxicity.errors import SettingsError
from comment_toxicity.explain import explain_flags
from comment_toxicity.routing import Models, load_models, model_names

GERMAN = "Das ist wirklich ein sehr schöner Tag, und ich danke euch allen dafür."
ENGLISH = "This is really a very nice day, and I thank you all for it."
FINNISH = "Tämä on todella mukava päivä, ja kiitän teitä kaikkia siitä."
TEXTS = [GERMAN, ENGLISH, "", FINNISH, "lol wtf bro"]


def made(exported: Path, folder: Path, languages: str, slope: float) -> str:
    """A copy of the tiny model that says which languages it reads, with other scores."""
    shutil.copytree(exported, folder)
    (folder / "README.md").write_text(f"---\nlanguage:{languages}\n---\n\n# A model\n")
    decision = Decision.load(folder)
    labels = {name: replace(label, slope=slope) for name, label in decision.labels.items()}
    replace(decision, labels=labels).save(folder)
    return str(folder)


@pytest.fixture
def names(exported: Path, tmp_path: Path) -> tuple[str, str]:
    english = made(exported, tmp_path / "english", " en", 0.5)
    return english, made(exported, tmp_path / "many", "\n- en\n- de\n- hi", 1.5)


@pytest.fixture
def models(names) -> Models:
    return load_models(",".join(names))


def test_each_text_goes_to_the_first_model_that_reads_its_language(models, names):
    english, many = names
    assert models.languages(TEXTS) == ["de", "en", None, "fi", "en"]
    answering = [models.of(code).name for code in ("en-US", "de-AT", "hi-Latn", "fi", None)]
    assert answering == [english, many, many, english, english]
    assert models.served == ["en", "de", "hi"]


def test_scores_are_those_of_the_model_alone(models, names):
    english, many = map(load_classifier, names)
    scores = models.score(TEXTS)
    np.testing.assert_array_equal(scores[[1, 3, 4]], english.score(TEXTS)[[1, 3, 4]])
    np.testing.assert_array_equal(scores[0], many.score(TEXTS)[0])
    assert np.isnan(scores[2]).all()


def test_the_operator_chooses_the_languages(names):
    classifiers = [load_classifier(name) for name in names]
    assert Models(classifiers, ["de"]).served == ["de"]
    assert Models(classifiers[:1], ["sv", "da"]).of("sv") is classifiers[0]
    with pytest.raises(SettingsError, match="reads sv"):
        Models(classifiers, ["en", "sv"])


def test_models_with_other_labels_are_refused(models):
    other = load_classifier(models.first.name)
    other.folder.labels[:] = [*other.labels[1:], other.labels[0]]
    with pytest.raises(SettingsError, match="different labels"):
        Models([models.first, other])


def test_a_folder_with_a_comma_is_one_model(tmp_path, monkeypatch):
    (tmp_path / "a,b").mkdir()
    monkeypatch.chdir(tmp_path)
    assert model_names("a,b") == ["a,b"]
    assert model_names("a, c,,a") == ["a", "c"]


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_the_command_scores_each_row_by_its_model_and_says_which(names, tmp_path, ending):
    source = tmp_path / "in.jsonl"
    lines = [json.dumps({"comment_text": text, "model": "own"}) for text in TEXTS]
    source.write_text("\n".join(lines), encoding="utf-8")
    if ending == "parquet":
        assert main(["score", str(source), "--output", str(tmp_path / "in.parquet")]) == 0
        source = tmp_path / "in.parquet"
    output = tmp_path / f"out.{ending}"
    assert main(["score", str(source), "--output", str(output), "--model", ",".join(names)]) == 0
    if ending == "parquet":
        rows = pyarrow.parquet.read_table(output).to_pylist()
    else:
        rows = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    english, many = names
    assert [row["model_1"] for row in rows] == [many, english, None, english, english]
    assert [row["language"] for row in rows] == ["de", "en", None, "fi", "en"]
    assert {row["model"] for row in rows} == {"own"}


def test_an_explanation_says_which_model_and_language(models, names):
    found = explain_flags(models, GERMAN)
    assert (found["model"], found["language"]) == (names[1], "de")


def test_models_arrive_in_another_process_as_they_were(models):
    arrived = pickle.loads(pickle.dumps(models))  # our own bytes
    assert arrived.name == models.name and arrived.served == models.served
    np.testing.assert_array_equal(arrived.score(TEXTS), models.score(TEXTS))
    again = models.sent(threads=1).load()
    np.testing.assert_array_equal(again.score(TEXTS), models.score(TEXTS))


def test_a_scorer_of_several_models_adds_the_columns_of_the_command(names, tmp_path):
    table = pyarrow.table({"model": range(len(TEXTS)), "text": TEXTS})
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet")
    output = tmp_path / "out.parquet"
    main(
        ["score", str(tmp_path / "in.parquet"), "--output", str(output), "--model", ",".join(names)]
    )
    scorer = Scorer(",".join(names), text_column="text")
    scored = scorer(table)
    assert scored.equals(pyarrow.parquet.read_table(output).cast(scored.schema))
    assert scored["language"].to_pylist() == ["de", "en", None, "fi", "en"]
    assert scored.schema == scorer.schema(table.schema)
    frame = scorer(table.to_pandas())
    assert list(frame.columns) == scored.column_names
    assert frame["model_1"].fillna("").tolist() == [
        name or "" for name in scored["model_1"].to_pylist()
    ]
