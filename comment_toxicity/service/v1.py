"""The endpoints for new code: many texts in one call, all labels, thresholds and flags.

POST /v1/score {"texts": ["…", …]}; see docs/api.md. A text that cannot be scored gets an error as
its result and does not stop the others.
"""

from typing import Any

from comment_toxicity.disk import shortest_float
from comment_toxicity.service.batching import portions
from comment_toxicity.service.calls import Answer, Call, as_json
from comment_toxicity.service.errors import invalid
from comment_toxicity.service.messages import (
    MAX_TEXT_BYTES,
    MAX_TEXT_TOKENS,
    MAX_TEXTS,
    SCORE_TEXTS_REQUEST,
    utf8_length,
)
from comment_toxicity.service.proto_json import Object, strict_object
from comment_toxicity.service.service import Service
from comment_toxicity.text import is_blank


async def score(service: Service, call: Call) -> Answer:
    """Answer POST /v1/score."""
    body = strict_object(call.body)
    known = SCORE_TEXTS_REQUEST.fields
    if not set(body) <= set(known):
        raise invalid(f"Unknown field; there are {', '.join(sorted(known))}.")
    texts = body.get("texts")
    if not isinstance(texts, list) or not 1 <= len(texts) <= MAX_TEXTS:
        raise invalid(f"texts must be a list of 1 to {MAX_TEXTS} texts.")
    labels = _labels(body, service.labels)

    results: list[Object] = []
    for portion in portions([len(text) if isinstance(text, str) else 0 for text in texts]):
        await call.check_caller()
        results += await _results(service, texts[portion], labels, call)
    return as_json({**_about(service, labels), "results": results})


async def model(service: Service, _: Call) -> Answer:
    """Answer GET /v1/model."""
    limits = {
        "texts": MAX_TEXTS,
        "textBytes": MAX_TEXT_BYTES,
        "textTokens": MAX_TEXT_TOKENS,
        "bodyBytes": service.settings.max_body,
    }
    about = _about(service, service.labels)
    return as_json({**about, "languages": list(service.settings.languages), "limits": limits})


async def _results(
    service: Service, texts: list[Any], labels: list[str], call: Call
) -> list[Object]:
    errors = [_error(text) for text in texts]
    scorable = [text for text, error in zip(texts, errors, strict=True) if error is None]
    cuts = await service.cut(scorable)
    scored = zip(await service.score(scorable, cuts, call), cuts, strict=True)
    results: list[Object] = []
    for text, error in zip(texts, errors, strict=True):
        if error:
            results.append({"error": error})
            continue
        row, cut = next(scored)
        scores = {
            label: shortest_float(value)
            for label, value in zip(service.labels, row, strict=True)
            if label in labels
        }
        flags = [label for label in service.classifier.flags(row) if label in labels]
        result: Object = {"scores": scores, "flags": flags}
        if cut.characters < len(text):
            result["scoredCharacters"] = cut.characters
        results.append(result)
    return results


def _error(text: Any) -> dict[str, str] | None:
    if not isinstance(text, str):
        return {"code": "not_text", "message": "Not a string."}
    if is_blank(text):
        return {"code": "blank", "message": "Nothing but white space."}
    if utf8_length(text) > MAX_TEXT_BYTES:
        return {"code": "too_long", "message": f"Longer than {MAX_TEXT_BYTES} UTF-8 bytes."}
    return None


def _labels(body: Object, known: list[str]) -> list[str]:
    asked = body.get("labels", known)
    if not isinstance(asked, list) or not asked or not all(label in known for label in asked):
        raise invalid(f"labels must be a list of some of {', '.join(known)}.")
    return [label for label in known if label in asked]


def _about(service: Service, labels: list[str]) -> Object:
    classifier = service.classifier
    weights = classifier.decision.weights
    thresholds = {
        label: threshold for label, threshold in classifier.thresholds.items() if label in labels
    }
    return {
        "model": {"name": classifier.name, "weights": weights.sha256 if weights else None},
        "labels": labels,
        "thresholds": thresholds,
        "calibrated": classifier.calibrated,
    }
