"""`python -m comment_toxicity compare`: old scores beside ours."""

import csv
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from comment_toxicity.errors import DataError, SettingsError
from comment_toxicity.policy import Policies, Rules
from comment_toxicity.service.compare import compare, matched_threshold, report
from tests.running import ROOT, python, run
from tests.service.conftest import KIND, RUDE

TEXTS = [KIND, RUDE, "Go away, you fool.", "What a lovely day!", "This page is rubbish.", "Shut up"]


@pytest.fixture
def old(tmp_path, embedded):
    """A file of comments with scores like ours, squared: other values, the same order."""
    file = tmp_path / "old.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "attributeScores.TOXICITY.summaryScore.value", "insult_score"])
        for text, scores in zip(TEXTS, embedded.score(TEXTS), strict=True):
            writer.writerow([text, float(scores[0]) ** 2, 1 - float(scores[4])])
        writer.writerow([" ", 0.5, 0.5])
        writer.writerow(["no scores", "", "n/a"])
    return str(file)


def test_the_same_order_correlates_and_the_threshold_keeps_the_flag_rate(embedded, old):
    comparison = compare(embedded, old, threshold=0.5)
    toxicity, insult = comparison.agreements
    assert (toxicity.attribute, insult.attribute) == ("TOXICITY", "INSULT")
    assert (toxicity.rows, comparison.skipped) == (6, 2)
    assert toxicity.rank == pytest.approx(1)
    assert insult.rank == pytest.approx(-1)
    assert toxicity.matched_threshold == toxicity.both == 1
    flagged = embedded.score(TEXTS)[:, 0] >= toxicity.threshold
    assert flagged.mean() == toxicity.flagged > 0


def test_the_largest_differences_come_first(embedded, old):
    found = compare(embedded, old, differences=3).differences
    gaps = [abs(one.theirs - one.ours) for one in found]
    assert len(found) == 3
    assert gaps == sorted(gaps, reverse=True)
    everything = compare(embedded, old, differences=100).differences
    assert gaps == [abs(one.theirs - one.ours) for one in everything[:3]]


def test_the_rank_correlation_is_spearmans_with_ties(embedded, tmp_path):
    file = tmp_path / "old.jsonl"
    theirs = [0.1, 0.9, 0.9, 0.1, 0.3, 0.5]
    lines = [json.dumps({"text": t, "TOXICITY": s}) for t, s in zip(TEXTS, theirs, strict=True)]
    file.write_text("\n".join(lines), encoding="utf-8")
    [agreement] = compare(embedded, str(file)).agreements
    ours = embedded.score(TEXTS)[:, 0]
    assert agreement.rank == pytest.approx(spearmanr(theirs, ours).statistic)
    assert agreement.mean_difference == pytest.approx(np.abs(ours - theirs).mean())


def test_comparing_in_many_chunks_gives_the_same_result_as_in_one(embedded, old, monkeypatch):
    whole = compare(embedded, old)
    monkeypatch.setattr("comment_toxicity.files.read.CHUNK_ROWS", 2)
    assert compare(embedded, old) == whole


@pytest.mark.parametrize(
    ("theirs", "flagged"),
    [([0.9, 0.1, 0.2], 1), ([0.1, 0.1, 0.1], 0), ([0.9, 0.9, 0.9], 3), ([0.8, 0.1, 0.9], 2)],
)
def test_the_matched_threshold_flags_as_many(theirs, flagged):
    ours = np.array([0.3, 0.5, 0.1])
    threshold = matched_threshold(np.array(theirs), ours, 0.8)
    assert (ours >= threshold).sum() == flagged


def test_equal_scores_are_flagged_together_if_that_is_nearer():
    ours = np.array([0.9, 0.5, 0.5, 0.5, 0.5, 0.1])
    for wanted, flagged in ((1, 1), (2, 1), (4, 5), (5, 5)):
        theirs = np.array([1.0] * wanted + [0.0] * (6 - wanted))
        assert (ours >= matched_threshold(theirs, ours, 0.8)).sum() == flagged


def test_a_column_without_scores_is_left_out(embedded, tmp_path):
    file = tmp_path / "old.csv"
    file.write_text("text,TOXICITY,THREAT\nYou fool,0.5,\n", encoding="utf-8")
    assert [found.attribute for found in compare(embedded, str(file)).agreements] == ["TOXICITY"]


def test_scores_that_are_all_the_same_have_no_correlation(embedded, tmp_path):
    file = tmp_path / "old.csv"
    file.write_text(f"text,TOXICITY\n{KIND},0.5\nYou fool,0.5\n", encoding="utf-8")
    [agreement] = compare(embedded, str(file)).agreements
    assert math.isnan(agreement.rank)


def test_the_report_has_the_thresholds_as_a_policy(embedded, tmp_path):
    file = tmp_path / "old.csv"
    file.write_text(
        f"text,INSULT,PROFANITY,OBSCENE\n{KIND},0.1,0,0.9\n{RUDE},0.9,0.9,0", encoding="utf-8"
    )
    comparison = compare(embedded, str(file))
    text = report(comparison).partition("```toml\n")[2].partition("```")[0]
    [policy] = Policies.parse("report", text, embedded.labels).named.values()
    thresholds = {row.attribute: row.threshold for row in comparison.agreements}
    assert policy.thresholds == {
        "insult": pytest.approx(thresholds["INSULT"]),
        "obscene": pytest.approx(thresholds["PROFANITY"]),
    }
    rules = Rules(policy, embedded)
    kind, rude = map(rules.flags, embedded.score([KIND, RUDE]))
    assert "insult" not in kind
    assert "insult" in rude


def test_the_report_shows_a_comment_as_text_on_one_line(embedded, tmp_path):
    file = tmp_path / "old.csv"
    file.write_text('text,TOXICITY\n"a | b\n\x1b[31m' + "c" * 200 + '",1\n', encoding="utf-8")
    lines = report(compare(embedded, str(file))).splitlines()
    assert lines[-1].startswith("| TOXICITY | 1.00 | ")
    assert "\x1b" not in lines[-1]
    assert "a \\| b" in lines[-1]
    assert len(lines[-1]) < 130


def test_a_file_without_scores_to_compare_is_an_error(embedded, tmp_path):
    file = tmp_path / "old.csv"
    file.write_text("text,rudeness\nhi,0.5\n", encoding="utf-8")
    with pytest.raises(DataError, match="no column is named after a Perspective attribute"):
        compare(embedded, str(file))
    for rows in ("", "hi,high\n", ",0.5\n"):
        file.write_text("text,TOXICITY\n" + rows, encoding="utf-8")
        with pytest.raises(DataError, match=r"no comment has a score .*\(looked at TOXICITY\)"):
            compare(embedded, str(file))
    with pytest.raises(SettingsError, match="--threshold"):
        compare(embedded, str(file), threshold=1)


ANSWERS = [0.9, 0.05, 0.8, 0.1, 0.3, 0.6]


def answer(score):
    """What the API answers, with the scores of spans, which are not the comment's."""
    return {
        "attributeScores": {
            "TOXICITY": {
                "spanScores": [{"begin": 0, "end": 2, "score": {"value": 0.5, "type": "P"}}],
                "summaryScore": {"value": score, "type": "PROBABILITY"},
            }
        },
        "languages": ["en"],
    }


def request(text):
    return {"comment": {"text": text}, "requestedAttributes": {"TOXICITY": {}}}


def joined(row, apart):
    """A row with joined names, as pandas.json_normalize makes it."""
    return pd.json_normalize(row, sep=apart).to_dict("records")[0]


ROWS = {
    "the answer's fields beside the text": lambda t, s: {"text": t} | answer(s),
    "an answer in a field": lambda t, s: {"text": t, "perspective": answer(s)},
    "request and response": lambda t, s: {"request": request(t), "response": answer(s)},
    "the text in a comment": lambda t, s: request(t) | answer(s),
    "joined by points": lambda t, s: joined({"text": t} | answer(s), "."),
    "joined by underscores": lambda t, s: joined(
        {"request": request(t), "response": answer(s)}, "_"
    ),
    "JSON text": lambda t, s: {"text": t, "answer": json.dumps(answer(s))},
    "as Python prints it": lambda t, s: {"text": t, "answer": str(answer(s))},
    "JSON text of both": lambda t, s: {
        "request": json.dumps(request(t)),
        "response": json.dumps(answer(s)),
    },
    "a name of two words": lambda t, s: {"text": t, "Toxicity Score": s},
    "scores in an object": lambda t, s: {"text": t, "scores": {"TOXICITY": s}},
    "text and score in one object": lambda t, s: {"post": {"text": t, "toxicity": s}},
    "a label beside it": lambda t, s: {"text": t, "toxicity": 1} | answer(s),
}


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("kind", ROWS)
def test_kept_answers_are_read_in_every_form(embedded, tmp_path, kind, ending):
    rows = [ROWS[kind](text, score) for text, score in zip(TEXTS, ANSWERS, strict=True)]
    nested = any(isinstance(cell, dict | list) for cell in rows[0].values())
    texts_inside = not {"text", "request_comment_text"} & rows[0].keys()
    if (ending == "csv" and nested) or (ending == "parquet" and texts_inside):
        return  # there is no such file
    file = tmp_path / f"old.{ending}"
    if ending == "jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif ending == "csv":
        pd.DataFrame(rows).to_csv(file, index=False)
    else:
        pd.DataFrame(rows).to_parquet(file)
    [agreement] = compare(embedded, str(file), threshold=0.5).agreements
    ours = embedded.score(TEXTS)[:, 0]
    assert (agreement.attribute, agreement.rows) == ("TOXICITY", 6)
    assert agreement.mean_difference == pytest.approx(np.abs(ours - ANSWERS).mean())


def test_rows_without_an_answer_are_skipped_and_answers_may_appear_late(
    embedded, tmp_path, monkeypatch
):
    monkeypatch.setattr("comment_toxicity.files.read.CHUNK_ROWS", 2)
    refused = {"error": {"code": 400, "message": "COMMENT_EMPTY"}}
    rows = [{"text": KIND} | refused] * 3 + [{"text": RUDE} | answer(0.9)]
    file = tmp_path / "old.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    comparison = compare(embedded, str(file))
    assert (comparison.skipped, comparison.agreements[0].rows) == (3, 1)


def test_texts_in_several_objects_are_left_to_the_user(embedded, tmp_path):
    row = {"prompt": {"text": KIND, "toxicity": 0.1}, "reply": {"text": RUDE, "toxicity": 0.9}}
    file = tmp_path / "old.jsonl"
    file.write_text(json.dumps(row))
    with pytest.raises(DataError, match=r"prompt\.text or reply\.text could be the comments"):
        compare(embedded, str(file))
    [agreement] = compare(embedded, str(file), "reply.text").agreements
    assert agreement.flagged == 1


def test_a_guessed_column_is_told(embedded, tmp_path):
    file, told = tmp_path / "old.csv", []
    file.write_text("id,body,TOXICITY\n1,You fool,0.5\n")
    compare(embedded, str(file), tell=told.append)
    assert told == ["The comments are taken from the column body; --text-column names another."]


def test_a_model_of_other_things_is_not_compared(old):
    class Film:
        name = "film"
        labels = ("negative", "positive")

    with pytest.raises(SettingsError, match="none is one of Perspective's attributes"):
        compare(Film(), old)


def test_scores_with_a_decimal_comma_are_read(embedded, tmp_path):
    file = tmp_path / "old.csv"
    file.write_text("text;TOXICITY\nYou fool;0,75\nHello, you;1\n", encoding="utf-8")
    [agreement] = compare(embedded, str(file), threshold=0.7).agreements
    assert (agreement.rows, agreement.flagged) == (2, 1)


def test_a_score_too_large_for_a_float_is_ignored(embedded, tmp_path):
    file = tmp_path / "old.jsonl"
    rows = [{"text": "You fool", "toxicity": score} for score in (0.75, 10**400, 0.5)]
    file.write_text("\n".join(map(json.dumps, rows)))
    [agreement] = compare(embedded, str(file), threshold=0.7).agreements
    assert (agreement.rows, agreement.flagged) == (2, 0.5)


def test_the_report_replaces_characters_that_the_terminal_lacks(old):
    done = python("-m", "comment_toxicity", "compare", old, PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "| TOXICITY | 6 | 1.000 |" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_a_full_standard_output_ends_in_one_line(old):
    done = run("sh", "-c", f"{sys.executable} -m comment_toxicity compare {old} > /dev/full")
    assert done.returncode == 2
    assert done.stderr.startswith("error: standard output: writing failed (No space left")
    assert done.stderr.count("\n") == 1


def test_the_compare_command_prints_the_report(old):
    done = subprocess.run(
        [sys.executable, "-m", "comment_toxicity", "compare", old, "--threshold", "0.5"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "| TOXICITY | 6 | 1.000 |" in done.stdout
