"""Scored files that have labels: the report, the classes, the operating points."""

import numpy as np
import pandas as pd
import pytest

from comment_toxicity.errors import DataError
from comment_toxicity.files.write import score_columns
from ui.files.labelled import Labelled, OperatingPoints, label_columns
from ui.files.scored_file import ScoredFile


def test_the_report_of_a_scored_file_is_that_of_evaluate_labels(scored):
    from finetune.measure.evaluate import evaluate_labels

    labelled = Labelled.read(scored, "model", single_label=False)
    assert labelled.labels == ["toxic"]
    report = labelled.report({"toxic": 0.55})
    targets = (np.arange(1000) >= 600).astype(float)[:, None]
    wanted = evaluate_labels(targets, scored.scores[:, :1], ["toxic"], {"toxic": 0.55})
    assert report == wanted.to_dict()
    assert report["blank"] == 1


def test_classes_are_read_by_name_by_name_on_the_card_and_by_number(tmp_path):
    labels = ["LABEL_0", "LABEL_1", "LABEL_2"]
    table = pd.DataFrame({"text": list("abcd"), "label": ["negative", "LABEL_1", "2", ""]})
    table[score_columns(labels)] = np.eye(4, 3, dtype=np.float32)
    table.to_parquet(tmp_path / "s.parquet")
    scored = ScoredFile.read(tmp_path / "s.parquet", labels, "text")
    model = "cardiffnlp/twitter-roberta-base-sentiment"
    report = Labelled.read(scored, model, single_label=True).report({})
    assert (report["rows"], report["accuracy"]) == (3, 1.0)
    table["label"] = ["negative", "LABEL_1", "-1", "2.0"]
    table.to_parquet(tmp_path / "s.parquet")
    scored = ScoredFile.read(tmp_path / "s.parquet", labels, "text")
    assert Labelled.read(scored, model, single_label=True).report({})["rows"] == 3
    table["label"] = ["good"] * 4
    table.to_parquet(tmp_path / "s.parquet")
    with pytest.raises(DataError, match=r"holds 'good'"):
        Labelled.read(scored, model, single_label=True)


@pytest.mark.parametrize("labels", [["1", "0"], ["v1.0", "v2.0"]])
def test_class_names_that_look_like_numbers_are_read_as_names(tmp_path, labels):
    table = pd.DataFrame({"text": list("ab"), "label": labels[::-1]})
    table[score_columns(labels)] = np.eye(2, dtype=np.float32)
    table.to_parquet(tmp_path / "s.parquet")
    scored = ScoredFile.read(tmp_path / "s.parquet", labels, "text")
    targets = Labelled.read(scored, "model", single_label=True).targets
    assert targets.tolist() == [[0, 1], [1, 0]]


def test_labels_without_names_are_found_by_their_names_on_the_card(tmp_path):
    model, names = "andyqin18/finetuned-bert-uncased", ["toxic", "severe_toxic", "obscene"]
    labels = ["LABEL_0", "LABEL_1", "LABEL_2"]
    table = pd.DataFrame({"text": list("abcd"), "severe_toxic": list("0110")})
    table[score_columns(labels)] = np.float32(0.2)
    table["LABEL_1_score"] = np.array([0.1, 0.8, 0.9, 0.3], np.float32)
    table.to_parquet(tmp_path / "s.parquet")
    scored = ScoredFile.read(tmp_path / "s.parquet", labels, "text")
    assert label_columns(names, labels, False, model) == dict(zip(labels, names, strict=True))
    labelled = Labelled.read(scored, model, single_label=False)
    assert labelled.report({"LABEL_1": 0.5})["labels"]["LABEL_1"]["roc_auc"] == 1.0
    assert {point["label"] for point in labelled.curve_points(model)[0]} == {"severe toxic"}


def test_each_threshold_has_its_precision_and_recall():
    truth = np.array([0, 0, 1, 1, 1.0])
    scores = np.array([0.1, 0.6, 0.3, 0.7, 0.9], dtype=np.float32)
    points = OperatingPoints.of(truth, scores, np.ones(5))
    half = points.at(0.5)
    assert (points.precision[half], points.recall[half]) == pytest.approx((2 / 3, 2 / 3))
    assert points.flagged[half] == pytest.approx(0.6)
    assert points.recall[points.at_precision(0.9)] == pytest.approx(2 / 3)
    assert points.precision[points.at_recall(1.0)] == pytest.approx(3 / 4)
    assert np.isnan(points.precision[points.at(0.95)])


def test_a_score_equal_to_a_threshold_is_flagged():
    points = OperatingPoints.of(np.array([1.0, 0.0]), np.array([0.3, 0.1], np.float32), np.ones(2))
    assert points.recall[points.at(0.3)] == 1
