"""Which column a name means."""

import pytest

from comment_toxicity.files.columns import AmbiguousError, find_column, listed, loosely_named
from comment_toxicity.files.read import open_input
from tests.comment_toxicity.tables import fails


@pytest.mark.parametrize(
    "name",
    [
        "comment_text ",
        " comment_text",
        "\xa0Comment_Text",
        "\ufeffcomment_text",
        "COMMENT TEXT",
        "comment-text",
        "comment\u200b_text",
    ],
)
def test_case_space_and_invisible_signs_do_not_count(name):
    assert find_column(["id", name], ["comment_text"]) == name


def test_the_very_name_comes_first():
    assert find_column(["Text", "text", "text "], ["text"]) == "text"


def test_several_that_could_be_meant_are_refused():
    with pytest.raises(AmbiguousError, match="columns 'Text' and 'TEXT ' could both be text"):
        find_column(["Text", "TEXT "], ["text"])


def test_a_column_without_a_name_is_not_found():
    assert find_column(["", " "], ["", "\ufeff"]) == ""
    assert find_column([" ", "a"], [""]) is None


def test_a_column_with_the_very_name_of_another_is_not_renamed():
    assert loosely_named(["Toxic", "toxic", "Insult "], ["toxic", "insult", "threat"]) == {
        "Insult ": "insult"
    }


def test_names_in_messages_are_printable_and_few():
    assert listed(["a", "b ", "c\0"]) == "a, 'b ', 'c\\x00'"
    assert len(listed(range(1000))) < 250


@pytest.mark.parametrize("wanted", ["Body", " body"])
def test_a_column_is_named_loosely_on_the_command_line(tmp_path, score, wanted):
    (tmp_path / "in.csv").write_text("id,body \n1,yes\n")
    assert (
        score(tmp_path / "in.csv", "--text-column", wanted, "--output", tmp_path / "o.csv")[0] == 0
    )
    assert (tmp_path / "o.csv").read_text().startswith("id,body ,toxic_score")


def test_an_ambiguous_column_ends_in_one_clear_error(tmp_path, score):
    (tmp_path / "in.csv").write_text("Text,TEXT\nyes,no\n")
    message = fails(score, tmp_path, tmp_path / "in.csv", "--output", tmp_path / "o.csv")
    assert "columns 'Text' and 'TEXT' could both be text" in message
    with open_input(str(tmp_path / "in.csv"), "csv") as rows:
        assert rows.text_column is None
