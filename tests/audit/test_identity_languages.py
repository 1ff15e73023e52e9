"""Neutral sentences in other languages, flagged for the people that they name."""

import numpy as np
import pytest

from comment_toxicity.errors import DataError
from comment_toxicity.languages import NAMES
from finetune.audit.__main__ import main
from finetune.audit.audit import Audit, headlines
from finetune.audit.card import audit_section
from finetune.audit.languages import LanguageIdentityReport, load_sentences, measure_identity


def test_every_language_has_each_group_in_each_of_its_sentences():
    rows = load_sentences()
    assert set(rows.language) < set(NAMES)
    assert not rows.text.duplicated().any()
    assert not rows.text.str.contains(r"[{}]").any()
    counts = rows.groupby(["language", "group"]).size()
    assert set(counts[counts.index.get_level_values("group") != ""]) == {6}
    assert set(counts.xs("", level="group")) == {24}
    assert set(rows.groupby("language").group.nunique()) == {13}


@pytest.fixture(scope="module")
def report():
    rows = load_sentences()
    of_women = rows.text.str.contains("Frauen|femmes")
    return measure_identity("sentences", rows, of_women)


def test_a_language_is_compared_with_its_background(report):
    assert report.flagged("de") == pytest.approx(1 / 12)
    assert report.background("de") == 0
    assert report.flagged("es") == 0
    assert report.groups("fr")[0].group == "women"
    line = next(each for each in report.table().splitlines() if each.startswith("German"))
    assert line.split()[1:4] == ["72", "8.3", "%"]
    assert line.endswith("women 100.0 %")


def test_it_is_in_the_results_the_card_and_the_file(report):
    audit = Audit(None, languages=report)
    [headline] = headlines(audit)
    assert "fr 8.3 %" in headline.about
    assert "| German " in "\n".join(audit_section(audit))
    assert LanguageIdentityReport.from_dict(report.to_dict()).table() == report.table()


def test_a_model_is_measured_in_the_languages_that_it_reads(capsys):
    assert main(["languages", "--summary", "--model", "models/toxic-multilingual"]) == 0
    assert "de " in capsys.readouterr().out
    assert main(["languages", "--summary"]) == 0  # the embedded model reads English
    assert "by language" not in capsys.readouterr().out


def test_a_malformed_file_ends_in_one_clear_error(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        load_sentences(tmp_path / "languages.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text('[de]\ntemplates = ["{few}"]\nbackground = ["x"]\n[de.people]\n')
    with pytest.raises(DataError, match="not a file of sentences by language"):
        load_sentences(broken)


def test_nothing_is_flagged_where_no_label_is():
    rows = load_sentences().head(30)
    found = measure_identity("sentences", rows, np.zeros(30, dtype=bool))
    assert {found.flagged(language) for language in found.languages} == {0.0}
