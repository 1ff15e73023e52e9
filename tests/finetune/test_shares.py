"""Labels that are shares of annotators: kept for training, decided at 0.5 everywhere else."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from comment_toxicity.errors import DataError
from finetune.config import Settings
from finetune.data.labels import Layout, Notes, at_half, clean_rows, label_values
from finetune.data.split import make_split

LAYOUT = Layout("text", ("toxic",))


def values(cells: list, soft: bool = True, notes: Notes | None = None) -> list[float]:
    """The label of rows with these cells; -1 where it is unknown."""
    table = pd.DataFrame({"text": ["some words"] * len(cells), "toxic": cells})
    rows = clean_rows(table, LAYOUT, "t.csv", keep_unlabelled=True, soft=soft, notes=notes)
    return rows["toxic"].fillna(-1).tolist()


def test_shares_are_kept_for_training_and_decided_at_a_half_elsewhere():
    cells = ["0.25", "0.5", "1", "0.0", "-1", "", "0.4999"]
    notes = Notes()
    assert values(cells, notes=notes) == [0.25, 0.5, 1, 0, -1, -1, 0.4999]
    assert values(cells, soft=False) == [0, 1, 1, 0, -1, -1, 0]
    assert notes.lines("t.csv", soft=True) == [
        "t.csv: shares between 0 and 1 for toxic: trained as they are; elsewhere 0.5 or more is "
        "the label"
    ]


def test_nothing_is_said_of_labels_that_are_yes_or_no():
    notes = Notes()
    values([True, 0, 1.0, None], notes=notes)
    assert (notes.shares, notes.lines("t.csv")) == ([], [])


def test_a_mean_that_rounding_lifted_over_1_is_1():
    assert values([0.1 + 0.2 + 0.7 + 2e-16, 0.0]) == [1, 0]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([0, 1, 5, 3], "'5' in row 3.*counts of annotators .up to 5 here., divide each"),
        (["0", "2", "-1"], "'2' in row 2.*if they are classes, name the column as label_column"),
        ([0.5, 66.7, 100], "'66.7' in row 2.*percentages, divide them by 100"),
        (["0,667", "1"], "'0,667' in row 1.*decimals with a point"),
        ([0.5, -0.5], r"'-0.5' in row 2; expected .* unknown\.$"),
        ([0.5, 1e9], r"'1000000000' in row 2; expected .* unknown\.$"),
        ([0.5, np.inf], r"'inf' in row 2; expected .* unknown\.$"),
        (["0.5", "maybe"], r"'maybe' in row 2; expected .* unknown\.$"),
    ],
)
def test_what_is_no_share_is_refused_with_row_and_column(cells: list, message: str):
    with pytest.raises(DataError, match=f"t.csv: column toxic has {message}"):
        values(cells)


def test_the_row_of_an_error_is_that_of_the_whole_table():
    table = pd.DataFrame({"text": list("abc"), "toxic": [0, 1, 7]})
    with pytest.raises(DataError, match="row 3"):
        clean_rows(table[1:], LAYOUT, "t.csv")


def test_unknown_stays_unknown_at_a_half():
    matrix = np.array([[0.5, np.nan], [0.49, 1]], dtype=np.float32)
    assert np.array_equal(at_half(matrix), [[1, np.nan], [0, 1]], equal_nan=True)
    assert at_half(matrix).dtype == np.float32
    assert label_values(pd.Series([0.7, 0.1]), "t").tolist() == [1, 0]


def test_a_split_has_shares_for_training_and_labels_for_measuring(tmp_path: Path):
    path = tmp_path / "shares.csv"
    shares = np.arange(200) % 10 / 10
    texts = [f"comment {number}" for number in range(200)]
    pd.DataFrame({"comment_text": texts, "toxic": shares}).to_csv(path, index=False)
    split = make_split(Settings(train_data=str(path), labels=["toxic"], test_fraction=0.2))
    assert split.test is not None
    assert set(split.train["toxic"]) == {number / 10 for number in range(10)}
    for rows, size in ((split.validation, 20), (split.test, 40)):
        truth = [shares[int(text.split()[1])] >= 0.5 for text in rows["comment_text"]]
        assert rows["toxic"].tolist() == truth
        assert (len(rows), sum(truth)) == (size, size / 2)  # dealt out by what counts as the label
    assert split.prevalence == {"toxic": 0.5}
    assert split.notes["train_data"].shares == ["toxic"]


def test_a_share_is_learned_as_it_is():
    """The loss is least where the score is the share."""
    from types import SimpleNamespace

    import torch

    from finetune.train.loss import LabelLoss

    targets = np.array([[0.25], [0.75]], dtype=np.float32)
    settings = Settings(labels=["toxic"], label_weighting=True)
    loss = LabelLoss(settings, at_half(targets))
    assert loss.pos_weight is not None
    assert loss.pos_weight.tolist() == [1.0]

    def of(shares: list[float]) -> float:
        logits = torch.logit(torch.tensor(shares)[:, None])
        return float(loss(SimpleNamespace(logits=logits), torch.tensor(targets)))

    assert of([0.25, 0.75]) < min(of([0.2, 0.75]), of([0.3, 0.75]), of([0.01, 0.99]))
