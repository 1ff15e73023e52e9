"""What language a comment is in, whether the model reads it, and which other one does."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.util import find_spec

from comment_toxicity import Classifier
from comment_toxicity.cache import shared_models
from comment_toxicity.disk import read_json
from comment_toxicity.errors import UserError
from comment_toxicity.fetch import find
from comment_toxicity.folder import card_languages, read_card
from comment_toxicity.languages import NAMES, LanguageDetector, base_of
from comment_toxicity.routing import ENGLISH, Models, model_of_language
from ui.catalog import MEANINGS

ANOTHER = "another language"
NAMED = 2  # languages, where the rows of a file are in many


def read_by(model: Classifier) -> list[str]:
    """The languages that a model reads, as codes; English where it does not say."""
    return list(model_of_language([(model.name, model.reads)]))


def detector_for(model: Classifier) -> LanguageDetector | None:
    """The detector for what a model of the Jigsaw labels reads; None for other models."""
    if not set(model.labels) <= set(MEANINGS) or find_spec("fasttext") is None:
        return None
    return LanguageDetector(read_by(model), model.read)


def foreign_language(text: str, detector: LanguageDetector) -> str:
    """The language of a text that the model does not read, as a code; empty for others."""
    codes = detector.detect(text)
    return "" if not codes or base_of(codes[0]) in detector.served else codes[0]


def looks_foreign(code: str, read: Sequence[str]) -> str:
    """A sentence about a text in a language that the model does not read."""
    name = NAMES.get(code, ANOTHER)
    if list(read) == [ENGLISH]:
        return (
            f"This looks like {name}. The model reads English only: its scores mean nothing here."
        )
    return f"This looks like {name}, which the model did not learn: its scores are a guess."


def rows_look_foreign(languages: Counter[str], rows: str, read: Sequence[str]) -> str:
    """The same about rows of a file. languages: of those rows; rows: all of them, in words."""
    names = [NAMES.get(code, ANOTHER) for code, _ in languages.most_common(NAMED)]
    names += [ANOTHER] * (len(languages) > NAMED)
    *first, last = dict.fromkeys(names)
    named = f"{', '.join(first)} or {last}" if first else last
    number = languages.total()
    look = f"{number:,} of {rows} look{'s' * (number == 1)} like {named}"
    if list(read) == [ENGLISH]:
        return f"{look}. The model reads English only: its scores mean nothing there."
    return f"{look}, which the model did not learn: its scores are a guess there."


def other_reader(codes: Iterable[str], model: str, labels: Sequence[str]) -> str | None:
    """Another model on this machine that has the same labels, and reads the first that any does."""
    return next(filter(None, (_other_reader(code, model, labels) for code in codes)), None)


def with_other_readers(model: Classifier, codes: Iterable[str]) -> Classifier | Models:
    """The model with those on this machine that read languages which it does not.

    Raises ModelError where one of them cannot be loaded.
    """
    others = (_other_reader(code, model.name, model.labels) for code in sorted(codes))
    names = dict.fromkeys(filter(None, others))
    loaded = [shared_models().get(name) for name in names]
    return Models([model, *loaded]) if loaded else model


def _other_reader(code: str, model: str, labels: Sequence[str]) -> str | None:
    for name in find.available_models():
        if name == model:
            continue
        try:
            folder = find.local_model(name)
            read = map(base_of, card_languages(read_card(folder))) if folder else ()
            if folder is None or base_of(code) not in read:
                continue
            if find.lacks_weights(folder) and not os.environ.get(find.WEIGHTS_VARIABLE):
                continue
            known = read_json(folder / "config.json")["id2label"]
            if [known[key] for key in sorted(known, key=int)] == list(labels):
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
