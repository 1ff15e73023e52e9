"""Sentences with slots become rows; the shipped ones are balanced and not in any audit."""

from pathlib import Path

import pandas as pd
import pytest

from comment_toxicity.errors import DataError
from finetune.audit.everyday_rows import load_everyday
from finetune.audit.languages import load_sentences
from finetune.config import Settings
from finetune.data.split import text_key
from finetune.data.templates import read_templates
from finetune.rated_sentences import nearly_in
from tests.running import ROOT

TEMPLATES = """
[identities]
adjective = ["gay", "deaf", "old"]
[slots]
insult = ["idiot", "moron"]
[[sentences]]
labels = { toxic = 0, threat = 0 }
texts = ["a {adjective} neighbour"]
[[sentences]]
labels = { toxic = 1 }
texts = ["you {insult}", "go away"]
"""


def test_each_sentence_is_filled_once_with_each_identity(tmp_path: Path):
    path = tmp_path / "templates.toml"
    path.write_text(TEMPLATES)
    rows = read_templates(path)
    neutral = rows[rows.toxic == 0].text.str.lower()
    assert set(neutral) == {"a gay neighbour", "a deaf neighbour", "an old neighbour"}
    assert rows[rows.toxic == 1].threat.isna().all()
    assert rows.text.str.lower().isin(["you idiot", "you moron", "go away"]).sum() >= 3
    assert set(rows.source) == {"templates"}
    pd.testing.assert_frame_equal(rows, read_templates(path))


def test_sentences_can_be_in_another_language_and_keep_their_words(tmp_path: Path):
    path = tmp_path / "templates.toml"
    labels = "labels = { toxic = 0 }"
    portuguese = (
        f'[[sentences]]\nlanguage = "pt"\n{labels}\ntexts = ["respondi a outra {{adjective}}"]'
    )
    path.write_text(TEMPLATES + portuguese)
    rows = read_templates(path)
    mine = rows[rows.language == "pt"].text.str.lower()
    assert set(mine) == {"respondi a outra gay", "respondi a outra deaf", "respondi a outra old"}
    assert rows.language.isna().sum() == len(rows) - 3


def test_templates_that_cannot_be_filled_end_in_one_clear_error(tmp_path: Path):
    path = tmp_path / "templates.toml"
    path.write_text(TEMPLATES.replace("{insult}", "{noun}"))
    with pytest.raises(DataError, match="no slot noun"):
        read_templates(path)
    for broken in ("[slots]", TEMPLATES.replace("{ toxic = 1 }", "1"), "identities = 1\n[slots]"):
        path.write_text(broken)
        with pytest.raises(DataError, match="not a file of templates"):
            read_templates(path)


def test_the_shipped_templates_treat_each_identity_alike():
    rows = read_templates(ROOT / "data" / "templates.toml")
    for word in ("gay", "deaf", "Muslim", "black"):
        of_word = rows[rows.text.str.contains(rf"\b{word}\b")]
        assert 0.2 < (of_word.toxic == 1).mean() < 0.5


def test_templates_of_a_language_treat_its_identities_alike_and_are_not_measured():
    rows = read_templates(ROOT / "data" / "language_templates.toml")
    shares = rows.groupby("language").toxic.mean()
    assert shares.between(0.4, 0.5).all()
    measured = load_sentences()
    assert set(shares.index) == set(measured.language)
    assert not text_key(rows.text).isin(text_key(measured.text)).any()


def test_the_shipped_threats_have_harmless_sentences_in_the_same_words():
    rows = read_templates(ROOT / "data" / "threat_templates.toml")
    assert rows[["toxic", "threat"]].notna().all(axis=None)
    for words in ("kill", "burn", "shoot", "know where you live", "your back", "regret"):
        of_words = rows[rows.text.str.contains(words, case=False)]
        assert set(of_words.threat) == {0, 1}


def test_no_threat_of_the_audit_is_among_the_training_rows():
    measured = pd.read_csv(ROOT / "data" / "threats.csv").comment_text.tolist()
    trained = pd.read_csv(ROOT / "data" / "threat_sentences.csv").text
    assert not nearly_in(trained.tolist(), measured).any()
    filled = read_templates(ROOT / "data" / "threat_templates.toml").text
    assert not text_key(filled).isin(text_key(pd.Series(measured))).any()


def test_the_shipped_everyday_sentences_are_labelled_and_not_measured():
    rows = pd.read_csv(ROOT / "data" / "everyday_sentences.csv")
    assert not rows.text.str.lower().duplicated().any()
    assert rows.toxic.isin([0, 1]).all()
    assert (rows[rows.toxic == 0][["severe_toxic", "threat", "insult"]] == 0).all(axis=None)
    abusive = rows[rows.toxic == 1]
    assert ((abusive.insult == 1) | (abusive.threat == 1)).all()
    of_one_sentence = rows[rows.kind.isin(["insult", "threat"])]
    assert of_one_sentence.text.str.split().str.len().max() <= 20
    for file in ("threats.csv", "sample.csv"):
        measured = pd.read_csv(ROOT / "data" / file).comment_text.tolist()
        near = nearly_in(rows.text.tolist(), measured)
        assert not near.any(), rows.text[near].tolist()


def test_the_ambiguous_sentences_have_both_meanings_and_are_not_measured():
    rows = pd.read_csv(ROOT / "data" / "ambiguous_sentences.csv")
    assert not rows.text.str.lower().duplicated().any()
    assert (rows[rows.toxic == 0][Settings().labels] == 0).all(axis=None)
    assert (rows[rows.toxic == 1][["threat", "insult"]].sum(axis=1) > 0).all()
    assert (rows.groupby("kind").toxic.nunique() == 2).all()
    everyday = load_everyday()
    measured = everyday.text[everyday.part == "harmless"].tolist()
    for file in ("threats.csv", "sample.csv"):
        measured += pd.read_csv(ROOT / "data" / file).comment_text.tolist()
    near = nearly_in(rows.text.tolist(), measured)
    assert not near.any(), rows.text[near].tolist()
