"""What a model's folder says about the model, read without loading the weights."""

import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comment_toxicity.cache import shared_models
from comment_toxicity.disk import read_json
from comment_toxicity.errors import UserError
from comment_toxicity.fetch import find
from comment_toxicity.fetch.find import find_model
from comment_toxicity.folder import FRONT_MATTER, ModelFolder, read_card
from comment_toxicity.intervals import Z, wilson
from comment_toxicity.languages import NAMES
from finetune.measure.intervals import few_rows
from ui.catalog import HUB_MODELS
from ui.text import shortened, without_images

UNKNOWN = "not stated"
TEST_SETS = {
    "jigsaw_test.parquet": "Wikipedia comments (Jigsaw 2018, test rows)",
    "multilingual_test.parquet": "public comments in many languages",
    "sst2_phrases_test.parquet": "sentences from film reviews (SST-2)",
}
SHIPPED = (
    "MiniLM, fine-tuned on Wikipedia comments from the Jigsaw 2018 challenge and on other public "
    "comments. Six calibrated scores. Ships with this project; needs neither network nor GPU."
)


@dataclass(frozen=True)
class Headline:
    """The one metric that a model is introduced with.

    within: its 95 % interval, None where that is not known. few: too few rows to rely on it.
    """

    title: str
    value: float
    within: tuple[float, float] | None
    few: bool

    def __str__(self) -> str:
        within = f" (95 %: {self.within[0]:.3f} to {self.within[1]:.3f})" if self.within else ""
        return f"{self.title} {self.value:.3f}{within}"


@dataclass(frozen=True)
class ModelFacts:
    """Facts about a model whose files are on this machine.

    metrics: metrics.json. card: README.md as Markdown, without front matter and images.
    languages: as the card's front matter names them, in words.
    """

    folder: ModelFolder
    metrics: Mapping[str, Any]
    card: str
    languages: str

    @classmethod
    def read(cls, folder: ModelFolder) -> "ModelFacts":
        """Read the folder's metrics and card; what is missing or damaged is left empty."""
        shown = without_images(FRONT_MATTER.sub("", read_card(folder.path)))
        return cls(folder, _metrics(folder.path), shown, _languages(folder))

    @property
    def megabytes(self) -> float:
        """Size of the weights, which can be in several files."""
        files = {self.folder.weights.name}
        if self.folder.weights.suffix == ".json":
            files = set(read_json(self.folder.weights)["weight_map"].values())
        return sum((self.folder.path / name).stat().st_size for name in files) / 1e6

    @property
    def measured(self) -> tuple[str, Mapping[str, Any]] | None:
        """The split that the model was measured on, and the report: test, or else validation."""
        for split in ("test", "validation"):
            if isinstance(self.metrics.get(split), dict):
                return split, self.metrics[split]
        return None

    @property
    def headline(self) -> Headline | None:
        """The accuracy of a single-label model, or else the mean ROC-AUC; None where unknown."""
        try:
            return _headline(self.measured[1], self.few_rows) if self.measured else None
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    @property
    def test_set(self) -> str:
        """The rows that it was measured on, in words."""
        if self.measured is None:
            return "none yet"
        split, report = self.measured
        rows = report.get("rows")
        number = f"{rows:,} " if isinstance(rows, int) else ""
        data = self.metrics.get("data")
        name = str(data.get("name", "")) if isinstance(data, Mapping) else ""
        if split == "test" and name:
            return f"{number}{TEST_SETS.get(name) or f'rows of {name}'}"
        return f"{number}{split} rows"

    @property
    def task(self) -> str:
        """What it scores: its labels, and whether they can hold together."""
        labels = self.folder.labels
        if self.folder.decision.single_label:
            return f"one of {len(labels)} classes"
        return "1 label" if len(labels) == 1 else f"{len(labels)} labels, which can hold together"

    @property
    def few_rows(self) -> bool:
        """Whether a label of that report has too few rows for its metrics to be relied on."""
        try:
            return bool(self.measured and few_rows(self.measured[1]))
        except (TypeError, AttributeError):
            return False


def facts_of(name: str) -> ModelFacts | None:
    """Facts about a model; None for one that is not on this machine yet."""
    try:
        if name in find.available_models():
            folder = find_model(name)
        elif name in shared_models().names():
            folder = shared_models().get(name).folder.path
        else:
            return None
        stamps = ((path.name, path.stat().st_mtime_ns) for path in sorted(folder.iterdir()))
        return _read(folder, tuple(stamps))
    except (UserError, OSError):
        return None


@functools.lru_cache(maxsize=32)
def _read(folder: Path, stamps: tuple[tuple[str, int], ...]) -> ModelFacts:
    """Read a folder again only when one of its files changes: reading hashes the weights."""
    return ModelFacts.read(ModelFolder.read(folder))


def description(name: str) -> str:
    """What a model is, in a sentence or two."""
    if name == find.EMBEDDED:
        return SHIPPED
    listed = HUB_MODELS.get(name)
    if listed:
        return listed.description
    facts = facts_of(name)
    summary = _first_paragraph(facts.card) if facts else ""
    if name.startswith("runs/"):
        return f"Trained on this machine. {summary}".strip()
    return summary or ("From the Hub; see its card." if "/" in name else "A folder in models/.")


def _first_paragraph(card: str) -> str:
    """The first paragraph of a card, as plain text of at most 300 characters."""
    paragraphs = (part.strip() for part in re.split(r"\n\s*\n", card))
    first = next((part for part in paragraphs if part and not part.startswith(("#", "<"))), "")
    return shortened(first.replace("`", "").replace("\\$", "$"), 300)


def _metrics(folder: Path) -> Mapping[str, Any]:
    try:
        return read_json(folder / "metrics.json")
    except (OSError, ValueError):
        return {}


def _languages(folder: ModelFolder) -> str:
    return ", ".join(NAMES.get(code, code) for code in folder.languages) or UNKNOWN


def _headline(report: Mapping[str, Any], few: bool) -> Headline | None:
    """The metric with its interval, which older reports know by its standard error, or not."""
    single = "accuracy" in report
    value = report["accuracy"] if single else report["means"]["roc_auc"]
    if not isinstance(value, float) or math.isnan(value):
        return None
    within = report.get("intervals", {}).get("accuracy" if single else "roc_auc")
    error = report.get("roc_auc_error")
    if within is None and single and not report.get("weighted"):
        within = wilson(value, report["rows"])
    elif within is None and not single and error:
        within = value - Z * error, min(1.0, value + Z * error)
    title = "accuracy" if single else "mean ROC-AUC"
    return Headline(title, value, (float(within[0]), float(within[1])) if within else None, few)
