import pytest

from finetune.harms import is_about_harm


@pytest.mark.parametrize(
    "labels",
    [
        ["toxic", "severe_toxic"],
        ["hate_speech", "offensive_language", "neither"],
        ["OFF", "NOT"],
        ["HOF", "NOT"],
        ["HS", "HS_Weak"],
        ["abusive", "hateful", "normal", "spam"],
        ["harassment"],
        ["Non-Toxic", "other"],
        ["nontoxic", "bad"],
        ["not_cyberbullying"],
        ["SevereToxicity"],
        ["identity attack"],
        ["racism", "sexism", "none"],
        ["Beleidigung", "sonstige"],
        ["ódio", "normal"],
        ["unsafe", "safe"],
    ],
)
def test_labels_of_harm_are_known_in_any_spelling(labels):
    assert is_about_harm(labels)


@pytest.mark.parametrize(
    "labels",
    [
        ["negative", "positive"],
        ["neg", "neu", "pos"],
        ["1", "2", "3", "4", "5"],
        ["LABEL_0", "LABEL_1"],
        ["joy", "anger", "hate", "love"],
        ["spam", "ham"],
        ["on", "off"],
        ["heart_attack", "injury"],
        ["sports", "business"],
    ],
)
def test_other_labels_are_not_about_harm(labels):
    assert not is_about_harm(labels)


def test_labels_that_say_nothing_leave_it_to_the_names_of_the_data():
    assert is_about_harm(["label"], ["my_model", "offensive_tweets.tsv"])
    assert is_about_harm(["0", "1"], ["olid-train.tsv"])
    assert not is_about_harm(["0", "1"], ["films.csv"])
    assert not is_about_harm(["negative", "positive"], ["offensive_tweets.tsv"])
