"""What the operator can set."""

import pytest

from comment_toxicity.errors import SettingsError
from ui.settings import PageSettings


def test_a_space_is_public_unless_it_is_said_not_to_be():
    assert PageSettings.read({"SPACE_ID": "a/b"}).public
    assert not PageSettings.read({"SPACE_ID": "a/b"}).training
    assert PageSettings.read({"SPACE_ID": "a/b", "TOXICITY_TRAINING": "on"}).training
    assert PageSettings.read({}).training


def test_an_empty_setting_is_none():
    assert (
        PageSettings.read({"TOXICITY_HUB_GIGABYTES": "", "TOXICITY_PUBLIC": ""}).hub_gigabytes == 2
    )


@pytest.mark.parametrize(
    "variables",
    [
        {"TOXICITY_PUBLIC": "maybe"},
        {"TOXICITY_HUB_GIGABYTES": "many"},
        {"TOXICITY_HUB_GIGABYTES": "nan"},
        {"TOXICITY_HUB_GIGABYTES": "-1"},
        {"TOXICITY_HUB_MODELS": "x"},
    ],
)
def test_a_setting_that_cannot_be_understood_is_named(variables):
    with pytest.raises(SettingsError, match=next(iter(variables))):
        PageSettings.read(variables)
