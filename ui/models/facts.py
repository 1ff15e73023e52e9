"""What a model's folder says about the model, read without loading the weights."""

import functools
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
from comment_toxicity.folder import ModelFolder
from finetune.measure.intervals import few_rows
from ui.catalog import HUB_MODELS
from ui.text import shortened, without_images

FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.S)
LONGEST_CARD = 200_000  # characters
SHIPPED = (
    "MiniLM, fine-tuned on Wikipedia comments from the Jigsaw 2018 challenge and on other public "
    "comments. Six calibrated scores. Ships with this project; needs neither network nor GPU."
)


@dataclass(frozen=True)
class ModelFacts:
    """Facts about a model whose files are on this machine.

    metrics: metrics.json. card: README.md as Markdown, without front matter and images.
    """

    folder: ModelFolder
    metrics: Mapping[str, Any]
    card: str

    @classmethod
    def read(cls, folder: ModelFolder) -> "ModelFacts":
        """Read the folder's metrics and card; what is missing or damaged is left empty."""
        return cls(folder, _metrics(folder.path), _card(folder.path))

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
    def mean_roc_auc(self) -> float | None:
        """The mean ROC-AUC on that split; None where there is none."""
        try:
            value = self.measured[1]["means"]["roc_auc"] if self.measured else None
        except (KeyError, TypeError):
            return None
        return value if isinstance(value, float) else None

    @property
    def few_rows(self) -> bool:
        """Whether a label of that report has too few rows for its metrics to be relied on."""
        try:
            return bool(self.measured and few_rows(self.measured[1]))
        except (TypeError, AttributeError):
            return False

    @property
    def plots(self) -> list[Path]:
        """Curves and confusion matrices of the model's run; only for runs of this machine."""
        folder = self.folder.path.parent / "report"
        return [
            path
            for name in ("roc_precision_recall", "confusion")
            if (path := folder / f"{name}.png").exists()
        ]


def facts_of(name: str) -> ModelFacts | None:
    """Facts about a model; None for one that is not on this machine yet."""
    try:
        if name in find.available_models():
            folder = find_model(name)
            stamps = ((path.name, path.stat().st_mtime_ns) for path in sorted(folder.iterdir()))
            return _read(folder, tuple(stamps))
        if name in shared_models().names():
            return ModelFacts.read(shared_models().get(name).folder)
    except (UserError, OSError):
        return None
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


def _card(folder: Path) -> str:
    try:
        with (folder / "README.md").open(encoding="utf-8", errors="replace") as file:
            text = file.read(LONGEST_CARD)
    except OSError:
        return ""
    text = FRONT_MATTER.sub("", text)
    return without_images(text)
