"""A decision log → how much each label is flagged, week by week, against the first weeks.

More flags can mean other comments, another model or another policy; it is for a person to find out.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from comment_toxicity.errors import DataError, SettingsError
from comment_toxicity.intervals import difference, wilson
from comment_toxicity.service import decision_file

MAX_LABELS = 1000
MAX_WEEKS = 10_000


@dataclass
class Week:
    """The comments of one week, or of several. flagged: label → how many carry it."""

    comments: int = 0
    flagged: Counter[str] = field(default_factory=Counter)
    weights: set[str] = field(default_factory=set)

    def share(self, label: str) -> float:
        """The share of its comments that are flagged with a label."""
        return self.flagged[label] / self.comments

    def add(self, other: "Week") -> None:
        """Count another week's comments, too."""
        self.comments += other.comments
        self.flagged += other.flagged
        self.weights |= other.weights


@dataclass(frozen=True)
class Drift:
    """What a log shows.

    weeks: by ISO week, such as 2026-W48, in order; weeks without comments are left out.
    first: how many of them are those compared with. skipped: lines that are not entries.
    """

    log: str
    labels: list[str]
    weeks: dict[str, Week]
    first: int
    skipped: int

    @property
    def baseline(self) -> Week:
        """The first weeks together."""
        together = Week()
        for week in list(self.weeks.values())[: self.first]:
            together.add(week)
        return together


def read_log(log: str) -> Iterable[Mapping[str, Any] | None]:
    """Yield the entries of a file or a database, None for a line that cannot be read.

    Raises SettingsError.
    """
    if "://" in log:
        from comment_toxicity.service import decision_table  # SQLAlchemy takes 0.3 s

        return decision_table.read(log)
    if not decision_file.files(Path(log)):
        raise SettingsError(f"{log}: no such file; name that of serve's --decision-log.")
    return decision_file.read(Path(log))


def drift(log: str, first: int = 4, policy: str | None = None) -> Drift:
    """Count a log's flags by week.

    first: the number of weeks to compare with; fewer if the log has no week after them.
    policy: count only what it decided; empty: what no policy did.
    Raises SettingsError for a log that cannot be read, DataError for one without entries.
    """
    if first < 1:
        raise SettingsError("--first must be at least 1.")
    weeks: defaultdict[str, Week] = defaultdict(Week)
    labels: dict[str, None] = {}
    skipped = 0
    try:
        for entry in read_log(log):
            name = _week(entry)
            if entry is None or not name or (name not in weeks and len(weeks) >= MAX_WEEKS):
                skipped += 1
                continue
            if policy is not None and entry["policy"] != policy:
                continue
            week = weeks[name]
            week.comments += 1
            week.weights.add(entry["weights"])
            known = [*entry["scores"], *entry["flags"]]
            labels |= dict.fromkeys(known[: MAX_LABELS - len(labels)])
            week.flagged.update(label for label in entry["flags"] if label in labels)
    except OSError as error:
        raise SettingsError(f"{log}: cannot be read ({error.strerror}).") from None
    if not weeks:
        of = f" of policy {policy!r}" if policy is not None else ""
        raise DataError(f"{log}: has no decision{of}; see docs/decisions.md for what is recorded.")
    first = max(1, min(first, len(weeks) - 1))
    return Drift(log, list(labels), dict(sorted(weeks.items())), first, skipped)


def report(found: Drift) -> str:
    """Return the shares as Markdown that can also be read in a terminal."""
    names = list(found.weeks)
    baseline = found.baseline
    comments = sum(week.comments for week in found.weeks.values())
    since = names[0] if found.first == 1 else f"{names[0]} to {names[found.first - 1]}"
    lines = [
        f"{comments:,} comments, {names[0]} to {names[-1]}. Share flagged, with its 95 % interval.",
        "",
        f"| week | comments | {' | '.join(found.labels)} |",
        f"|---|--:|{'--:|' * len(found.labels)}",
        _row(since, baseline, found.labels),
    ]
    later = names[found.first :]
    lines += [_row(name, found.weeks[name], found.labels, baseline) for name in later]
    lines.append("")
    if later:
        lines.append(
            f"↑ and ↓: more or less than in {since}, by more than chance in 19 of 20 cases. Of 100 "
            "shares that\nhave not changed some 5 are marked, and more if comments come in waves."
        )
    else:
        lines.append("There is no later week to compare with.")
    changed = [name for name in later if not found.weeks[name].weights <= baseline.weights]
    if changed:
        lines.append(f"The model has other weights than in {since}: {_listed(changed)}.")
    if found.skipped:
        lines.append(f"{found.skipped:,} lines are not decisions and were skipped.")
    return "\n".join(lines)


def _row(name: str, week: Week, labels: Iterable[str], baseline: Week | None = None) -> str:
    cells = [name, f"{week.comments:,}"]
    for label in labels:
        share = week.share(label)
        low, high = wilson(share, week.comments)
        mark = ""
        if baseline:
            least, most = difference(baseline.share(label), baseline.comments, share, week.comments)
            mark = " ↑" if least > 0 else " ↓" if most < 0 else ""
        cells.append(f"{share:.1%} ({100 * low:.1f}–{100 * high:.1f}){mark}")
    return f"| {' | '.join(cells)} |"


def _listed(names: list[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more weeks" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _week(entry: Mapping[str, Any] | None) -> str:
    """The ISO week of an entry, in UTC; empty if it is not a whole entry."""
    if entry is None:
        return ""
    scores, flags = entry.get("scores"), entry.get("flags")
    if not isinstance(scores, dict) or not isinstance(flags, list):
        return ""
    texts = [entry.get("time"), entry.get("policy"), entry.get("weights"), *flags]
    if not all(isinstance(text, str) for text in texts):
        return ""
    try:
        time = datetime.fromisoformat(entry["time"])
        utc = time.astimezone(UTC) if time.tzinfo else time  # SQLite keeps no zone
        year, week, _ = utc.isocalendar()
    except (ValueError, OverflowError):
        return ""
    return f"{year:04}-W{week:02}"
