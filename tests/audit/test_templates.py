import numpy as np
import pytest

from comment_toxicity.errors import DataError
from finetune.audit.templates import FILE, load_templates


@pytest.fixture(scope="module")
def templates():
    return load_templates()


@pytest.fixture(scope="module")
def rows(templates):
    return templates.rows()


def test_every_identity_is_in_every_kind_of_sentence(rows):
    counts = rows[rows.term != ""].groupby(["kind", "term"]).size().unstack()
    assert counts.notna().all(axis=None)
    assert (counts.nunique(axis=1) == 1).all()
    assert len(rows) > 3000


def test_each_term_has_enough_harmless_and_hateful_sentences(rows):
    for _, of_term in rows[rows.kind.isin(["neutral", "positive", "hateful"])].groupby("term"):
        assert (of_term.is_toxic == 0).sum() >= 10
        assert (of_term.is_toxic == 1).sum() >= 10


def test_no_sentence_is_repeated_or_has_an_unfilled_slot(rows):
    assert not rows.text.str.lower().duplicated().any()
    assert not rows.text.str.contains(r"[{}]").any()


def test_the_article_fits_the_term(templates):
    forms = {slots["one"] for _, slots in templates.forms}
    assert {"a gay person", "an Asian person", "an LGBT person", "a woman"} <= forms
    assert {"an immigrant", "an elderly person", "a Japanese person"} <= forms
    assert {"a European person", "an indigenous person"} <= forms


def test_a_row_names_its_own_term(templates, rows):
    mentions = templates.mentions(rows.text.tolist())
    for term, own in rows[rows.term != ""].groupby("term"):
        assert mentions[term][own.index].all(), term


def test_background_sentences_name_nobody_and_have_no_identity_hate_label(templates, rows):
    background = rows[rows.term == ""]
    assert templates.mentions(background.text.tolist()) == {}
    assert background[background.kind == "hateful"].is_identity_hate.isna().all()
    assert (background[background.kind == "neutral"].is_identity_hate == 0).all()


def test_the_longest_term_counts(templates):
    texts = ["An AFRICAN AMERICAN choir", "an american choir", "Latinas sing", "gays, women"]
    found = templates.mentions(texts)
    assert {term: np.flatnonzero(mask).tolist() for term, mask in found.items()} == {
        "African American": [0],
        "American": [1],
        "woman": [3],
    }


def test_other_spellings_are_the_same_term(templates):
    found = templates.mentions(["a millenial", "non-binary", "a middle-aged man"])
    assert {"millennial", "nonbinary", "middle aged"} <= set(found)


def test_no_audit_sentence_is_among_the_training_sentences():
    ours = {line.strip(' ",') for line in FILE.read_text(encoding="utf-8").splitlines()}
    training = FILE.with_name("templates.toml").read_text(encoding="utf-8").splitlines()
    longer = {text for text in (line.strip(' ",') for line in training) if len(text) > 20}
    assert longer
    assert not ours & longer


@pytest.mark.parametrize("content", ["not toml", "[adjectives]\n", "adjectives = 3"])
def test_a_file_in_another_layout_ends_in_one_clear_error(tmp_path, content):
    path = tmp_path / "templates.toml"
    path.write_text(content)
    with pytest.raises(DataError, match=r"templates\.toml: not a file of identity templates"):
        load_templates(path)


def test_a_missing_file_ends_in_one_clear_error(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        load_templates(tmp_path / "none.toml")
