"""python -m finetune.audit, with a word list in place of the model, and once with a real one."""

import json
import os
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from comment_toxicity.decision import Weights
from comment_toxicity.fetch.find import ROOT
from finetune.audit import run
from finetune.audit.__main__ import main
from finetune.audit.audit import Audit
from finetune.audit.glance import at_a_glance, compare, glance_table
from finetune.audit.hatecheck import measure_function
from finetune.audit.section import TITLE, audit_section
from finetune.audit.tables import as_text
from finetune.audit.trade_off import trade_off
from finetune.card import render_card

BAD_WORDS = ("stupid", "filth", "idiot", "vomit", "hate")
MENACE = ("kill", "shoot", "watch your back")


class WordList:
    """Knows some bad words, and takes “gay” for one."""

    labels = ("toxic", "identity_hate", "threat")
    thresholds = {"toxic": 0.5, "identity_hate": 0.5, "threat": 0.5}  # noqa: RUF012 - as constant as the rest
    calibrated = True
    single_label = False

    def __init__(self, name, folder):
        self.name = name
        self.folder = SimpleNamespace(path=folder, weights=folder / "model.onnx")

    def score(self, texts):
        bad = [any(word in text.lower() for word in BAD_WORDS) for text in texts]
        gay = ["gay" in text.lower() for text in texts]
        toxic = 0.1 + 0.5 * np.array(bad) + 0.4 * np.array(gay)
        menace = [any(word in text.lower() for word in MENACE) for text in texts]
        return np.stack([toxic, 0.9 * np.array(bad), menace], axis=1).astype(np.float32)


def make_folder(parent):
    folder = parent / "model"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"weights")
    labels = {"0": "toxic", "1": "identity_hate", "2": "threat"}
    (folder / "config.json").write_text(json.dumps({"id2label": labels}))
    return folder


def load_from(folder):
    return lambda name="embedded": WordList(name, folder)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A model folder; every name means the word list in it."""
    folder = make_folder(tmp_path)
    monkeypatch.setattr(run, "load_classifier", load_from(folder))
    return folder


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One small file for each flag."""
    tables = {
        "data": {
            "comment_text": ["you stupid person", "nice page", "a gay friend", "idiot"] * 5,
            "toxic": [1, 0, 0, 1] * 5,
            "weight": [1, 10, 10, 1] * 5,
        },
        "madlibs": {
            "Text": ["Sam is a nice gay", "Sam is a stupid gay", "A nice deaf", "A vomit deaf"] * 5,
            "Label": ["NOT_BAD", "BAD"] * 10,
        },
        "hatecheck": {
            "test_case": ["I hate them", "I like them", "they are bad"],
            "functionality": ["derog_h", "ident_nh", "derog_h"],
            "label_gold": ["hateful", "non-hateful", "hateful"],
        },
        "davidson": {"tweet": ["filth", "stupid", "nice"] * 10, "class": [0, 1, 2] * 10},
        "dynahate": {"text": ["filth", "nice"] * 10, "label": ["hate", "nothate"] * 10},
        "civil": {"text": ["idiot", "nice"] * 10, "toxic": [1, 0] * 10, "identity_hate": [0] * 20},
    }
    flags = []
    for flag, columns in tables.items():
        path = tmp_path_factory.mktemp("files") / f"{flag}.csv"
        pd.DataFrame(columns).to_csv(path, index=False)
        flags += [f"--{flag}", str(path)]
    return flags


@pytest.fixture(scope="module")
def measured(files, tmp_path_factory):
    """The audit.json of all measures of the word list."""
    folder = make_folder(tmp_path_factory.mktemp("measured"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "load_classifier", load_from(folder))
        assert main([*files, "--summary", "--save"]) == 0
    return folder / "audit.json"


@pytest.fixture
def audit(measured, folder):
    """All measures of the word list, in its folder."""
    shutil.copy(measured, folder)
    return Audit.load(folder)


def test_every_measure_is_taken_when_there_is_a_file_for_it(audit):
    reports = {(report.source, report.label): report for report in audit.identity}
    assert len(reports) == 5
    gay = reports["madlibs", "toxic"].highest_false_positive_rate
    assert (gay.term, gay.false_positive_rate) == ("gay", 1)
    assert reports["templates", "toxic"].highest_false_positive_rate.term == "gay"
    assert (
        reports["templates", "identity_hate"].highest_false_positive_rate.false_positive_rate == 0
    )
    assert audit.function.accuracy == pytest.approx(2 / 3, abs=1e-5)
    assert (audit.threats.rows, audit.threats.bad) == (160, "threatening")
    assert 0 < audit.threats.accuracy_bad < 0.5 < audit.threats.accuracy_harmless < 1
    assert audit.operating_points.labels["toxic"].chosen.precision == pytest.approx(1 / 6, abs=1e-5)
    assert audit.robustness.rows == 20
    assert audit.robustness.mean_roc_auc_lost > 0  # a word list can't read “st.u.pid”
    assert audit.transfer.mean_roc_auc("Davidson") == (1 + 3 / 4) / 2
    assert set(audit.data) == {"data", "madlibs", "hatecheck", "davidson", "dynahate", "civil"}


def test_what_is_saved_is_read_back_the_same(audit, folder):
    assert Audit.from_dict(audit.to_dict()) == audit
    assert json.loads((folder / "audit.json").read_text(encoding="utf-8")) == audit.to_dict()


def test_another_measure_of_the_same_weights_leaves_the_rest(audit, folder, files):
    place = files.index("--hatecheck")
    assert main(["function", *files[place : place + 2], "--save", "--summary"]) == 0
    assert Audit.load(folder) == audit


def test_a_measure_taken_anew_leaves_what_other_files_gave(audit, folder, files):
    place = files.index("--davidson")
    assert main(["identity", "transfer", *files[place : place + 2], "--save", "--summary"]) == 0
    again = Audit.load(folder)
    assert sorted(report.source for report in again.identity) == sorted(
        report.source for report in audit.identity
    )
    assert set(again.transfer.figures) == set(audit.transfer.figures)
    assert again.identity[0].source == "templates"


def test_other_weights_leave_nothing_of_the_old_figures(audit, folder):
    (folder / "model.onnx").write_bytes(b"other weights")
    assert main(["identity", "--save", "--summary"]) == 0
    assert Audit.load(folder).function is None


def test_a_model_of_which_nothing_is_measured_gets_no_audit(folder, capsys):
    flags = ["--toxic-label", "rude", "--hate-label", "cruel", "--threat-label", "menace"]
    assert main([*flags, "--save"]) == 0
    assert "nothing measured" in capsys.readouterr().out
    assert not (folder / "audit.json").exists()


def test_a_file_on_which_no_label_is_measured_was_not_read(folder, files, tmp_path):
    output = tmp_path / "audit.json"
    flags = [*files, "--toxic-label", "rude", "--hate-label", "cruel", "--output", str(output)]
    assert main(flags) == 0
    assert set(json.loads(output.read_text(encoding="utf-8"))["embedded"]["data"]) == {
        "data",
        "civil",
    }


def test_one_label_for_both_is_judged_as_the_one_for_toxicity(folder, files, tmp_path, capsys):
    output = tmp_path / "audit.json"
    assert main([*files, "--hate-label", "toxic", "--output", str(output)]) == 0
    audit = Audit.from_dict(json.loads(output.read_text(encoding="utf-8"))["embedded"])
    assert ("insulting", True) in {(kind.kind, kind.bad) for kind in audit.identity[0].kinds}
    davidson = [figures for figures in audit.transfer.figures if figures.source == "Davidson"]
    assert [(figures.label, figures.positives) for figures in davidson] == [("toxic", 20)]
    assert audit.function.label == "toxic"
    assert capsys.readouterr().out.count("toxic at other thresholds") == 1


def test_nothing_is_written_unless_asked_for(folder, files):
    assert main([*files, "--summary"]) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.onnx"]


def test_at_a_glance_has_a_line_a_figure(audit, folder):
    (folder / "metrics.json").write_text(
        json.dumps({"validation": {"labels": {"toxic": {"calibration_error": 0.25}}}})
    )
    frame = at_a_glance(audit, folder).set_index("figure")
    assert frame.value["madlibs: toxic: highest false-positive rate"] == 1
    assert frame.value["validation rows: highest calibration error"] == 0.25
    assert frame.value["Civil Comments: mean ROC-AUC"] == 1
    assert "gay" in frame["where"]["madlibs: toxic: highest false-positive rate"]
    both = compare({"one": frame.reset_index(), "two": frame.reset_index()})
    assert "Civil Comments: mean ROC-AUC 1.0000 1.0000" in " ".join(both.split())


def test_a_figure_that_the_rows_cannot_give_is_a_dash():
    only_hate = measure_function("HateCheck", "hate", ["slur"], [1], [0.9], 0.5)
    table = glance_table(Audit(Weights("model.onnx", "00"), function=only_hate))
    assert re.search(r"HateCheck: ROC-AUC of hate +–", table)
    assert as_text(pd.DataFrame({"x": [None], "y": [0.5]})).split() == ["x", "y", "–", "0.5000"]


def test_no_term_is_named_worst_where_none_is_wronged(audit):
    by_hate = at_a_glance(audit).set_index("figure")["where"]
    assert by_hate["templates: identity_hate: highest false-positive rate"] == ""


def test_each_report_has_a_frame_with_a_row_a_figure(audit):
    madlibs = audit.identity[-1].frame()
    assert madlibs.term[0] == "gay"
    assert len(audit.function.frame()) == 2
    assert len(audit.robustness.frame()) == 10
    assert audit.operating_points.frame().chosen.sum() == 1
    assert set(audit.operating_points.reliability_frame().label) == {"toxic"}
    assert len(audit.transfer.frame()) == 5


def test_what_another_threshold_gives_stands_in_one_table(audit):
    toxic = trade_off(audit, "toxic").set_index("threshold")
    assert toxic.madlibs[0.5] == 1  # “gay” at 0.5
    assert toxic.madlibs[0.6] == 0
    assert toxic.recall[0.6] == 1
    assert "HateCheck" not in toxic
    hate = trade_off(audit, "identity_hate").set_index("threshold")
    assert hate.HateCheck[0.9] == audit.function.accuracy
    assert hate.HateCheck[0.95] == pytest.approx(1 / 3, abs=1e-5)
    assert trade_off(audit, "threat").empty


def test_every_table_names_its_rows(folder, files, capsys):
    assert main(files) == 0
    shown = capsys.readouterr().out
    for line in ("madlibs: 20 sentences", "HateCheck: 3 cases", "data.csv: 20 rows, weighted"):
        assert line in shown
    assert "DynaHate identity_hate" in " ".join(shown.split())


def test_several_models_stand_side_by_side(folder, tmp_path, capsys):
    output = tmp_path / "both.json"
    flags = ["--summary", "--model", "one", "--model", "two", "--output", str(output)]
    assert main(["identity", *flags]) == 0
    assert list(json.loads(output.read_text(encoding="utf-8"))) == ["one", "two"]
    assert re.search(r"^ *figure +one +two$", capsys.readouterr().out, re.M)


def test_a_model_without_the_label_is_measured_in_the_rest(folder, files, capsys):
    assert main([*files, "--summary", "--hate-label", "hateful"]) == 0
    shown = capsys.readouterr().out
    assert "HateCheck" not in shown
    assert "identity_hate: highest" not in shown
    assert "madlibs: toxic: highest false-positive rate" in shown
    assert "embedded has no label hateful (it has toxic, identity_hate, threat)" in shown


def test_a_model_of_the_transformers_kind_is_measured_too(tiny_base, tmp_path, files, capsys):
    place = files.index("--hatecheck")
    copy = shutil.copytree(tiny_base, tmp_path / "tiny")
    flags = ["--model", str(copy), *files[place : place + 2], "--save"]
    assert main(["function", *flags]) == 0
    assert "HateCheck: 3 cases" in capsys.readouterr().out
    assert Audit.load(copy).function.rows == 3
    assert not (copy / "README.md").exists()  # it had no card


def test_a_label_is_missed_only_by_what_was_asked_for(folder, files, capsys):
    data = files[files.index("--data") : files.index("--data") + 2]
    assert main(["operating_points", *data, "--hate-label", "hateful"]) == 0
    assert "has no label" not in capsys.readouterr().out


@pytest.mark.parametrize("command", ["-m finetune.audit operating_points", "test_model.py"])
def test_a_reader_that_has_gone_is_no_error(command, files):
    reading, writing = os.pipe()
    os.close(reading)
    words = [sys.executable, *command.split(), "--data", files[files.index("--data") + 1]]
    done = subprocess.run(words, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, b"Traceback" in done.stderr) == (141, False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["speed"], "no measure 'speed'; there are identity"),
        (["--sample", "-1"], "--sample is -1"),
        (["function", "--hatecheck", "missing.csv"], "missing.csv: no such file"),
        (["--save", "--model", "owner/downloaded"], "owner/downloaded is not a folder here"),
        (["--output", "no/such/folder/audit.json"], "folder"),
        (["--output", "."], "a folder; name a file"),
        (["--seed", "-1"], "--seed is -1"),
        (["function"], "function needs a file; give --hatecheck."),
        (["transfer", "--data", "rows.csv"], "give --davidson or --dynahate or --civil."),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(folder, capsys, arguments, message):
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_a_file_that_cannot_be_written_is_one_sentence(folder, tmp_path, capsys):
    (tmp_path / "audit.json.part").mkdir()
    assert main(["identity", "--summary", "--output", str(tmp_path / "audit.json")]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "audit.json: cannot be written (Is a directory)" in line


def test_the_section_of_the_card_tells_the_worst_first(audit):
    text = "\n\n".join(audit_section(audit))
    assert text.startswith(TITLE)
    assert "| madlibs | toxic | 20 | 100.0 % (gay) |" in text
    assert "| derog_h | yes | 2 | 50.0 % |" in text
    assert "| glued words (held out) |" in text
    assert "| DynaHate | identity_hate | 20 | 10 | 1.000 | 1.000 |" in text
    assert "0.500: 0.17 / 1.00 / 54.5 %" in text


def test_the_card_has_the_section_only_for_the_weights_that_were_measured(audit, folder):
    assert TITLE in render_card(folder, "m")
    decision = {
        "weights": {"file": "model.onnx", "sha256": "00"},
        "activation": "sigmoid",
        "labels": {"toxic": {}, "identity_hate": {}},
        "criterion": "best-f1",
        "rows": 1,
    }
    (folder / "decision.json").write_text(json.dumps(decision))
    assert TITLE not in render_card(folder, "m")


def test_nothing_measured_is_no_section():
    assert audit_section(Audit(Weights("model.onnx", "00"))) == []
