"""`comment-toxicity drift`: shares of flagged comments by week."""

import json
import re
import sys

import pytest

from comment_toxicity.errors import DataError, SettingsError
from comment_toxicity.intervals import difference, wilson
from comment_toxicity.service.decision_file import Entry
from comment_toxicity.service.decision_table import DatabaseStore
from comment_toxicity.service.drift import drift, report
from tests.running import run

MONDAYS = ["2026-09-28", "2026-10-05", "2026-10-12", "2026-10-19", "2026-10-26", "2026-11-02"]


def decisions(flagged, weights="old", policy="", comments=200):
    """Six weeks of comments; flagged: how many of each week are toxic."""
    for day, count in zip(MONDAYS, flagged, strict=True):
        late = day > MONDAYS[4]
        for number in range(comments):
            yield Entry(
                f"{day}T23:59:5{number % 10}Z",
                f"{day} {number}",
                policy,
                "new" if late else weights,
                {"toxic": 0.5, "threat": 0.1},
                ["toxic"] if number < count else [],
            )


STEADY_THEN_MORE = [20, 20, 20, 20, 22, 60]


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"".join(entry.line() for entry in decisions(STEADY_THEN_MORE)))
    return str(path)


def test_weeks_that_differ_from_the_first_are_marked(log):
    lines = report(drift(log)).splitlines()
    assert lines[0].startswith("1,200 comments, 2026-W40 to 2026-W45.")
    assert lines[2] == "| week | comments | toxic | threat |"
    low, high = wilson(0.1, 800)
    toxic = f"10.0% ({100 * low:.1f}–{100 * high:.1f})"
    assert lines[4].startswith(f"| 2026-W40 to 2026-W43 | 800 | {toxic} | 0.0% (0.0–")
    assert lines[5].startswith("| 2026-W44 | 200 | 11.0% (")
    assert "↑" not in lines[5]
    assert re.match(r"\| 2026-W45 \| 200 \| 30.0% \(\S+\) ↑ \| 0.0% \(\S+\) \|$", lines[6])
    assert "The model has other weights than in 2026-W40 to 2026-W43: 2026-W45." in lines


def test_fewer_flags_are_marked_too(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"".join(e.line() for e in decisions([60, 60, 60, 60, 60, 20])))
    rows = [line for line in report(drift(str(path), first=1)).splitlines() if "↓" in line]
    assert [row[:11] for row in rows] == ["| 2026-W45 ", "↑ and ↓: mo"]


def test_rotated_files_are_read_too_and_broken_lines_skipped(log, tmp_path):
    lines = (tmp_path / "log.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "log.jsonl.1").write_bytes(b"".join(lines[:700]))
    broken = ["{", "[]", "{}", json.dumps({**json.loads(lines[0]), "time": "soon"})]
    broken += [json.dumps({**json.loads(lines[0]), "flags": [3]}), '{"time": "9999-12-31"}']
    rest = b"".join(lines[700:]) + "\n".join(broken).encode()
    (tmp_path / "log.jsonl").write_bytes(rest)
    found = drift(log)
    assert sum(week.comments for week in found.weeks.values()) == 1200
    assert found.skipped == len(broken)
    assert f"{len(broken)} lines are not decisions" in report(found)


def test_a_database_shows_the_same_as_a_file(log, database):
    store = DatabaseStore(database, 10_000)
    store.open()
    store.write(list(decisions(STEADY_THEN_MORE)))
    store.close()
    assert report(drift(database)) == report(drift(log))


def test_one_policy_can_be_counted_alone(tmp_path):
    path = tmp_path / "log"
    both = [*decisions([20] * 6), *decisions([90] * 6, policy="strict")]
    path.write_bytes(b"".join(entry.line() for entry in both))
    shares = {
        policy: drift(str(path), policy=policy).baseline.share("toxic")
        for policy in (None, "", "strict")
    }
    assert shares == {None: 0.275, "": 0.1, "strict": 0.45}
    with pytest.raises(DataError, match="no decision of policy 'nobody'"):
        drift(str(path), policy="nobody")


def test_a_single_week_is_shown_without_a_comparison(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(next(decisions(STEADY_THEN_MORE)).line())
    assert "There is no later week to compare with." in report(drift(str(path)))


def test_a_log_that_cannot_be_used_is_one_sentence(tmp_path):
    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(DataError, match="has no decision"):
        drift(str(empty))
    for log in ("nowhere.jsonl", f"sqlite:///{tmp_path}/nowhere.db", "oracle://host/name"):
        with pytest.raises(SettingsError):
            drift(log)
    with pytest.raises(SettingsError, match="--first"):
        drift(str(empty), first=0)


def test_the_interval_of_a_difference_is_newcombes():
    # His example (1998, table II): 56/70 and 48/80, by his method 10.
    low, high = difference(48 / 80, 80, 56 / 70, 70)
    assert (low, high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert difference(0, 10, 0, 10)[0] < 0 < difference(0, 10, 0, 10)[1]


def test_the_command_prints_the_report(log):
    done = run(sys.executable, "-m", "comment_toxicity", "drift", log, "--first", "2")
    assert done.returncode == 0, done.stderr
    assert "| 2026-W40 to 2026-W41 | 400 |" in done.stdout
    failed = run(sys.executable, "-m", "comment_toxicity", "drift", "nowhere")
    assert failed.returncode == 2
    assert failed.stderr == "error: nowhere: no such file; name that of serve's --decision-log.\n"
