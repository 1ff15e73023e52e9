"""python -m finetune.audit, with a word list instead of a model, and once with a real one."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from finetune.audit.__main__ import main
from finetune.audit.audit import Audit
from tests.running import ROOT


def test_every_measure_with_a_file_is_run(audit):
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


def test_running_one_measure_again_keeps_the_others(audit, folder, files):
    start = files.index("--hatecheck")
    assert main(["function", *files[start : start + 2], "--save", "--summary"]) == 0
    assert Audit.load(folder) == audit


def test_repeating_a_measure_keeps_the_results_of_other_files(audit, folder, files):
    start = files.index("--davidson")
    assert main(["identity", "transfer", *files[start : start + 2], "--save", "--summary"]) == 0
    again = Audit.load(folder)
    assert sorted(report.source for report in again.identity) == sorted(
        report.source for report in audit.identity
    )
    assert set(again.transfer.figures) == set(audit.transfer.figures)
    assert again.identity[0].source == "templates"


def test_results_of_other_weights_are_discarded(audit, folder):
    (folder / "model.onnx").write_bytes(b"other weights")
    assert main(["identity", "--save", "--summary"]) == 0
    assert Audit.load(folder).function is None


def test_a_model_without_any_measured_label_gets_no_audit(folder, capsys):
    flags = ["--toxic-label", "rude", "--hate-label", "cruel", "--threat-label", "menace"]
    assert main([*flags, "--save"]) == 0
    assert "nothing measured" in capsys.readouterr().out
    assert not (folder / "audit.json").exists()


def test_a_file_without_any_measured_label_is_not_recorded(folder, files, tmp_path):
    output = tmp_path / "audit.json"
    flags = [*files, "--toxic-label", "rude", "--hate-label", "cruel", "--output", str(output)]
    assert main(flags) == 0
    assert set(json.loads(output.read_text(encoding="utf-8"))["embedded"]["data"]) == {
        "data",
        "civil",
    }


def test_one_label_for_toxicity_and_hate_is_judged_as_toxicity(folder, files, tmp_path, capsys):
    output = tmp_path / "audit.json"
    assert main([*files, "--hate-label", "toxic", "--output", str(output)]) == 0
    audit = Audit.from_dict(json.loads(output.read_text(encoding="utf-8"))["embedded"])
    assert ("insulting", True) in {(kind.kind, kind.bad) for kind in audit.identity[0].kinds}
    davidson = [each for each in audit.transfer.figures if each.source == "Davidson"]
    assert [(each.label, each.positives) for each in davidson] == [("toxic", 20)]
    assert audit.function.label == "toxic"
    assert capsys.readouterr().out.count("toxic at other thresholds") == 1


def test_no_file_is_written_without_save_or_output(folder, files):
    assert main([*files, "--summary"]) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.onnx"]


def test_every_report_names_its_rows(folder, files, capsys):
    assert main(files) == 0
    shown = capsys.readouterr().out
    for line in ("madlibs: 20 sentences", "HateCheck: 3 cases", "data.csv: 20 rows, weighted"):
        assert line in shown
    assert "DynaHate identity_hate" in " ".join(shown.split())


def test_several_models_are_compared_side_by_side(folder, tmp_path, capsys):
    output = tmp_path / "both.json"
    flags = ["--summary", "--model", "one", "--model", "two", "--output", str(output)]
    assert main(["identity", *flags]) == 0
    assert list(json.loads(output.read_text(encoding="utf-8"))) == ["one", "two"]
    assert re.search(r"^result +one +two$", capsys.readouterr().out, re.M)


def test_a_model_that_lacks_a_label_is_measured_on_the_others(folder, files, capsys):
    assert main([*files, "--summary", "--hate-label", "hateful"]) == 0
    shown = capsys.readouterr().out
    assert "HateCheck" not in shown
    assert "identity_hate: highest" not in shown
    assert "madlibs: toxic: highest false-positive rate" in shown
    assert "embedded has no label hateful (it has toxic, identity_hate, threat)" in shown


def test_a_model_in_transformers_format_is_measured_too(tiny_base, tmp_path, files, capsys):
    start = files.index("--hatecheck")
    copy = shutil.copytree(tiny_base, tmp_path / "tiny")
    flags = ["--model", str(copy), *files[start : start + 2], "--save"]
    assert main(["function", *flags]) == 0
    assert "HateCheck: 3 cases" in capsys.readouterr().out
    assert Audit.load(copy).function.rows == 3
    assert not (copy / "README.md").exists()  # it had no card


def test_a_missing_label_is_mentioned_only_if_a_requested_measure_needs_it(folder, files, capsys):
    data = files[files.index("--data") : files.index("--data") + 2]
    assert main(["operating_points", *data, "--hate-label", "hateful"]) == 0
    assert "has no label" not in capsys.readouterr().out


@pytest.mark.parametrize("command", ["-m finetune.audit operating_points", "test_model.py"])
def test_a_closed_output_pipe_is_not_an_error(command, files):
    reading, writing = os.pipe()
    os.close(reading)
    words = [sys.executable, *command.split(), "--data", files[files.index("--data") + 1]]
    done = subprocess.run(words, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, b"Traceback" in done.stderr) == (141, False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["speed"], "no measure 'speed'; choose from identity"),
        (["--sample", "-1"], "--sample is -1"),
        (["function", "--hatecheck", "missing.csv"], "missing.csv: no such file"),
        (
            ["--save", "--model", "owner/downloaded"],
            "downloaded is not a folder on this machine",
        ),
        (["--output", "no/such/folder/audit.json"], "folder"),
        (["--output", "."], "a folder; name a file"),
        (["--seed", "-1"], "--seed is -1"),
        (["function"], "function needs a file; give --hatecheck."),
        (["transfer", "--data", "rows.csv"], "give --davidson or --dynahate or --civil."),
    ],
)
def test_an_invalid_argument_ends_in_one_clear_error(folder, capsys, arguments, message):
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_an_unwritable_output_ends_in_one_clear_error(folder, tmp_path, capsys):
    (tmp_path / "audit.json.part").mkdir()
    assert main(["identity", "--summary", "--output", str(tmp_path / "audit.json")]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "audit.json: cannot be written (Is a directory)" in line
