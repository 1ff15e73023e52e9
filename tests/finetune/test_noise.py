"""Noise in words: each kind changes a text, and repeats with its seed."""

import numpy as np
import pytest

from finetune.data.noise import KINDS, add_noise

TEXT = "You are a complete idiot, and everybody here knows that."


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_noise_changes_a_text_the_same_way_each_time(kind: str):
    changed = KINDS[kind](TEXT, np.random.default_rng(5))
    assert changed != TEXT
    assert changed == KINDS[kind](TEXT, np.random.default_rng(5))
    assert KINDS[kind]("", np.random.default_rng(5)) == ""


def test_every_kind_of_noise_is_used():
    assert add_noise(TEXT, np.random.default_rng(1)) != TEXT
