"""Everyday sentences, and what of them is flagged, with a word list instead of a model."""

import numpy as np
import pandas as pd
import pytest

from comment_toxicity.errors import DataError
from finetune.audit.audit import headlines
from finetune.audit.card import audit_section
from finetune.audit.dress import DRESSES, dressed
from finetune.audit.everyday import EverydayReport, interval, measure_everyday
from finetune.audit.everyday_rows import FILE, LENGTHS, PLACES, cut, insert, load_everyday
from finetune.checkout import ROOT
from finetune.rated_sentences import nearly_in

COMMENT = ["One two three.", "Four five.", "Six seven eight nine.", "Ten."]


@pytest.fixture(scope="module")
def rows():
    return load_everyday()


def measure(rows, examples=0):
    """Flag as toxic what says “idiot”, as a threat what says “kill”."""
    hits = {
        "toxic": rows.text.str.contains("idiot").to_numpy(),
        "threat": rows.text.str.contains("kill").to_numpy(),
    }
    scores = {label: found * 0.9 for label, found in hits.items()}
    limits = {"toxic": 0.5, "threat": 0.5}
    any_label = hits["toxic"] | hits["threat"]
    return measure_everyday(
        "everyday", rows, scores, hits, any_label, limits, "toxic", "threat", examples
    )


def few(*rows):
    columns = ["text", "part", "kind", "place", "around", "sentence"]
    return pd.DataFrame([(row[0], *row[1:], row[0]) for row in rows], columns=columns)


def test_every_kind_has_forty_sentences_of_many_lengths(rows):
    harmless = rows[rows.part == "harmless"]
    for kind, of_kind in harmless[~harmless.kind.str.startswith("ordinary")].groupby("kind"):
        assert len(of_kind) >= 40, kind
        words = of_kind.text.str.split().str.len()
        assert words.min() <= 9 < 25 <= words.max(), kind
    assert not harmless.text.str.lower().duplicated().any()
    assert not rows.text[rows.part != "dressed"].str.contains(r"[{}\[\]]").any()


def test_every_sentence_meets_every_place_and_length(rows):
    inserted = rows[(rows.part == "inserted") & (rows.around > 0) & (rows.kind != "nothing")]
    cells = inserted.groupby(["kind", "place", "around"]).sentence.agg(["size", "nunique"])
    assert len(cells) == 3 * len(PLACES) * len(LENGTHS)
    assert (cells["size"] == 4 * 26).all()
    assert (cells["nunique"] == 26).all()
    words = inserted.text.str.split().str.len() - inserted.sentence.str.split().str.len()
    assert (words - inserted.around).abs().max() <= 12


def test_a_comment_is_cut_at_the_end_of_the_nearest_sentence():
    assert cut(COMMENT, 1) == COMMENT[:1]
    assert cut(COMMENT, 8) == COMMENT[:3]
    assert cut(COMMENT, 99) == COMMENT


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("beginning", "X. One two three. Four five. Six seven eight nine. Ten."),
        ("middle", "One two three. Four five. X. Six seven eight nine. Ten."),
        ("end", "One two three. Four five. Six seven eight nine. Ten. X."),
    ],
)
def test_a_sentence_is_put_between_sentences(place, text):
    assert insert("X.", COMMENT, place) == text


@pytest.mark.parametrize(
    ("dress", "text"),
    [
        ("small capitals", "ᴀ xʏ, ɢᴏ."),
        ("dark squared letters", "🅰 🆇🆈, 🅶🅾."),
        ("flag letters, spaced", "🇦   🇽 🇾 ,   🇬 🇴 ."),
        ("code block", "```\na xy, go.\n```"),
        ("bold inside", "a x**y**, go."),
        ("empty HTML tag inside", "a x<i></i>y, go."),
        ("HTML entity inside", "a x&#121;, go."),
    ],
)
def test_a_dress_keeps_the_words(dress, text):
    wide = dressed("a [xy], go.", dress)
    assert " ".join(wide.split(" ")) == text


def test_every_dress_changes_every_sentence(rows):
    of_dress = rows[rows.part == "dressed"]
    assert set(of_dress.place) == set(DRESSES)
    assert (of_dress.text != of_dress.sentence).all()


def test_shares_are_counted_by_kind_with_their_interval():
    report = measure(
        few(
            ("an idiot", "harmless", "reports", "", 0),
            ("to kill", "harmless", "reports", "", 0),
            ("a cat", "harmless", "reports", "", 0),
            ("a dog", "harmless", "reports", "", 0),
            ("I kill you", "inserted", "threats", "alone", 0),
        )
    )
    reports, threats = report.shares
    assert (reports.rows, reports.flagged, reports.any_label) == (4, 0.25, 0.5)
    assert (threats.label, threats.flagged) == ("threat", 1)
    assert report.harmless_table().cells() == [["reports", "4", "25.0 %", "(4.6–69.9)", "50.0 %"]]


def test_wilsons_interval_is_within_0_and_1():
    assert interval(0, 10) == pytest.approx((0, 0.27753), abs=1e-5)
    assert interval(10, 10) == pytest.approx((0.72247, 1), abs=1e-5)
    assert interval(8, 10) == pytest.approx((0.49016, 0.94332), abs=1e-5)


def test_the_worst_examples_are_those_judged_wrongly():
    report = measure(
        few(
            ("an idiot", "harmless", "reports", "", 0),
            ("a cat", "harmless", "reports", "", 0),
            ("you idiot", "inserted", "insults", "alone", 0),
            ("you moron", "inserted", "insults", "alone", 0),
        ),
        examples=5,
    )
    assert [each.sentence for each in report.examples] == ["an idiot", "you moron"]
    assert "you moron" in report.table()
    again = EverydayReport.from_dict(report.to_dict())
    assert again.to_dict() == report.to_dict()
    assert "moron" not in str(report.to_dict())


def test_without_a_label_for_threats_the_rest_is_measured(rows):
    hits = {"toxic": np.zeros(len(rows), dtype=bool)}
    report = measure_everyday("everyday", rows, hits, hits, None, {"toxic": 0.5}, "toxic")
    assert not report.of("inserted", "threats")
    assert report.of("harmless", "names")[0].any_label is None
    assert len(report.inserted_table().rows) == 1 + 2 * len(PLACES)


def test_the_audit_has_it_in_its_results_and_card(audit):
    names = [each.name for each in headlines(audit) if each.name.startswith("everyday")]
    assert len(names) == 8
    text = "\n".join(audit_section(audit))
    assert "### Everyday language" in text
    assert "| small capitals |" in text
    assert "| threats | threat | middle |" in text


def test_a_malformed_file_ends_in_one_clear_error(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        load_everyday(tmp_path / "everyday.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("[harmless]\n")
    with pytest.raises(DataError, match="not a file of everyday sentences"):
        load_everyday(broken)


def test_no_measured_sentence_is_among_those_for_training(rows):
    assert FILE.is_file()
    measured = rows[(rows.part == "harmless") | (rows.around == 0) & (rows.part == "inserted")]
    for path in (ROOT / "data").glob("*_sentences.csv"):
        trained = pd.read_csv(path).text
        near = trained[nearly_in(trained.tolist(), measured.text.tolist())]
        assert near.empty, near.tolist()
