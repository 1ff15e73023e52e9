"""What language a comment is in, whether the model reads it, and which other one does."""

import os
from collections.abc import Sequence
from importlib.util import find_spec

from comment_toxicity import Classifier
from comment_toxicity.disk import read_json
from comment_toxicity.errors import UserError
from comment_toxicity.fetch import find
from comment_toxicity.folder import card_languages, read_card
from comment_toxicity.languages import NAMES, LanguageDetector, base_of
from comment_toxicity.routing import ENGLISH, model_of_language
from ui.catalog import MEANINGS


def read_by(model: Classifier) -> list[str]:
    """The languages that a model reads, as codes; English where it does not say."""
    return list(model_of_language([(model.name, model.reads)]))


def detector_for(model: Classifier) -> LanguageDetector | None:
    """The detector for what a model of the Jigsaw labels reads; None for other models."""
    if not set(model.labels) <= set(MEANINGS) or find_spec("fasttext") is None:
        return None
    return LanguageDetector(read_by(model), getattr(model, "read", None))


def foreign_language(text: str, detector: LanguageDetector) -> str:
    """The language of a text that the model does not read, as a code; empty for others."""
    codes = detector.detect(text)
    return "" if not codes or base_of(codes[0]) in detector.served else codes[0]


def looks_foreign(code: str, read: Sequence[str]) -> str:
    """A sentence about a text in a language that the model does not read."""
    name = NAMES.get(code, "another language")
    if list(read) == [ENGLISH]:
        return (
            f"This looks like {name}. The model reads English only: its scores mean nothing here."
        )
    return f"This looks like {name}, which the model did not learn: its scores are a guess."


def other_reader(code: str, model: Classifier) -> str | None:
    """Another model on this machine that has the same labels and reads the language."""
    for name in find.available_models():
        if name == model.name:
            continue
        try:
            folder = find.local_model(name)
            read = map(base_of, card_languages(read_card(folder))) if folder else ()
            if folder is None or base_of(code) not in read:
                continue
            if find.lacks_weights(folder) and not os.environ.get(find.WEIGHTS_VARIABLE):
                continue
            labels = read_json(folder / "config.json")["id2label"]
            if [labels[key] for key in sorted(labels, key=int)] == list(model.labels):
                return name
        except (OSError, ValueError, KeyError, TypeError, AttributeError, UserError):
            continue  # a damaged folder; its own page says so
    return None


def how_good(model: Classifier, language: str) -> str:
    """How good a model is in a language, in a sentence, as its metrics.json says; or nothing."""
    try:
        report = read_json(model.folder.path / "metrics.json")["languages"]
        found = report["languages"][language]
        name = NAMES.get(base_of(language), language)
        parts = []
        if found["roc_auc"] is not None:
            parts.append(
                f"ROC-AUC of {report['label']} {found['roc_auc']:.2f} on {found['rows']:,} comments"
            )
        if found["neutral"]:
            parts.append(f"{100 * found['neutral']['flagged']:.1f} % of neutral sentences flagged")
        trained = "" if found["trained"] else ", which it did not learn from"
        return f"Read as {name}{trained}: {', '.join(parts) or 'not measured'}."
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""
