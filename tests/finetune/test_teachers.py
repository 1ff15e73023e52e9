"""What a student learns from its teachers."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file, save_file
from scipy.special import expit, logit

from comment_toxicity import load_classifier
from comment_toxicity.errors import SettingsError
from finetune.config import Settings
from finetune.data.labels import label_matrix
from finetune.data.mix import passage, with_passages
from finetune.data.teachers import PREFIX, targets, with_teachers
from finetune.train.dataset import UNKNOWN
from finetune.train.loss import LabelLoss

LABELS = ["toxic", "threat"]
FILE = "model.safetensors"


@pytest.fixture
def rows() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "comment_text": ["good page", "you idiot", "good page", "kill it"],
            "toxic": [0.0, 1.0, 0.0, np.nan],
            "threat": [0.0, np.nan, 0.0, 1.0],
            "source": [None, "forum", "forum", "tweets"],
        }
    )


def taught_by(*teachers: Path, **given) -> Settings:
    return Settings(teachers=[str(teacher) for teacher in teachers], labels=LABELS, **given)


def test_rows_get_the_teachers_score_of_each_label(rows: pd.DataFrame, tiny_base: Path):
    taught = with_teachers(rows, taught_by(tiny_base))
    teacher = load_classifier(str(tiny_base))
    places = [list(teacher.labels).index(label) for label in LABELS]
    expected = teacher.score(rows.comment_text.tolist())[:, places]
    np.testing.assert_allclose(taught[[PREFIX + label for label in LABELS]], expected, atol=1e-5)
    pd.testing.assert_frame_equal(taught[rows.columns], rows)


def test_teachers_are_taken_as_the_mean_of_their_logits_one_named_twice_as_two(
    rows: pd.DataFrame, tiny_base: Path, tmp_path: Path
):
    stricter = Path(shutil.copytree(tiny_base, tmp_path / "stricter"))
    weights = load_file(stricter / FILE)
    save_file(weights | {"classifier.bias": weights["classifier.bias"] + 2}, stricter / FILE)
    each = [with_teachers(rows, taught_by(one))[PREFIX + "toxic"] for one in (tiny_base, stricter)]
    assert (each[1] > each[0]).all()
    both = with_teachers(rows, taught_by(tiny_base, stricter))[PREFIX + "toxic"]
    np.testing.assert_allclose(both, expit((logit(each[0]) + logit(each[1])) / 2), atol=1e-5)
    thrice = with_teachers(rows, taught_by(tiny_base, stricter, stricter))[PREFIX + "toxic"]
    np.testing.assert_allclose(thrice, expit((logit(each[0]) + 2 * logit(each[1])) / 3), atol=1e-5)


def test_known_labels_move_by_their_sources_share_and_unknown_ones_are_the_teachers(
    rows: pd.DataFrame,
):
    settings = taught_by(Path("any"), teacher_share={"train_data": 0.5, "forum": 0.25})
    taught = rows.assign(**{PREFIX + label: [0.4, 0.4, 0.8, 0.2] for label in LABELS})
    aims = targets(taught, label_matrix(taught, settings.layout), settings)
    np.testing.assert_allclose(aims[:, 0], [0.2, 0.85, 0.2, 0.2], atol=1e-6)
    np.testing.assert_allclose(aims[:, 1], [0.2, 0.4, 0.2, 1.0], atol=1e-6)


def test_a_rare_label_that_is_there_gives_way_no_further_than_it_may(rows: pd.DataFrame):
    rows.loc[[0, 1], "threat"] = 1.0
    settings = taught_by(
        Path("any"), teacher_share={"train_data": 0.9, "forum": 0.9}, rare={"threat": 0.5}
    )
    taught = rows.assign(**{PREFIX + label: 0.2 for label in LABELS})
    aims = targets(taught, label_matrix(taught, settings.layout), settings)
    # A row of train_data, which is no extra one; one of forum; one that is not there; no share.
    np.testing.assert_allclose(aims[:, 1], [0.28, 0.6, 0.18, 1.0], atol=1e-6)
    np.testing.assert_allclose(aims[:, 0], [0.18, 0.28, 0.18, 0.2], atol=1e-6)


def test_a_passage_is_a_run_of_sentences_but_not_all():
    text = "Good page. Who wrote it?\nYou fool! Go."
    draws = np.random.default_rng(0)
    found = {passage(text, draws) for _ in range(200)}
    assert {"Good page.", "Who wrote it?\nYou fool!", "Who wrote it?\nYou fool! Go."} <= found
    assert all(one and one in text and one != text for one in found)
    assert passage("One sentence only", draws) == ""


def test_passages_of_the_main_rows_are_added_without_labels(rows: pd.DataFrame):
    rows.loc[0, "comment_text"] = "Good page. I like it."
    rows.loc[1, "comment_text"] = "Of a forum. Not of the main rows."
    settings = taught_by(Path("any"), passages=20.0)
    found = with_passages(rows, settings)
    pd.testing.assert_frame_equal(found.iloc[: len(rows)], rows)
    added = found.iloc[len(rows) :]
    assert set(added.comment_text) == {"Good page.", "I like it."}
    assert added[LABELS].isna().all(axis=None)
    assert with_passages(rows, taught_by(Path("any"))) is rows


def test_logit_matching_adds_the_squared_distance_where_teachers_had_a_say():
    logits = torch.tensor([[1.0, 1.0], [1.0, 1.0]])
    labels = torch.tensor([[1.0, 0.0], [0.5, float(UNKNOWN)]])
    plain, matching = (
        LabelLoss(taught_by(Path("any"), logit_matching=weight), labels.numpy())(
            SimpleNamespace(logits=logits), labels
        )
        for weight in (0.0, 0.5)
    )
    # One of the three known targets is a teacher's: 0.5, whose logit is 0, 1 away.
    assert float(matching - plain) == pytest.approx(0.5 * 1.0**2 / 3, abs=1e-6)


def test_without_teachers_the_labels_stand(rows: pd.DataFrame):
    settings = Settings(labels=LABELS)
    assert with_teachers(rows, settings) is rows
    labels = label_matrix(rows, settings.layout)
    assert targets(rows, labels, settings) is labels


def test_a_teacher_of_other_labels_is_refused(rows: pd.DataFrame, tiny_base: Path):
    settings = Settings(teachers=[str(tiny_base)], labels=["toxic", "spam"])
    with pytest.raises(SettingsError, match="does not score spam"):
        with_teachers(rows, settings)


def test_settings_that_cannot_be_taught_by_are_refused():
    with pytest.raises(SettingsError, match="teacher_share"):
        Settings(teacher_share={"forum": 2.0}).check()
    with pytest.raises(SettingsError, match="need teachers"):
        Settings(passages=1.0).check()
    with pytest.raises(SettingsError, match="teachers"):
        Settings(teachers=["a"], label_column="label", labels=["no", "yes"]).check()
