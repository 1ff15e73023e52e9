import pytest

from finetune.measure.tables import METRICS, Column, Table, count, decimals, percentage

TABLE = Table(
    title="On 3 rows:",
    note="– where no row is known.",
    columns=[Column("label"), METRICS["rows"], METRICS["roc_auc"], METRICS["flagged"]],
    rows=[("toxic", 1234, 0.98765, 0.5), ("threat", 3, None, float("nan"))],
)


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (decimals, 0.98765, "0.9877"),
        (decimals, -0.000001, "0.0000"),
        (percentage, 0.0667, "6.7 %"),
        (count, 1234, "1,234"),
        *((write, value, "–") for write in (decimals, percentage, count) for value in (None,)),
        (decimals, float("nan"), "–"),
    ],
)
def test_a_number_is_written_the_same_everywhere(write, value, text):
    assert write(value) == text


def test_text_aligns_words_left_and_numbers_right():
    assert TABLE.text().splitlines() == [
        "On 3 rows:",
        "label    rows  ROC-AUC  flagged",
        "toxic   1,234   0.9877   50.0 %",
        "threat      3        –        –",
        "– where no row is known.",
    ]


def test_markdown_has_title_and_note_around_the_table():
    assert TABLE.markdown().splitlines() == [
        "On 3 rows:",
        "",
        "| label | rows | ROC-AUC | flagged |",
        "| --- | --- | --- | --- |",
        "| toxic | 1,234 | 0.9877 | 50.0 % |",
        "| threat | 3 | – | – |",
        "",
        "– where no row is known.",
    ]


def test_a_pipe_in_a_label_does_not_split_its_cell_in_markdown():
    assert r"| a\|b |" in Table(columns=[Column("label")], rows=[("a|b",)]).markdown()


def test_html_escapes_titles_and_cells():
    table = Table(columns=[Column("<b>")], rows=[('<script>"',)])
    assert "<b>" not in table.html()
    assert "&lt;script&gt;&quot;" in table.html()


def test_the_first_cell_of_a_row_is_its_heading_in_html():
    assert '<th scope="row" dir="auto">toxic</th>' in TABLE.html()
    assert '<td class="number" dir="auto">0.9877</td>' in TABLE.html()


def test_columns_without_titles_have_no_heading_in_text():
    assert Table(columns=[Column(""), Column("", count)], rows=[("a", 10)]).text() == "a  10"


def test_columns_can_be_chosen_and_ordered():
    assert TABLE.select("flagged", "label").cells() == [["50.0 %", "toxic"], ["–", "threat"]]


def test_the_cells_of_one_column_can_be_renamed():
    assert [row[0] for row in TABLE.renamed("label", str.upper).rows] == ["TOXIC", "THREAT"]


def test_truth_values_are_yes_and_no():
    rows = [(True,), (False,), (None,)]
    assert Table(columns=[Column("x")], rows=rows).cells() == [["yes"], ["no"], ["–"]]
