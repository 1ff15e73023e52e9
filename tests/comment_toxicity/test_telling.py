"""The few words without which a score falls."""

import numpy as np
import pytest

from comment_toxicity import load_classifier
from comment_toxicity.telling import CANDIDATES, MARKED, NAMED, TRIED_AGAIN, Telling, telling_words


class Rude:
    """Scores a text 0.9 while any of its words is in it, else 0.1; counts texts scored."""

    labels = ("rude",)

    def __init__(self, *words, score=0.9):
        self.words, self.high, self.asked = words, score, []

    def score(self, texts):
        self.asked += texts
        found = [any(word in text for word in self.words) for text in texts]
        return np.array([[self.high if yes else 0.1] for yes in found], dtype=np.float32)

    def beginning(self, text, most=0):
        return text


def marked(found: Telling) -> list[str]:
    return [found.text[start:end] for start, end, _ in found.marks]


def test_the_word_without_which_the_score_falls_is_named_and_marked_without_its_comma():
    found = telling_words(Rude("fool"), "oh you fool, listen", "rude", 0.5)
    assert (found.named, marked(found)) == (["fool"], ["fool"])
    assert (found.score, found.without) == (pytest.approx(0.9), pytest.approx(0.1))
    assert found.whole


def test_what_is_left_out_leaves_no_odd_text_behind():
    model = Rude("fool")
    telling_words(model, "oh you fool, listen.", "rude", 0.5)
    assert set(model.asked) == {
        "oh you fool, listen.", " you fool, listen.", "oh you, listen.", "oh you fool,."
    }  # fmt: skip


@pytest.mark.parametrize("text", ["It is the one that you are.", "?! … .", "– “”"])
def test_function_words_and_punctuation_are_never_named(text):
    found = telling_words(Rude("the", "?", "–"), text, "rude")
    assert (found.named, found.marks) == ([], [])


def test_two_insults_that_hide_each_other_are_both_named():
    found = telling_words(Rude("fool", "clown"), "you fool, what a clown today", "rude", 0.5)
    assert sorted(found.named) == ["clown", "fool"]
    assert found.without == pytest.approx(0.1)


def test_a_repeated_word_is_left_out_everywhere_and_named_once():
    found = telling_words(Rude("fool"), "Fool! You fool, go home fool.", "rude", 0.5)
    assert found.named == ["Fool"]
    assert marked(found) == ["Fool", "fool", "fool"]


def test_words_that_belong_together_are_one_phrase():
    found = telling_words(Rude("piece", "shit"), "a piece of shit, says Tom", "rude", 0.5)
    assert (found.named, marked(found)) == (["piece of shit"], ["piece of shit"])


def test_a_text_of_nothing_but_one_word_has_nothing_left_without_it():
    found = telling_words(Rude("fool"), " fool!", "rude", 0.5)
    assert found.named == ["fool"]
    assert found.without == pytest.approx(0.1)  # “!”
    assert telling_words(Rude("fool"), "fool fool", "rude", 0.5).without is None


@pytest.mark.parametrize("text", ["", "  \n "])
def test_a_blank_text_names_nothing(text):
    assert telling_words(Rude("x"), text, "rude").named == []


def test_a_phrase_of_small_words_is_named_where_no_word_decides():
    class Threatens(Rude):
        def score(self, texts):
            self.asked += texts
            counts = [sum(word in text.split() for word in ("will", "your")) for text in texts]
            return np.array([[0.9 if n else 0.1] for n in counts], dtype=np.float32)

    found = telling_words(Threatens(), "Tom says I will have your car.", "rude", 0.5)
    assert found.named == ["will have your car"]
    assert marked(found) == ["will have your car"]
    assert found.without == pytest.approx(0.1)


def test_words_that_change_nothing_are_not_named():
    found = telling_words(Rude(score=0.9), "one plain sentence here", "rude", 0.05)
    assert (found.named, found.marks) == ([], [])


def test_no_more_than_a_few_words_are_marked():
    words = " ".join(f"bad{n}," for n in range(20))

    class Counts(Rude):
        def score(self, texts):
            return np.array([[text.count("bad") / 20] for text in texts], dtype=np.float32)

    found = telling_words(Counts(), words, "rude", 0.5)
    assert len(found.marks) == MARKED


@pytest.mark.parametrize(
    "text",
    ["x" * 30_000, "!? " * 10_000, "🏳️‍🌈 " * 400, " ".join(f"w{n}" for n in range(20_000)),
     "".join(f"W{n}. " for n in range(3_000))],
)  # fmt: skip
def test_strange_texts_need_a_bounded_number_of_scorings(text):
    model = Rude("w", "W")
    telling_words(model, text, "rude", 0.5)
    # The passages, its sentences, and the rounds.
    assert len(model.asked) < 1200 + CANDIDATES + TRIED_AGAIN * NAMED


def test_marks_are_in_order_and_do_not_overlap():
    text = "You idiot, you moron, you stupid clown! " * 3
    found = telling_words(load_classifier(), text, "insult", 0.4)
    ends = [0, *(end for _, end, _ in found.marks)]
    assert found.marks
    assert all(
        before <= start < end and 0 < strength <= 1
        for before, (start, end, strength) in zip(ends, found.marks, strict=False)
    )


def test_the_shipped_model_names_the_insult_and_not_the_small_words_around_it():
    text = "You are such an idiot, go read the article. Everyone who disagrees is someone else."
    found = telling_words(load_classifier(), text, "toxic", 0.42)
    assert found.named[0] == "idiot"
    assert found.without < 0.42 < found.score
    assert not {"the", "who", "article."} & set(marked(found))


@pytest.mark.parametrize("insult", ["mo~~ron~~", "ᴍᴏʀᴏɴ", "mo<b></b>ron", "&#109;oron"])
def test_a_disguised_insult_is_marked_in_its_own_characters(insult):
    text = f"**Thanks** for the <i>lovely</i> photo of the lake, you {insult} of the week"
    found = telling_words(load_classifier(), text, "toxic")
    assert insult.strip("~&") in found.named[0]
