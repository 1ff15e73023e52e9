"""comments:analyze and comments:suggestscore: JSON bodies in, JSON bodies out."""

from collections.abc import Sequence

import numpy as np

from comment_toxicity.disk import shortest_float
from comment_toxicity.service.attributes import PERSPECTIVE
from comment_toxicity.service.calls import Answer, Call, as_json
from comment_toxicity.service.errors import contract_error, invalid, unsupported
from comment_toxicity.service.proto_json import Object, lenient_object
from comment_toxicity.service.requests import (
    AnalyzeRequest,
    analyze_request,
    short,
    suggest_request,
)
from comment_toxicity.service.service import Service
from comment_toxicity.service.spans import sentence_spans, utf16_length, utf16_places

UNDETERMINED = "und"  # BCP 47's code where there is nothing to tell a language by


async def analyze(service: Service, call: Call) -> Answer:
    """Score a comment."""
    request = analyze_request(lenient_object(call.body))
    detected = service.detector.detect(request.text)
    languages = request.languages or detected
    if not languages:
        raise contract_error("LANGUAGE_DETECTION_FAILED")
    attributes = _answerable(service, request, languages)

    spans = [(0, len(request.text))]
    places = [(0, utf16_length(request.text))]
    if request.spans:
        spans = sentence_spans(request.text)
        places = utf16_places(request.text, spans)
    whole, *parts = await service.score(
        [request.text, *(request.text[begin:end] for begin, end in spans if request.spans)]
    )

    scores = {}
    for attribute in attributes:
        column = service.labels.index(service.attributes[attribute])
        threshold = request.attributes[attribute]
        values = [row[column] for row in parts or [whole]]
        found: Object = {}
        span_scores = [
            {"begin": begin, "end": end, "score": _score(value)}
            for (begin, end), value in zip(places, values, strict=True)
            if _reaches(value, threshold)
        ]
        if span_scores:
            found["spanScores"] = span_scores
        if _reaches(whole[column], threshold):
            found["summaryScore"] = _score(whole[column])
        if found:
            scores[attribute] = found

    body: Object = {"attributeScores": scores} if scores else {}
    body |= {"languages": languages, "detectedLanguages": detected or [UNDETERMINED]}
    if request.client_token is not None:
        body["clientToken"] = request.client_token
    return as_json(body)


async def suggest(service: Service, call: Call) -> Answer:
    """Take a correction: kept if the operator named a database and the caller lets it be kept."""
    request = suggest_request(lenient_object(call.body))
    detected = service.detector.detect(request.text)
    await service.keep(request, detected)
    body: Object = {}
    if request.client_token is not None:
        body["clientToken"] = request.client_token
    if request.languages:
        body["requestedLanguages"] = request.languages
    body["detectedLanguages"] = detected or [UNDETERMINED]
    return as_json(body)


def _answerable(service: Service, request: AnalyzeRequest, languages: Sequence[str]) -> list[str]:
    """Give the attributes to score; ApiError for others, unless they are to be dropped."""
    known = []
    for attribute in request.attributes:
        if attribute in service.attributes:
            known.append(attribute)
        elif not (request.drop_unsupported and attribute in PERSPECTIVE):
            raise invalid(f"Unknown requested attribute: {short(attribute)}")
    foreign = [language for language in languages if not service.serves(language)]
    if not foreign:
        return known
    if request.drop_unsupported:
        return []
    raise unsupported(known[0], foreign, requested=bool(request.languages))


def _reaches(value: np.float32, threshold: float | None) -> bool:
    return threshold is None or shortest_float(value) >= threshold


def _score(value: np.float32) -> Object:
    return {"value": shortest_float(value), "type": "PROBABILITY"}
