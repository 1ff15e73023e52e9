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
from comment_toxicity.service.spans import sentence_spans, to_utf16, utf16_length

UNDETERMINED = "und"  # BCP 47's code for an undetermined language


async def analyze(service: Service, call: Call) -> Answer:
    """Answer POST /v1alpha1/comments:analyze."""
    request = analyze_request(lenient_object(call.body))
    detected = service.detector.detect(request.text)
    languages = request.languages or detected
    if not languages:
        raise contract_error("LANGUAGE_DETECTION_FAILED")
    attributes = _answerable(service, request, languages)

    [cut] = await service.cut([request.text])
    text = request.text[: cut.characters]
    spans = sentence_spans(text) if request.spans else []
    utf16_spans = to_utf16(text, spans) if request.spans else [(0, utf16_length(text))]
    sentences = [text[begin:end] for begin, end in spans]
    cuts = [cut, *await service.cut(sentences)]
    whole, *parts = await service.score([request.text, *sentences], cuts, call)

    scores = {}
    for attribute in attributes:
        column = service.labels.index(service.attributes[attribute])
        threshold = request.attributes[attribute]
        values = [row[column] for row in parts or [whole]]
        attribute_scores: Object = {}
        span_scores = [
            {"begin": begin, "end": end, "score": _score(value)}
            for (begin, end), value in zip(utf16_spans, values, strict=True)
            if _reaches(value, threshold)
        ]
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
    if cut.characters < len(request.text):  # the spans end there, too
        body["truncated"] = True
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


def _answerable(service: Service, request: AnalyzeRequest, languages: Sequence[str]) -> list[str]:
    """Return the attributes to score. Raises ApiError for others, unless they may be dropped."""
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
