"""The endpoints for new code: many texts in one call, all labels, thresholds and flags.

POST /v1/score {"texts": ["…", …]}; see docs/api.md. A text that cannot be scored gets an error as
its result and does not stop the others.
"""

from typing import Any

from comment_toxicity.disk import shortest_float
from comment_toxicity.explain import Explanation, located
from comment_toxicity.policy import Rules, Treated
from comment_toxicity.service.batching import portions
from comment_toxicity.service.calls import Answer, Call, as_json
from comment_toxicity.service.errors import invalid
from comment_toxicity.service.messages import (
    MAX_ID,
    MAX_TEXT_BYTES,
    MAX_TEXT_TOKENS,
    MAX_TEXTS,
    SCORE_TEXTS_REQUEST,
    utf8_length,
)
from comment_toxicity.service.proto_json import Object, strict_object
from comment_toxicity.service.reasons import Reasons
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
    rules = service.policy(call, _policy(body))
    names = _ids(body, len(texts))
    reasons = await _reasons(service, body, len(texts), call)

    results: list[Object] = []
    for portion in portions([len(text) if isinstance(text, str) else 0 for text in texts]):
        await call.check_caller()
        results += await _results(
            service, texts[portion], names[portion], labels, rules, call, reasons, bool(results)
        )
    return as_json({**_about(service, labels, rules), "results": results})


async def model(service: Service, call: Call) -> Answer:
    """Answer GET /v1/model."""
    limits = {
        "texts": MAX_TEXTS,
        "textBytes": MAX_TEXT_BYTES,
        "textTokens": MAX_TEXT_TOKENS,
        "bodyBytes": service.settings.max_body,
    }
    about = _about(service, service.labels, service.policy(call))
    return as_json({**about, "languages": service.models.served, "limits": limits})


async def _results(
    service: Service,
    texts: list[Any],
    names: list[str | None],
    labels: list[str],
    rules: Rules | None,
    call: Call,
    reasons: Reasons | None,
    begun: bool,
) -> list[Object]:
    errors = [_error(text) for text in texts]
    scorable = [text for text, error in zip(texts, errors, strict=True) if error is None]
    treated = await service.treat(scorable, rules)
    read = [comment.text for comment in treated]
    readings = await service.read(read, service.languages(scorable))
    scored = zip(await service.score(readings, call, begun), readings, treated, strict=True)
    results: list[Object] = []
    for text, error, name in zip(texts, errors, names, strict=True):
        if error:
            results.append({"error": error})
            continue
        row, reading, comment = next(scored)
        characters = reading.cut.characters
        scores = {
            label: shortest_float(value)
            for label, value in zip(service.labels, row, strict=True)
            if label in labels
        }
        flagged = service.decide(row, reading, comment, rules, name)
        flags = [label for label in flagged if label in labels]
        result: Object = {"scores": scores, "flags": flags}
        if service.models.tells_languages:
            result["language"] = reading.language
        if not service.models.alone:
            result["model"] = service.models.classifiers[reading.position].name
        if reading.cut_short:
            result["scoredCharacters"] = comment.original(characters)
        if reasons:
            found = await reasons.explain(comment.text[:characters], flags, reading.language)
            result["explanations"] = found and {
                label: _explanation(explanation, text, comment)
                for label, explanation in found.items()
            }
        results.append(result)
    return results


async def _reasons(service: Service, body: Object, texts: int, call: Call) -> Reasons | None:
    wanted = body.get("explain", False)
    if not isinstance(wanted, bool):
        raise invalid("explain must be true or false.")
    if not wanted:
        return None
    reasons = Reasons(service, call)
    await reasons.admit(texts)
    return reasons


def _explanation(explanation: Explanation, text: str, comment: Treated) -> Object:
    result: Object = {"unit": explanation.unit}
    if not explanation.whole:
        whole = explanation.offset, explanation.offset + len(explanation.text)
        [result["passage"]] = located(text, [whole], comment.original)
    return {**result, "parts": explanation.located(text, comment.original)}


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


def _policy(body: Object) -> str | None:
    if "policy" in body and not isinstance(body["policy"], str):
        raise invalid("policy must be the name of a policy.")
    return body.get("policy")


def _ids(body: Object, count: int) -> list[str | None]:
    """Return the caller's id for each text; None where there is none."""
    given = body.get("ids", [])
    if not isinstance(given, list) or len(given) > MAX_TEXTS:
        raise invalid(f"ids must be a list of at most {MAX_TEXTS} ids.")
    for name in given:
        if not isinstance(name, str | None) or len(name or "") > MAX_ID:
            raise invalid(f"ids must be strings of up to {MAX_ID} characters, or null.")
    return (given + [None] * count)[:count]


def _about(service: Service, labels: list[str], rules: Rules | None) -> Object:
    own = rules.policy.thresholds if rules else {}
    models = [
        {
            "name": model.name,
            "weights": model.decision.weights.sha256 if model.decision.weights else None,
            "languages": service.models.read_by(position),
            "thresholds": {
                label: own.get(label, threshold)
                for label, threshold in model.thresholds.items()
                if label in labels
            },
            "calibrated": model.calibrated,
        }
        for position, model in enumerate(service.models.classifiers)
    ]
    first = models[0]
    return {
        "model": {name: first[name] for name in ("name", "weights")},
        "labels": labels,
        **{name: first[name] for name in ("thresholds", "calibrated")},
        **({"policy": rules.policy.name} if rules else {}),
        **({} if service.models.alone else {"models": models}),
    }
