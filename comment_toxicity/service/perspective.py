"""comments:analyze and comments:suggestscore: JSON bodies in, JSON bodies out."""

from collections.abc import Mapping, Sequence

import numpy as np

from comment_toxicity.disk import shortest_float
from comment_toxicity.explain import Explanation
from comment_toxicity.languages import base_of
from comment_toxicity.policy import Treated
from comment_toxicity.service.attributes import PERSPECTIVE
from comment_toxicity.service.batching import Scores, portions
from comment_toxicity.service.calls import Answer, Call, as_json
from comment_toxicity.service.errors import contract_error, invalid, unsupported
from comment_toxicity.service.proto_json import Object, lenient_object
from comment_toxicity.service.reasons import Reasons
from comment_toxicity.service.requests import (
    AnalyzeRequest,
    analyze_request,
    short,
    suggest_request,
)
from comment_toxicity.service.service import Service
from comment_toxicity.service.spans import sentence_spans
from comment_toxicity.text import to_utf16, utf16_length

UNDETERMINED = "und"  # BCP 47's code for an undetermined language


async def analyze(service: Service, call: Call) -> Answer:
    """Answer POST /v1alpha1/comments:analyze."""
    request = analyze_request(lenient_object(call.body))
    detected = service.detector.detect(request.text)
    languages = request.languages or detected
    if not languages:
        raise contract_error("LANGUAGE_DETECTION_FAILED")
    attributes = _answerable(service, request, languages)
    language = _language(service, request, detected)
    # Where there are no policies, a community is only a name.
    named = request.community if request.community and service.policy_names else None
    rules = service.policy(call, named)

    reasons = Reasons(service, call)
    if request.explain:
        await reasons.admit(1)

    [comment] = await service.treat([request.text], rules)
    [reading] = await service.read([comment.text], [language])
    characters, truncated = reading.cut.characters, reading.cut_short
    text = request.text[: comment.original(characters)] if truncated else request.text
    by_sentence = request.spans and not request.explain
    spans = sentence_spans(text) if by_sentence else []
    utf16_spans = to_utf16(text, spans) if by_sentence else [(0, utf16_length(text))]
    readings = [reading]
    if spans:
        treated = await service.treat([text[begin:end] for begin, end in spans], rules)
        texts = [part.text for part in treated]
        readings += await service.read(texts, [language] * len(texts))
    scored: list[Scores] = []
    for portion in portions([len(each.text) for each in readings]):
        scored += await service.score(readings[portion], call, begun=bool(scored))
    whole, *parts = scored

    flagged: list[str] = []
    if request.explain or service.decides(rules, request.client_token):
        flagged = service.decide(whole, reading, comment, rules, request.client_token)
    explanations: Mapping[str, Explanation] = {}
    if request.explain:
        carried = [label for label in flagged if label in map(service.attributes.get, attributes)]
        explained = comment.text[:characters]
        explanations = await reasons.explain(explained, carried, language) or {}

    scores = {}
    for attribute in attributes:
        label = service.attributes[attribute]
        column = service.labels.index(label)
        threshold = request.attributes[attribute]
        values = [row[column] for row in parts or [whole]]
        attribute_scores: Object = {}
        span_scores = [
            {"begin": begin, "end": end, "score": _score(value)}
            for (begin, end), value in zip(utf16_spans, values, strict=True)
            if _reaches(value, threshold)
        ]
        if label in explanations:
            span_scores = _words(explanations[label], request.text, comment)
        if span_scores:
            attribute_scores["spanScores"] = span_scores
        if _reaches(whole[column], threshold):
            attribute_scores["summaryScore"] = _score(whole[column])
        if attribute_scores:
            scores[attribute] = attribute_scores

    body: Object = {"attributeScores": scores} if scores else {}
    body |= {"languages": languages, "detectedLanguages": detected or [UNDETERMINED]}
    if request.client_token is not None:
        body["clientToken"] = request.client_token
    if truncated:  # the spans end there, too
        body["truncated"] = True
    if rules:
        flags = [name for name in attributes if service.attributes[name] in flagged]
        body |= {"policy": rules.policy.name, "flags": flags}
    return as_json(body)


async def suggest(service: Service, call: Call) -> Answer:
    """Answer POST /v1alpha1/comments:suggestscore.

    The correction is stored if the operator named a database and the caller did not forbid it.
    """
    request = suggest_request(lenient_object(call.body))
    detected = service.detector.detect(request.text)
    await service.store(request, detected)
    body: Object = {}
    if request.client_token is not None:
        body["clientToken"] = request.client_token
    if request.languages:
        body["requestedLanguages"] = request.languages
    body["detectedLanguages"] = detected or [UNDETERMINED]
    return as_json(body)


def _language(service: Service, request: AnalyzeRequest, detected: Sequence[str]) -> str | None:
    """The language to score in: of those requested, the detected one, else the first."""
    if not service.models.tells_languages:
        return None
    if not request.languages:
        return service.languages([request.text])[0]
    known = set(map(base_of, request.languages)) & set(map(base_of, detected))
    return next(
        (name for name in request.languages if base_of(name) in known), request.languages[0]
    )


def _answerable(service: Service, request: AnalyzeRequest, languages: Sequence[str]) -> list[str]:
    """Return the attributes to score. Raises ApiError for others, unless they may be dropped."""
    known = []
    for attribute in request.attributes:
        if attribute in service.attributes:
            known.append(attribute)
        elif not (request.drop_unsupported and attribute in PERSPECTIVE):
            raise invalid(f"Unknown requested attribute: {short(attribute)}")
    foreign = [language for language in languages if not service.models.serves(language)]
    if not foreign:
        return known
    if request.drop_unsupported:
        return []
    raise unsupported(known[0], foreign, requested=bool(request.languages))


def _words(explanation: Explanation, text: str, comment: Treated) -> list[Object]:
    """Return a span for each word that raises the score, in text order; its value: by how much."""
    return [
        {
            "begin": part["utf16"]["start"],
            "end": part["utf16"]["end"],
            "score": {"value": part["effect"], "type": "RAW"},
        }
        for part in sorted(
            explanation.located(text, comment.original), key=lambda part: part["start"]
        )
        if part["effect"] > 0
    ]


def _reaches(value: np.float32, threshold: float | None) -> bool:
    return threshold is None or shortest_float(value) >= threshold


def _score(value: np.float32) -> Object:
    return {"value": shortest_float(value), "type": "PROBABILITY"}
