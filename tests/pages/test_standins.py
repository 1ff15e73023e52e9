"""The stand-ins for models of these tests."""

from tests.pages.standins import FixedScores


def test_stand_in_models_are_like_real_ones(tiny_base):
    from comment_toxicity import load_classifier

    real = load_classifier(tiny_base)
    for name in ("name", "labels", "thresholds", "single_label", "calibrated", "decision"):
        assert type(getattr(FixedScores(), name)) is type(getattr(real, name))
