"""Noise in words: each kind changes a text, and repeats with its seed."""

import unicodedata
from itertools import pairwise

import numpy as np
import pytest

from finetune.data.noise import ANY_SCRIPT, KINDS, add_noise

TEXT = "You are a complete idiot, and everybody here knows that."


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_noise_changes_a_text_the_same_way_each_time(kind: str):
    changed = KINDS[kind](TEXT, np.random.default_rng(5))
    assert changed != TEXT
    assert changed == KINDS[kind](TEXT, np.random.default_rng(5))
    assert KINDS[kind]("", np.random.default_rng(5)) == ""


def test_every_kind_of_noise_is_used():
    assert add_noise(TEXT, np.random.default_rng(1)) != TEXT


OTHERS = {
    "Russian": "Ты полный дурак, уходи отсюда",
    "Hindi": "तुम मूर्ख आदमी हो",
    "Korean": "너 정말 바보 같은 사람",
    "Chinese": "你这个大傻瓜快滚开",
    "Arabic": "أنت غبي جدا اذهب",
    "Thai": "คุณเป็นคนโง่มาก",
}


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("kind", ANY_SCRIPT)
def test_a_disguise_works_in_every_script_and_splits_no_letter_from_its_signs(kind, language):
    text = OTHERS[language]
    for seed in range(8):
        changed = KINDS[kind](text, np.random.default_rng(seed))
        assert changed != text or kind == "misspelling"  # two equal letters can be swapped
        inserted = " .-*_,'\u200b\u200c\u200d\u2060\u00ad"
        for before, letter in pairwise(changed):
            assert not (unicodedata.category(letter)[0] == "M" and before in inserted)
        assert set(changed) <= set(text) | set(inserted)


def test_cyrillic_words_are_disguised_by_digits_and_latin_letters():
    text = OTHERS["Russian"]
    for kind in ("leetspeak", "homoglyphs"):
        added = set(KINDS[kind](text, np.random.default_rng(2))) - set(text)
        assert added
        assert all(character.isascii() for character in added)


def test_a_kind_that_a_script_does_not_have_is_replaced_by_another():
    text = OTHERS["Chinese"]
    assert KINDS["case"](text, np.random.default_rng(1)) == text
    assert all(add_noise(text, np.random.default_rng(seed)) != text for seed in range(40))
