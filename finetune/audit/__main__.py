"""python -m finetune.audit [MEASURE ...] --model NAME [--data FILE] [--madlibs FILE] …."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from classifier.errors import EXIT_CODE, SettingsError, UserError

from . import sources
from .glance import at_a_glance, compare, glance_table
from .record import Audit

Measure = Callable[["Subject"], dict[str, Any]]
CHUNK = 256  # texts between two moves of the progress bar


def main(arguments: list[str] | None = None) -> int:
    """Print the measures that the command line asks for. Returns the exit code."""
    flags = _parser().parse_args(arguments)
    try:
        _check(flags)
        names = flags.measures or list(MEASURES)
        glances = {}
        for model in flags.model or [None]:
            subject = Subject(flags, model)
            audit = subject.measure(names)
            print(f"\n== {subject.classifier.name}\n{glance_table(audit, subject.folder)}")
            glances[subject.classifier.name] = at_a_glance(audit, subject.folder)
            if flags.save:
                subject.save(audit)
        if len(glances) > 1:
            print(f"\n{compare(glances)}")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_CODE
    except KeyboardInterrupt:
        print("stopped; nothing of the last model was written", file=sys.stderr)
        return 130
    return 0


class Subject:
    """A model under measurement: its scores, by column, and what the flags say of it."""

    def __init__(self, flags: argparse.Namespace, model: str | None):
        from classifier import load_classifier

        self.flags = flags
        self.classifier = load_classifier(model) if model else load_classifier()
        self.folder = self.classifier.folder.path
        self.labels = list(self.classifier.labels)
        self.data: dict[str, dict[str, str]] = {}
        self._labelled: tuple[pd.DataFrame, np.ndarray] | None = None

    def measure(self, names: Sequence[str]) -> Audit:
        """Take the named measures for which there are files, and print them."""
        from classifier.decision import Weights

        found: dict[str, Any] = {}
        for name in names:
            reports = MEASURES[name](self)
            found |= reports
            if not self.flags.summary:
                for report in (r for value in reports.values() for r in _listed(value)):
                    print(f"\n── {name.replace('_', ' ')}\n{report.table()}", flush=True)
        return Audit(Weights.of(self.classifier.folder.weights), self.data, **found)

    def save(self, audit: Audit) -> None:
        """Keep the audit beside the weights, and tell it in the card if there is one."""
        from finetune.card import write_card

        before = Audit.load(self.folder)
        (before.updated(audit) if before else audit).save(self.folder)
        if (self.folder / "README.md").is_file() and self.classifier.calibrated:
            write_card(self.folder)
        print(f"written: {self.folder / 'audit.json'}")

    def score(self, texts: Sequence[str], what: str) -> np.ndarray:
        """Give (texts × labels) probabilities."""
        from tqdm import tqdm

        parts = []
        with tqdm(total=len(texts), unit=" texts", desc=what, disable=None, leave=False) as bar:
            for start in range(0, len(texts), CHUNK):
                parts.append(self.classifier.score(texts[start : start + CHUNK]))
                bar.update(len(parts[-1]))
        return np.concatenate(parts)

    def column(self, label: str) -> int | None:
        """Give the place of a label among the scores; None where the model lacks it."""
        return self.labels.index(label) if label in self.labels else None

    def threshold(self, label: str) -> float:
        """Give the model's threshold; 0.5 where labels exclude each other."""
        return self.classifier.thresholds.get(label, 0.5)

    def file(self, flag: str) -> str | None:
        """Give the file that a flag names, and note that it was read."""
        from finetune.data import fingerprint

        path = getattr(self.flags, flag)
        if path:
            self.data[flag] = {"name": Path(path).name}
            if Path(path).is_file():
                self.data[flag]["sha256"] = fingerprint(path)
        return path

    def labelled(self) -> tuple[pd.DataFrame, np.ndarray] | None:
        """Give the rows of --data and their scores; None without it."""
        path = self.file("data")
        if path and self._labelled is None:
            rows = sources.read_labelled(path, self.labels)
            self._labelled = rows, self.score(rows.text.tolist(), "data")
        return self._labelled


def identity(subject: Subject) -> dict[str, Any]:
    """Measure our own templates, and --madlibs."""
    from .identity import measure_identity
    from .templates import BACKGROUND, load_templates

    reports = []
    templates = load_templates()
    toxic, hate = subject.flags.toxic_label, subject.flags.hate_label
    rows = templates.rows()
    scores = subject.score(rows.text.tolist(), "templates")
    terms = [term for term in dict.fromkeys(rows.term) if term != BACKGROUND]
    plain = rows.kind.isin(["neutral", "positive", "hateful", "insulting"]).to_numpy()
    sets = (("templates", plain), ("templates, hate answered", ~plain | (rows.toxic == 1)))
    for label, truth in ((toxic, "toxic"), (hate, "identity_hate")):
        place = subject.column(label)
        for source, chosen in sets if place is not None else ():
            part, keep = rows[chosen], np.asarray(chosen)
            reports.append(
                measure_identity(
                    source,
                    label,
                    part[truth].to_numpy(),
                    scores[keep, place],
                    subject.threshold(label),
                    {term: (part.term == term).to_numpy() for term in terms},
                    part.kind.tolist(),
                )
            )
    path, place = subject.file("madlibs"), subject.column(toxic)
    if path and place is not None:
        rows = sources.read_madlibs(path)
        scores = subject.score(rows.text.tolist(), "madlibs")
        reports.append(
            measure_identity(
                "madlibs",
                toxic,
                rows.bad.to_numpy(),
                scores[:, place],
                subject.threshold(toxic),
                templates.mentions(rows.text.tolist()),
            )
        )
    return {"identity": reports}


def function(subject: Subject) -> dict[str, Any]:
    """Measure --hatecheck."""
    from .function import measure_function

    label = subject.flags.hate_label
    path, place = subject.file("hatecheck"), subject.column(label)
    if not path or place is None:
        return {}
    rows = sources.read_hatecheck(path)
    report = measure_function(
        "HateCheck",
        label,
        rows.functionality.tolist(),
        rows.hateful.to_numpy(),
        subject.score(rows.text.tolist(), "HateCheck")[:, place],
        subject.threshold(label),
        rows.target.tolist(),
    )
    return {"function": report}


def operating_points(subject: Subject) -> dict[str, Any]:
    """Measure --data at several thresholds."""
    from .operating_points import measure_operating_points

    found = subject.labelled()
    if found is None:
        return {}
    rows, scores = found
    labels = [label for label in subject.labels if label in rows]
    weights = rows[sources.WEIGHT_COLUMN].to_numpy()
    report = measure_operating_points(
        subject.data["data"]["name"],
        labels,
        rows[labels].to_numpy(),
        scores[:, [subject.labels.index(label) for label in labels]],
        {label: subject.threshold(label) for label in labels},
        weights if (weights != 1).any() else None,
    )
    return {"operating_points": report}


def robustness(subject: Subject) -> dict[str, Any]:
    """Measure --data, or a sample of it, again in each disguise."""
    from .robustness import DISGUISES, disguise, draw_rows, measure_robustness

    found = subject.labelled()
    if found is None:
        return {}
    rows, scores = found
    seed, size = subject.flags.seed, subject.flags.sample or len(rows)
    labels = [label for label in subject.labels if label in rows]
    columns = [subject.labels.index(label) for label in labels]
    targets, weights = rows[labels].to_numpy(), rows[sources.WEIGHT_COLUMN].to_numpy()
    places, weights = draw_rows(targets, weights, size, seed)
    texts = rows.text.iloc[places].tolist()
    disguised = {
        kind: subject.score(disguise(texts, kind, seed), kind)[:, columns] for kind in DISGUISES
    }
    report = measure_robustness(
        subject.data["data"]["name"],
        labels,
        targets[places],
        scores[places][:, columns],
        disguised,
        {label: subject.threshold(label) for label in labels},
        weights,
        drawn_from=len(rows),
    )
    return {"robustness": report}


def transfer(subject: Subject) -> dict[str, Any]:
    """Measure the ranking of --davidson, --dynahate and --civil."""
    from .reports import TransferReport
    from .transfer import measure_transfer

    toxic, hate = subject.flags.toxic_label, subject.flags.hate_label
    readers: dict[str, tuple[str, Callable[[str], pd.DataFrame]]] = {
        "davidson": ("Davidson", lambda path: sources.read_davidson(path, toxic, hate)),
        "dynahate": ("DynaHate", lambda path: sources.read_dynahate(path, hate)),
        "civil": ("Civil Comments", lambda path: sources.read_labelled(path, subject.labels)),
    }
    figures = []
    for flag, (source, read) in readers.items():
        path = subject.file(flag)
        if path:
            rows = read(path)
            # Detoxify and the six-label rows of Civil Comments all but lack severe toxicity.
            left_out = {"text", sources.WEIGHT_COLUMN, "severe_toxic"}
            targets = {name: rows[name].to_numpy() for name in rows if name not in left_out}
            scores = subject.score(rows.text.tolist(), source)
            weights = rows.get(sources.WEIGHT_COLUMN)
            figures += measure_transfer(source, subject.labels, targets, scores, weights)
    return {"transfer": TransferReport(figures)} if figures else {}


MEASURES: dict[str, Measure] = {
    "identity": identity,
    "function": function,
    "operating_points": operating_points,
    "robustness": robustness,
    "transfer": transfer,
}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _check(flags: argparse.Namespace) -> None:
    unknown = [name for name in flags.measures if name not in MEASURES]
    if unknown:
        raise SettingsError(f"no measure {unknown[0]!r}; there are {', '.join(MEASURES)}.")
    if flags.sample < 0:
        raise SettingsError(f"--sample is {flags.sample}; give a number of rows, or 0 for all.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m finetune.audit",
        description="Measure what one number does not show of a model.",
        epilog="Measures: " + ", ".join(MEASURES) + " (default: all for which there is a file; "
        "identity brings its own sentences). Files: CSV, Parquet or JSON lines; docs/measures.md "
        "says where they come from. @FILE reads further arguments from a file, one a line.",
        fromfile_prefix_chars="@",
    )
    parser.add_argument("measures", nargs="*", metavar="MEASURE", help="take only these")
    parser.add_argument(
        "--model", action="append", metavar="NAME",
        help="measure this model: a name, a folder or a Hub id; several times to set models "
        "side by side (default: the embedded one)",
    )  # fmt: skip
    files = {
        "data": "labelled comments: operating points, calibration, robustness; a column weight "
        "says how much a row counts",
        "madlibs": "bias_madlibs: identity terms in template sentences",
        "hatecheck": "HateCheck's cases: function",
        "davidson": "tweets labelled hate, offensive or neither: transfer",
        "dynahate": "hate written to fool a model: transfer",
        "civil": "Civil Comments, or other comments, with columns named as the labels: transfer",
    }
    for flag, what in files.items():
        parser.add_argument(f"--{flag}", metavar="FILE", help=f"read {what}")
    parser.add_argument(
        "--toxic-label", default="toxic", metavar="LABEL",
        help="the model's label for toxicity (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--hate-label", default="identity_hate", metavar="LABEL",
        help="the model's label for hate against groups (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--sample", type=int, default=0, metavar="ROWS",
        help="disguise this many rows of --data, rare labels preferred and weighted back "
        "(default: 0, which takes all)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=int, default=1, help="draw rows and noise from this seed (default: 1)"
    )
    parser.add_argument("--summary", action="store_true", help="print only the figures at a glance")
    parser.add_argument(
        "--save", action="store_true",
        help="write audit.json into the model's folder and its figures into the card; what other "
        "measures gave for the same weights stays",
    )  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main())
