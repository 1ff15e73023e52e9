"""Comments in many languages → training, validation and test rows."""

from pathlib import Path

import pandas as pd
import pytest

from finetune.config import JIGSAW_LABELS
from finetune.multilingual_rows import NEUTRAL, NEUTRAL_ALONE, main

CLEAN = dict.fromkeys(JIGSAW_LABELS, 0.0)
STATED = {"source": "forum", "licence": "CC0"}


def native(language: str, count: int, **labels: float) -> pd.DataFrame:
    rows = pd.DataFrame({"text": [f"{language} {len(labels)} comment {i}" for i in range(count)]})
    return rows.assign(**dict.fromkeys(JIGSAW_LABELS) | labels, language=language, **STATED)


def jigsaw(count: int, form: str = "original") -> pd.DataFrame:
    rows = pd.DataFrame({"comment_text": [f"{form} english {i}" for i in range(count)]})
    rows = rows.assign(**CLEAN, id=[f"{form}{i}" for i in range(count)], natural=False)
    return rows.assign(text_form=form, near_dup_of_test=False)


@pytest.fixture
def written(tmp_path: Path) -> dict[str, pd.DataFrame]:
    train = pd.concat([native("de", 5, toxic=1.0, insult=1.0), native("de", 3, **CLEAN)])
    train = pd.concat([train, native("cs", 4, **CLEAN)])
    one_sided = native("de", 4, toxic=1.0, identity_hate=1.0).assign(source="gahd")
    neutral = [native(name, 600, **CLEAN) for name in ("de", "cs")]
    for name, rows in {
        "train": train,
        "validation": pd.concat([native("de", 6, toxic=1.0), one_sided]),
        "test_half": native("de", 7, toxic=0.0),
        "neutral": pd.concat(neutral).drop_duplicates("text"),
        "neutral_test_half": native("sv", 3, **CLEAN),
    }.items():
        rows.astype(dict.fromkeys(JIGSAW_LABELS, float)).to_parquet(tmp_path / f"{name}.parquet")
    english = pd.concat([jigsaw(400), jigsaw(400, "lowercased")])
    english.loc[english.index < 100, "near_dup_of_test"] = True
    english.to_parquet(tmp_path / "english.parquet")
    test = jigsaw(4).assign(weight=[1.0, 1.0, 1.0, 5.0])
    test.to_parquet(tmp_path / "english_test.parquet")
    flags = ["--english", str(tmp_path / "english.parquet"), "--output", str(tmp_path)]
    flags += ["--english-test", str(tmp_path / "english_test.parquet")]
    polish = pd.concat([native("pl", 300, **CLEAN), native("pl", 100, toxic=1.0)])
    polish.to_parquet(tmp_path / "polish.parquet")
    flags += ["--also", str(tmp_path / "polish.parquet")]
    assert main([str(tmp_path), *flags]) == 0
    names = ("rows", "validation", "test", "neutral")
    return {name: pd.read_parquet(tmp_path / f"multilingual_{name}.parquet") for name in names}


def test_neutral_sentences_of_the_test_are_a_table_of_their_own(written):
    assert written["neutral"].language.tolist() == ["sv"] * 3
    assert "sv" not in set(written["test"].language)


def test_unknown_labels_stay_unknown(written):
    toxic = written["rows"].query("toxic == 1 and language == 'de'")
    assert (len(toxic), set(toxic.insult), toxic.threat.notna().sum()) == (5, {1.0}, 0)


def test_languages_without_toxic_rows_have_few_neutral_ones(written):
    counts = pd.concat([written["rows"], written["validation"]]).language.value_counts()
    assert counts["cs"] == 4 + NEUTRAL_ALONE
    assert counts["de"] == 8 + 10 + NEUTRAL


def test_a_tenth_of_the_original_english_comments_is_for_validation(written):
    english = written["validation"][written["validation"].language == "en"]
    assert 15 <= len(english) <= 45
    assert english.id.str.match(r"original\d{3}$").all()  # not the first hundred: nearly test rows
    assert not english.natural.any()
    assert written["validation"][written["validation"].language == "de"].natural.all()


def test_a_tenth_of_a_table_of_also_is_for_validation(written):
    train, held_out = (written[name].query("language == 'pl'") for name in ("rows", "validation"))
    assert len(train) + len(held_out) == 400
    assert 20 <= len(held_out) <= 60
    assert not set(train.comment_text) & set(held_out.comment_text)


def test_toxic_of_a_one_sided_source_does_not_count_in_validation(written):
    gahd = written["validation"][written["validation"].source == "gahd"]
    assert (gahd.toxic.notna().sum(), gahd.identity_hate.tolist()) == (0, [1.0] * 4)


def test_the_weights_of_the_english_test_rows_have_a_mean_of_one(written):
    test = written["test"]
    assert test[test.language == "en"].weight.tolist() == [0.5, 0.5, 0.5, 2.5]
    assert set(test[test.language == "de"].weight) == {1.0}
    assert "weight" not in written["rows"]
