"""What is trained on beside train_data: extra tables, passages, noise."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from comment_toxicity.errors import DataError
from finetune.config import Settings
from finetune.data.mix import (
    LONG,
    MOST_TIMES,
    by_language,
    count_sources,
    inserted,
    passage,
    read_extra,
    with_inserted,
    with_noise,
    with_passages,
    with_words,
)
from tests.finetune.splits import split_of


@pytest.fixture
def extra_rows(tmp_path: Path) -> Path:
    path = tmp_path / "extra.csv"
    pd.DataFrame(
        {
            "text": [f"extra comment {i}" for i in range(100)]
            + ["MAIN  comment 7", "MAIN comment 8"],
            "toxic": 1,
            "source": ["forum"] * 60 + ["tweets"] * 42,
            "licence": "CC0",
        }
    ).to_csv(path, index=False)
    return path


def test_extra_rows_are_trained_on_and_never_held_out(main_rows: Path, extra_rows: Path):
    alone = split_of(main_rows)
    mixed = split_of(main_rows, extra_data=[str(extra_rows)])
    pd.testing.assert_frame_equal(alone.validation, mixed.validation)
    pd.testing.assert_frame_equal(alone.test, mixed.test)
    extra = mixed.train[mixed.train.source.notna()]
    assert len(mixed.train) == len(alone.train) + len(extra)
    assert extra.threat.isna().all()


def test_an_extra_row_with_a_held_out_text_is_left_out(main_rows: Path, extra_rows: Path):
    split = split_of(main_rows, extra_data=[str(extra_rows)])
    held_out = set(split.validation.comment_text) | set(split.test.comment_text)
    for number in (7, 8):
        in_extra = (
            split.train.comment_text.str.split().str.join(" ") == f"MAIN comment {number}"
        ).any()
        assert in_extra == (f"main comment {number}" not in held_out)


def test_mix_sets_how_often_a_source_is_read(main_rows: Path, extra_rows: Path):
    mix = {"train_data": 2.0, "forum": 0.5, "tweets": 0.0}
    alone = split_of(main_rows)
    rows = split_of(main_rows, extra_data=[str(extra_rows)], mix=mix).train
    assert (rows.source.isna()).sum() == 2 * len(alone.train)
    assert 15 < (rows.source == "forum").sum() < 45
    assert not (rows.source == "tweets").any()


def test_mix_sets_how_often_long_comments_are_read_apart_from_short_ones(tmp_path: Path):
    rows = pd.DataFrame({"comment_text": [f"short {i}" for i in range(40)], "toxic": [0, 1] * 20})
    rows["threat"] = rows.toxic
    long = rows.assign(comment_text=[" ".join([f"word{i}"] * LONG) for i in range(40)])
    path = tmp_path / "main.parquet"
    pd.concat([rows, long]).to_parquet(path)

    def counts(**mix: float) -> list[int]:
        texts = split_of(path, mix=mix).train.comment_text
        return [int(texts.str.startswith(word).sum()) for word in ("short", "word")]

    short, long_ones = counts()
    assert counts(train_data=0.0, train_data_long=3.0) == [0, 3 * long_ones]
    assert counts(train_data=2.0) == [2 * short, 2 * long_ones]


def test_extra_rows_of_a_single_label_model_need_the_label_column(tmp_path: Path):
    main, blog = tmp_path / "main.parquet", tmp_path / "blog.parquet"
    texts = [f"main {i}" for i in range(40)]
    pd.DataFrame({"comment_text": texts, "mood": ["p", "n"] * 20}).to_parquet(main)
    more = pd.DataFrame({"text": list("abcde"), "mood": ["p", "n", "p", "n", None]})
    more.to_parquet(blog)
    given = {"label_column": "mood", "labels": ["bad", "good"], "label_mapping": {"n": 0, "p": 1}}
    given |= {"extra_data": [str(blog)]}
    train = split_of(main, **given).train
    assert train[train.source == "blog"].mood.tolist() == ["good", "bad", "good", "bad"]
    more.drop(columns="mood").to_parquet(blog)
    with pytest.raises(DataError, match=r"blog.*no column mood"):
        split_of(main, **given)


def test_every_extra_row_with_a_label_in_rare_is_kept(main_rows: Path, tmp_path: Path):
    table = pd.DataFrame({"text": [f"more {i}" for i in range(40)], "toxic": 1, "source": "forum"})
    table["threat"] = [1, 0, None, 0] * 10
    table.to_parquet(tmp_path / "forum.parquet")
    given = {"extra_data": [str(tmp_path / "forum.parquet")], "rare": {"threat": 0.5}}
    for often, expected in ((0.0, 10), (1.0, 40), (2.0, 80)):
        train = split_of(main_rows, **given, mix={"forum": often, "train_data": 0.5}).train
        assert (train.source == "forum").sum() == expected
        assert train.source.isna().sum() < len(split_of(main_rows).train)


def test_the_source_of_a_row_defaults_to_its_file(main_rows: Path, tmp_path: Path):
    table = pd.DataFrame({"text": ["more one", "more two"], "toxic": 1, "source": ["forum", None]})
    table.to_parquet(tmp_path / "blog.parquet")
    train = split_of(main_rows, extra_data=[str(tmp_path / "blog.parquet")]).train
    assert sorted(train.source.dropna()) == ["blog", "forum"]


def test_the_record_of_a_source_has_the_licence_if_one_is_stated():
    columns = {"source": ["forum", "blog", None], "licence": [None, "CC0", None]}
    found = count_sources(pd.DataFrame(columns))
    assert found == {"blog": {"rows": 1, "licence": "CC0"}, "forum": {"rows": 1}}


def test_an_empty_mix_ends_in_one_clear_error(main_rows: Path):
    with pytest.raises(DataError, match="the training rows have no positive row"):
        split_of(main_rows, mix={"train_data": 0.0})


@pytest.mark.parametrize("setting", ["mix", "teacher_share"])
def test_the_error_for_an_unknown_source_lists_the_known_ones(
    setting: str, main_rows: Path, extra_rows: Path
):
    with pytest.raises(DataError, match=rf"{setting} names blog.*forum, tweets"):
        split_of(main_rows, extra_data=[str(extra_rows)], **{setting: {"blog": 1.0}})


def test_a_passage_is_some_consecutive_sentences():
    text = "Good page. Who wrote it?\nYou fool! Go."
    draws = np.random.default_rng(0)
    found = {passage(text, draws) for _ in range(200)}
    assert {"Good page.", "Who wrote it?\nYou fool!", "Who wrote it?\nYou fool! Go."} <= found
    assert all(one and one in text and one != text for one in found)
    assert passage("One sentence only", draws) == ""


def test_passages_of_train_data_are_added_without_labels(rows: pd.DataFrame):
    rows.loc[0, "comment_text"] = "Good page. I like it."
    rows.loc[1, "comment_text"] = "Of a forum. Not of the main rows."
    settings = Settings(labels=["toxic", "threat"], passages=20.0)
    found = with_passages(rows, settings)
    pd.testing.assert_frame_equal(found.iloc[: len(rows)], rows)
    added = found.iloc[len(rows) :]
    assert set(added.comment_text) == {"Good page.", "I like it."}
    assert added[settings.labels].isna().all(axis=None)
    assert with_passages(rows, Settings()) is rows


def test_an_inserted_comment_stands_between_sentences():
    host = "Good page. Who wrote it? I like it."
    draws = np.random.default_rng(0)
    found = {inserted("You fool!", host, draws).replace("\n\n", " ") for _ in range(200)}
    assert {"You fool! " + host, "Good page. You fool! Who wrote it? I like it."} <= found
    assert all("You fool!" in text for text in found)


def test_what_is_inserted_keeps_its_labels_and_its_source(rows: pd.DataFrame):
    rows["source"] = "forum"
    rows.loc[0, ["comment_text", "toxic", "threat"]] = ["I break you!", np.nan, 1]
    rows.loc[1, ["comment_text", "toxic", "threat"]] = ["A calm sentence. " * 40, 0, 0]
    settings = Settings(labels=["toxic", "threat"], inserted=5)
    found = with_inserted(rows, settings)
    pd.testing.assert_frame_equal(found.iloc[: len(rows)], rows)
    added = found.iloc[len(rows) :]
    assert len(added) == 5 * len(rows)
    assert added.comment_text.str.contains("A calm sentence.").all()
    threats = added[added.comment_text.str.contains("I break you!")]
    assert len(threats) and (threats.threat == 1).all() and threats.toxic.isna().all()
    assert (added.source == "forum").all()
    assert with_inserted(rows, Settings()) is rows


def test_no_passage_is_a_held_out_comment(main_rows: Path):
    """Each comment has three sentences, one of which is also a comment of its own."""
    number = np.arange(300)
    short = [f"A sentence that stands alone, number {i % 150}." for i in number]
    around = "This is said before it. {} And this is said after it."
    pd.DataFrame(
        {
            "comment_text": [*short[:150], *(around.format(text) for text in short[150:])],
            "toxic": number % 3 == 0,
            "threat": number % 5 == 0,
        }
    ).astype({"toxic": int, "threat": int}).to_csv(main_rows, index=False)
    settings = {"labels": ["toxic", "threat"], "passages": 3.0, "teachers": ["toxic-minilm"]}
    split = split_of(main_rows, **settings)
    held_out = set(split.validation.comment_text) | set(split.test.comment_text)
    assert not set(split.train.comment_text) & held_out


def in_languages(**counts: int) -> pd.DataFrame:
    names = [name for name, count in counts.items() for _ in range(count)]
    return pd.DataFrame({"comment_text": map(str, range(len(names))), "toxic": 0.0, "lang": names})


def test_languages_are_mixed_by_temperature():
    rows = in_languages(de=1600, da=400)
    settings = Settings(labels=["toxic"], language_column="lang", language_temperature=2)
    mixed = by_language(rows, settings)
    counts = mixed.lang.value_counts()
    assert abs(counts["de"] / counts["da"] - 2) < 0.1  # square roots: 40 to 20
    assert abs(len(mixed) - 2000) < 60
    assert mixed.comment_text[mixed.lang == "da"].nunique() == 400  # each once or twice
    pd.testing.assert_frame_equal(mixed, by_language(rows, settings))


def test_a_rare_language_is_not_learnt_by_heart():
    settings = Settings(labels=["toxic"], language_column="lang", language_temperature=100)
    counts = by_language(in_languages(de=1000, it=10), settings).lang.value_counts()
    assert counts["it"] == 10 * MOST_TIMES


def test_without_a_temperature_languages_stay_as_they_are():
    rows = in_languages(de=10, it=1)
    assert by_language(rows, Settings(labels=["toxic"], language_column="lang")) is rows


def test_rows_of_tables_without_a_language_are_of_the_main_language(
    main_rows: Path, tmp_path: Path
):
    table = pd.DataFrame({"text": [f"mehr {i}" for i in range(30)], "toxic": 1, "lang": "de"})
    table.to_parquet(tmp_path / "forum.parquet")
    given = {"extra_data": [str(tmp_path / "forum.parquet")], "language_column": "lang"}
    assert split_of(main_rows, **given).train.lang.dropna().tolist() == ["de"] * 30
    mixed = split_of(main_rows, **given, language_temperature=100, main_language="de").train
    alone = split_of(main_rows, **given, main_language="de").train
    assert len(mixed) == len(alone)  # one language: nothing to mix


def test_noise_changes_the_share_of_rows_that_is_set():
    rows = pd.DataFrame({"comment_text": ["You are a complete idiot."] * 1000})
    changed = with_noise(rows, Settings(noise=0.2)).comment_text != rows.comment_text
    assert 0.15 < changed.mean() < 0.25


def test_the_source_of_a_url_is_the_name_of_its_file(monkeypatch):
    table = pd.DataFrame({"comment_text": ["hi"], "toxic": [1]})
    monkeypatch.setattr("finetune.data.mix.read_table", lambda *_: table)
    url = "https://example.org/rows.csv?key=secret&v=1.0"
    rows = read_extra(Settings(labels=["toxic"], extra_data=[url]))
    assert rows.source.tolist() == ["rows"]


def test_extra_comments_are_in_the_column_text_or_else_in_text_column(monkeypatch):
    table = pd.DataFrame({"comment_text": ["hi"], "toxic": [1]})
    settings = Settings(labels=["toxic"], extra_data=["table"])
    monkeypatch.setattr("finetune.data.mix.read_table", lambda *_: table)
    assert read_extra(settings).comment_text.tolist() == ["hi"]
    table["text"] = "ho"
    assert read_extra(settings).comment_text.tolist() == ["ho"]


def test_a_configuration_of_a_hub_dataset_is_a_source_of_its_own(monkeypatch):
    table = pd.DataFrame({"text": ["you fool"], "toxic": 1, "threat": 0})
    monkeypatch.setattr("finetune.data.mix.read_table", lambda *_: table)
    given = {"labels": ["toxic", "threat"], "extra_data": ["a/b:en/train", "c/d:en/train"]}
    assert read_extra(Settings(**given))["source"].tolist() == ["b:en/train", "d:en/train"]


def test_rows_without_the_trained_words_are_left_out():
    texts = ["the Dikes hold", "a dike, and dikes", "klondike", "", "Dijkstra"]
    rows = pd.DataFrame({"comment_text": texts})
    kept = with_words(rows, Settings(train_words=["dike"]))
    assert kept["comment_text"].tolist() == texts[:2]
    assert with_words(rows, Settings()) is rows
