"""The model and flags of the command → reports. Each measure reads its files and scores them."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from comment_toxicity import load_classifier
from comment_toxicity.decision import Weights, reaches
from comment_toxicity.languages import base_of
from finetune.audit import datasets
from finetune.audit.audit import Audit
from finetune.audit.everyday import EverydayReport
from finetune.audit.hatecheck import FunctionReport, measure_function
from finetune.audit.identity import IdentityReport
from finetune.audit.languages import LanguageIdentityReport
from finetune.audit.transfer import TransferReport
from finetune.measure.scoring import score_with_bar

PLAIN = ("neutral", "positive", "hateful", "insulting")  # the other kinds respond to hate


class ModelUnderTest:
    """The model, the command's flags, and which files were read."""

    def __init__(self, flags: argparse.Namespace, name: str | None):
        self.flags = flags
        self.classifier = load_classifier(name) if name else load_classifier()
        self.labels = list(self.classifier.labels)
        self.data: dict[str, dict[str, str]] = {}
        self._labelled: tuple[pd.DataFrame, np.ndarray] | None = None

    @property
    def weights(self) -> Weights:
        """The weight file that is measured."""
        return Weights.of(self.classifier.folder.weights)

    def score(
        self,
        texts: pd.Series | Sequence[str],
        what: str,
        languages: Sequence[str] | None = None,
    ) -> np.ndarray:
        """Return probabilities, (texts, labels). languages: of the texts; None: they are found."""
        return score_with_bar(self.classifier, list(texts), what, languages)

    def columns(self, labels: Sequence[str]) -> list[int]:
        """Return the labels' columns in the scores."""
        return [self.labels.index(label) for label in labels]

    def threshold(self, label: str) -> float:
        """Return the model's threshold; 0.5 for a single-label model."""
        return self.classifier.thresholds.get(label, 0.5)

    def file(self, flag: str) -> str | None:
        """Return the file that a flag names, and record that it was read."""
        from finetune.data.tables import describe_source

        path = getattr(self.flags, flag)
        if path and flag not in self.data:
            self.data[flag] = describe_source(path)
        return path

    def labelled(self) -> tuple[pd.DataFrame, np.ndarray] | None:
        """Return the rows of --data and their scores; None without it."""
        path = self.file("data")
        if path and self._labelled is None:
            rows = datasets.read_labelled(path, self.labels, self.classifier.single_label)
            self._labelled = rows, self.score(rows.text, "data")
        return self._labelled


def take(model: ModelUnderTest, names: Sequence[str], show: Callable[[str, Any], None]) -> Audit:
    """Take the named measures whose files were given; call show(name, report) for each report."""
    taken: dict[str, Any] = {}
    for name in names:
        result = MEASURES[name](model)
        if result:
            taken[name] = result
        for report in result if isinstance(result, list) else filter(None, [result]):
            show(name, report)
    return Audit(model.weights, model.data, **taken)


def identity(model: ModelUnderTest) -> list[IdentityReport]:
    """Measure our own sentences by both labels, and --madlibs by the label for toxicity."""
    from finetune.audit.identity import measure_identity
    from finetune.audit.templates import BACKGROUND, load_templates

    templates = load_templates()
    toxic, hate = model.flags.toxic_label, model.flags.hate_label
    labels = {hate: "identity_hate", toxic: "toxic"}  # the model's name → our column
    known = [label for label in dict.fromkeys((toxic, hate)) if label in model.labels]
    reports = []
    if known:
        rows = templates.rows()
        rows[known] = model.score(rows.text, "templates")[:, model.columns(known)]
        plain, bad = rows.kind.isin(PLAIN), rows.is_toxic == 1
        for label in known:
            for source, part in (
                ("templates", rows[plain]),
                ("templates, hate answered", rows[~plain | bad]),
            ):
                terms = [term for term in part.term.unique() if term != BACKGROUND]
                reports.append(
                    measure_identity(
                        source,
                        label,
                        part[f"is_{labels[label]}"],
                        part[label],
                        model.threshold(label),
                        {term: (part.term == term).to_numpy() for term in terms},
                        part.kind.tolist(),
                    )
                )
    path = model.file("madlibs") if toxic in known else None
    if path:
        rows = datasets.read_madlibs(path)
        reports.append(
            measure_identity(
                "madlibs",
                toxic,
                rows.bad,
                model.score(rows.text, "madlibs")[:, model.labels.index(toxic)],
                model.threshold(toxic),
                templates.mentions(rows.text.tolist()),
            )
        )
    return reports


def function(model: ModelUnderTest) -> FunctionReport | None:
    """Measure --hatecheck."""
    label = model.flags.hate_label
    path = model.file("hatecheck") if label in model.labels else None
    if not path:
        return None
    rows = datasets.read_hatecheck(path)
    rows = rows.rename(columns={"functionality": "kind", "hateful": "bad"})
    return _judged(model, "HateCheck", label, rows, bad="hateful")


def threats(model: ModelUnderTest) -> FunctionReport | None:
    """Measure our own threats, and harmless sentences that use the same words."""
    label = model.flags.threat_label
    if label not in model.labels:
        return None
    rows = datasets.read_threats().rename(columns={"threat": "bad"})
    return _judged(model, "threats", label, rows, bad="threatening")


def everyday(model: ModelUnderTest) -> EverydayReport | None:
    """Measure our own everyday sentences, and abuse in long comments and in other dress."""
    from finetune.audit.everyday import measure_everyday
    from finetune.audit.everyday_rows import load_everyday

    toxic, threat = model.flags.toxic_label, model.flags.threat_label
    if toxic not in model.labels:
        return None
    used = [label for label in dict.fromkeys((toxic, threat)) if label in model.labels]
    rows = load_everyday()
    if threat not in used:
        rows = rows[rows.kind != "threats"].reset_index(drop=True)
    scores = model.score(rows.text, "everyday")
    flags = reaches(scores, [model.threshold(label) for label in model.labels])
    columns = dict(zip(used, model.columns(used), strict=True))
    return measure_everyday(
        "everyday",
        rows,
        {label: scores[:, column] for label, column in columns.items()},
        {label: flags[:, column] for label, column in columns.items()},
        None if model.classifier.single_label else np.asarray(flags.any(axis=1)),
        {label: model.threshold(label) for label in used},
        toxic,
        threat if threat in used else None,
        model.flags.examples,
    )


def languages(model: ModelUnderTest) -> LanguageIdentityReport | None:
    """Measure our own sentences in the languages that the model reads, but for English."""
    from finetune.audit.languages import load_sentences, measure_identity

    rows = load_sentences()
    rows = rows[rows.language.isin(map(base_of, model.classifier.reads))].reset_index(drop=True)
    if rows.empty:
        return None
    names = rows.language.tolist()
    scores = model.score(rows.text, "languages", names)
    flags = model.classifier.decision.flags(scores, languages=names)
    return measure_identity("identity by language", rows, flags.any(axis=1))


def _judged(
    model: ModelUnderTest, source: str, label: str, rows: pd.DataFrame, bad: str
) -> FunctionReport:
    """Judge rows (text, kind, bad, and target if they are about a group) by one label."""
    return measure_function(
        source,
        label,
        rows.kind.tolist(),
        rows.bad,
        model.score(rows.text, source)[:, model.labels.index(label)],
        model.threshold(label),
        rows.target.tolist() if "target" in rows else None,
        bad,
    )


def operating_points(model: ModelUnderTest) -> Any:
    """Measure --data at several thresholds."""
    from finetune.audit.operating_points import measure_operating_points

    labelled = model.labelled()
    if labelled is None:
        return None
    rows, scores = labelled
    labels = [label for label in model.labels if label in rows]
    weights = rows[datasets.WEIGHT_COLUMN]
    return measure_operating_points(
        model.data["data"]["name"],
        labels,
        rows[labels],
        scores[:, model.columns(labels)],
        {label: model.threshold(label) for label in labels},
        weights if (weights != 1).any() else None,
    )


def robustness(model: ModelUnderTest) -> Any:
    """Measure --data, or a sample of it, again in each disguise."""
    from finetune.audit.robustness import DISGUISES, disguise, draw_rows, measure_robustness

    labelled = model.labelled()
    if labelled is None:
        return None
    rows, scores = labelled
    labels = [label for label in model.labels if label in rows]
    columns, seed = model.columns(labels), model.flags.seed
    positions, weights = draw_rows(
        rows[labels], rows[datasets.WEIGHT_COLUMN], model.flags.sample or len(rows), seed
    )
    texts = rows.text.iloc[positions].tolist()
    return measure_robustness(
        model.data["data"]["name"],
        labels,
        rows[labels].iloc[positions],
        scores[positions][:, columns],
        {kind: model.score(disguise(texts, kind, seed), kind)[:, columns] for kind in DISGUISES},
        {label: model.threshold(label) for label in labels},
        weights,
        drawn_from=len(rows),
    )


def transfer(model: ModelUnderTest) -> TransferReport | None:
    """Measure the ranking of --davidson, --dynahate and --civil."""
    from finetune.audit.transfer import measure_transfer

    toxic, hate = model.flags.toxic_label, model.flags.hate_label
    known, exclusive = model.labels, model.classifier.single_label
    readers: dict[str, tuple[str, Callable[[str], pd.DataFrame]]] = {
        "davidson": ("Davidson", lambda path: datasets.read_davidson(path, toxic, hate)),
        "dynahate": ("DynaHate", lambda path: datasets.read_dynahate(path, hate)),
        "civil": ("Civil Comments", lambda path: datasets.read_labelled(path, known, exclusive)),
    }
    metrics = []
    for flag, (source, read) in readers.items():
        path = model.file(flag)
        if not path:
            continue
        rows = read(path)
        targets = {name: rows[name] for name in rows if name in known}
        if targets:
            scores = model.score(rows.text, source)
            weights = rows.get(datasets.WEIGHT_COLUMN)
            metrics += measure_transfer(source, known, targets, scores, weights)
        else:
            del model.data[flag]  # nothing was measured on it
    return TransferReport(metrics) if metrics else None


MEASURES: dict[str, Callable[[ModelUnderTest], Any]] = {
    "identity": identity,
    "function": function,
    "threats": threats,
    "everyday": everyday,
    "languages": languages,
    "operating_points": operating_points,
    "robustness": robustness,
    "transfer": transfer,
}
FILES = {  # a measure needs one of these flags; the others have their own sentences
    "function": ["hatecheck"],
    "operating_points": ["data"],
    "robustness": ["data"],
    "transfer": ["davidson", "dynahate", "civil"],
}
