"""What the operator can set."""

import pytest

from comment_toxicity.errors import SettingsError
from ui.settings import PageSettings


def test_a_hugging_face_space_is_public_by_default():
    assert PageSettings.read({"SPACE_ID": "a/b"}).public
    assert not PageSettings.read({"SPACE_ID": "a/b"}).training
    assert PageSettings.read({"SPACE_ID": "a/b", "TOXICITY_TRAINING": "on"}).training
    assert PageSettings.read({}).training


def test_an_empty_variable_counts_as_unset():
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
        {"TOXICITY_SOURCE": "javascript:alert(1)"},
    ],
)
def test_an_invalid_variable_is_named_in_the_error(variables):
    with pytest.raises(SettingsError, match=next(iter(variables))):
        PageSettings.read(variables)


def test_the_address_of_the_source_loses_the_slash_at_its_end():
    assert (
        PageSettings.read({"TOXICITY_SOURCE": "https://host/us/it/"}).source == "https://host/us/it"
    )


def test_a_page_that_other_machines_reach_is_public_unless_the_operator_says_otherwise(monkeypatch):
    monkeypatch.setattr("streamlit.get_option", lambda name: "0.0.0.0")  # noqa: S104
    assert PageSettings.read({}).public
    assert not PageSettings.read({}).training
    assert not PageSettings.read({"TOXICITY_PUBLIC": "0"}).public
