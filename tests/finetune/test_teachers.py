"""The targets that a student learns from its teachers."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file
from scipy.special import expit, logit

from comment_toxicity import load_classifier
from comment_toxicity.errors import SettingsError
from finetune.config import Settings
from finetune.data.labels import label_matrix
from finetune.data.teachers import PREFIX, targets, with_teachers

LABELS = ["toxic", "threat"]

FILE = "model.safetensors"


def taught_by(*teachers: Path, **given) -> Settings:
    return Settings(teachers=[str(teacher) for teacher in teachers], labels=LABELS, **given)


EACH = {"train_data": 0.5, "forum": 0.5, "tweets": 0.5}


def test_each_row_gets_the_teachers_scores(rows: pd.DataFrame, tiny_base: Path):
    taught = with_teachers(rows, taught_by(tiny_base, teacher_share=EACH))
    teacher = load_classifier(str(tiny_base))
    columns = [list(teacher.labels).index(label) for label in LABELS]
    expected = teacher.score(rows.comment_text.tolist())[:, columns]
    np.testing.assert_allclose(taught[[PREFIX + label for label in LABELS]], expected, atol=1e-5)
    pd.testing.assert_frame_equal(taught[rows.columns], rows)


def test_scores_of_teachers_are_averaged_as_logits_and_a_repeated_teacher_counts_twice(
    rows: pd.DataFrame, tiny_base: Path, tmp_path: Path
):
    stricter = Path(shutil.copytree(tiny_base, tmp_path / "stricter"))
    weights = load_file(stricter / FILE)
    save_file(weights | {"classifier.bias": weights["classifier.bias"] + 2}, stricter / FILE)
    each = [
        with_teachers(rows, taught_by(one, teacher_share=EACH))[PREFIX + "toxic"]
        for one in (tiny_base, stricter)
    ]
    assert (each[1] > each[0]).all()
    both = with_teachers(rows, taught_by(tiny_base, stricter, teacher_share=EACH))[PREFIX + "toxic"]
    np.testing.assert_allclose(both, expit((logit(each[0]) + logit(each[1])) / 2), atol=1e-5)
    three = taught_by(tiny_base, stricter, stricter, teacher_share=EACH)
    thrice = with_teachers(rows, three)[PREFIX + "toxic"]
    np.testing.assert_allclose(thrice, expit((logit(each[0]) + 2 * logit(each[1])) / 3), atol=1e-5)


def test_known_labels_are_mixed_by_share_and_unknown_ones_come_from_the_teachers(
    rows: pd.DataFrame,
):
    settings = taught_by(Path("any"), teacher_share={"train_data": 0.5, "forum": 0.25})
    taught = rows.assign(**{PREFIX + label: [0.4, 0.4, 0.8, 0.2] for label in LABELS})
    aims = targets(taught, label_matrix(taught, settings.layout), settings)
    np.testing.assert_allclose(aims[:, 0], [0.2, 0.85, 0.2, 0.2], atol=1e-6)
    np.testing.assert_allclose(aims[:, 1], [0.2, 0.4, 0.2, 1.0], atol=1e-6)


def test_a_rare_positive_moves_at_most_by_its_limit(rows: pd.DataFrame):
    rows.loc[[0, 1], "threat"] = 1.0
    settings = taught_by(
        Path("any"), teacher_share={"train_data": 0.9, "forum": 0.9}, rare={"threat": 0.5}
    )
    taught = rows.assign(**{PREFIX + label: 0.2 for label in LABELS})
    aims = targets(taught, label_matrix(taught, settings.layout), settings)
    # A row of train_data, which is no extra one; one of forum; one that is not there; no share.
    np.testing.assert_allclose(aims[:, 1], [0.28, 0.6, 0.18, 1.0], atol=1e-6)
    np.testing.assert_allclose(aims[:, 0], [0.18, 0.28, 0.18, 0.2], atol=1e-6)


def test_labels_stay_without_teachers(rows: pd.DataFrame):
    settings = Settings(labels=LABELS)
    assert with_teachers(rows, settings) is rows
    labels = label_matrix(rows, settings.layout)
    assert targets(rows, labels, settings) is labels


def test_teachers_teach_in_their_languages_alone(rows: pd.DataFrame, tiny_base: Path):
    rows = rows.assign(lang=["de", "", "en", "de"])
    settings = taught_by(
        tiny_base, teacher_share=EACH, language_column="lang", teacher_languages=["en"]
    )
    taught = with_teachers(rows, settings)
    assert taught[PREFIX + "toxic"].isna().tolist() == [True, False, False, True]
    labels = label_matrix(rows, settings.layout)
    found = targets(taught, labels, settings)
    np.testing.assert_array_equal(found[[0, 3]], labels[[0, 3]])  # unknown ones stay unknown
    assert not np.isnan(found[[1, 2]]).any()


def test_a_teacher_with_other_labels_is_refused(rows: pd.DataFrame, tiny_base: Path):
    settings = Settings(teachers=[str(tiny_base)], labels=["toxic", "spam"])
    with pytest.raises(SettingsError, match="does not score spam"):
        with_teachers(rows, settings)
