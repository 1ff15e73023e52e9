"""audit.json, the main results of an audit, and the table of other thresholds."""

import json

import pytest

from comment_toxicity.decision import Weights
from finetune.audit.audit import (
    Audit,
    comparison_table,
    headline_table,
    headlines,
    trade_off,
    trade_off_labels,
)
from finetune.audit.hatecheck import measure_function


def test_what_is_saved_is_read_back_the_same(audit, folder):
    assert Audit.from_dict(audit.to_dict()) == audit
    assert json.loads((folder / "audit.json").read_text(encoding="utf-8")) == audit.to_dict()


def test_the_main_results_have_a_row_each(audit, folder):
    (folder / "metrics.json").write_text(
        json.dumps({"validation": {"labels": {"toxic": {"calibration_error": 0.25}}}})
    )
    results = {each.name: each for each in headlines(audit, folder)}
    assert results["madlibs: toxic: highest false-positive rate"].value == 1
    assert "gay" in results["madlibs: toxic: highest false-positive rate"].about
    assert results["validation rows: highest calibration error"].value == 0.25
    assert results["Civil Comments: mean ROC-AUC"].value == 1
    rows = headline_table(headlines(audit, folder)).cells()
    assert ["HateCheck: ROC-AUC of identity_hate", "0.7500", ""] in rows


def test_a_result_that_one_model_lacks_is_shown_as_a_dash(audit):
    only_function = Audit(audit.weights, function=audit.function)
    both = comparison_table({"one": headlines(audit), "two": headlines(only_function)}).cells()
    assert ["Civil Comments: mean ROC-AUC", "1.0000", "–"] in both
    assert ["HateCheck: judged right by identity_hate", "66.7 %", "66.7 %"] in both


def test_an_undefined_metric_is_shown_as_a_dash():
    only_hate = measure_function("HateCheck", "hate", ["slur"], [1], [0.9], 0.5)
    audit = Audit(Weights("model.onnx", "00"), function=only_hate)
    assert ["HateCheck: ROC-AUC of hate", "–", ""] in headline_table(headlines(audit)).cells()


def test_no_worst_term_is_named_if_no_harmless_sentence_is_flagged(audit):
    about = {each.name: each.about for each in headlines(audit)}
    assert about["templates: identity_hate: highest false-positive rate"] == ""


def test_each_report_has_a_frame(audit):
    madlibs = audit.identity[-1].frame()
    assert madlibs.term[0] == "gay"
    assert len(audit.function.frame()) == 2
    assert len(audit.robustness.frame()) == 10
    assert audit.operating_points.frame().chosen.sum() == 1
    assert len(audit.transfer.frame()) == 5


def rates(audit, label):
    """The table of other thresholds as threshold → title → value."""
    table = trade_off(audit, label)
    titles = [column.title for column in table.columns[1:]]
    return {row[0]: dict(zip(titles, row[1:], strict=True)) for row in table.rows}


def test_the_threshold_table_marks_the_threshold_of_the_model(audit):
    toxic = rates(audit, "toxic")
    assert toxic["0.5000 (its own)"]["worst term: madlibs"] == 1  # “gay” at 0.5
    assert toxic["0.6000"]["worst term: madlibs"] == 0
    assert toxic["0.6000"]["recall"] == 1
    assert "HateCheck judged right" not in toxic["0.6000"]
    hate = rates(audit, "identity_hate")
    assert hate["0.9000"]["HateCheck judged right"] == audit.function.accuracy
    assert hate["0.9500"]["HateCheck judged right"] == pytest.approx(1 / 3, abs=1e-5)


def test_a_label_without_operating_points_has_no_threshold_table(audit):
    assert trade_off(audit, "threat") is None
    assert trade_off_labels(audit) == ["toxic", "identity_hate"]
