"""Perspective's JSON bodies → requests, with the error messages of the contract."""

from dataclasses import dataclass
from typing import Any

from comment_toxicity.service.errors import contract_error, invalid
from comment_toxicity.service.messages import (
    ANALYZE_REQUEST,
    ATTRIBUTE_PARAMETERS,
    ATTRIBUTE_SCORES,
    CONTEXT,
    MAX_TEXT_BYTES,
    SCORE,
    SCORE_TYPES,
    SPAN_SCORE,
    SUGGEST_REQUEST,
    TEXT_ENTRY,
    TEXT_TYPES,
    utf8_length,
)
from comment_toxicity.service.proto_json import Message, Object
from comment_toxicity.text import is_blank

# What comes back in the answer: a request of many bytes would have an answer of many more.
MAX_TOKEN_BYTES = 20_480
MAX_LANGUAGES = 100
# What a correction stores beside its comment.
MAX_NAME = 100  # characters of an attribute's name
MAX_COMMUNITY_BYTES = 2_048
MAX_SPAN_SCORES = 500  # of all attributes together


@dataclass(frozen=True)
class CommentRequest:
    """The fields that both methods have.

    languages: as sent; none means that the language is to be detected.
    client_token: None when none was sent.
    do_not_store: whether a correction must not be kept.
    """

    text: str
    languages: list[str]
    community: str
    client_token: str | None
    do_not_store: bool


@dataclass(frozen=True)
class AnalyzeRequest(CommentRequest):
    """A request to comments:analyze.

    attributes: name → the lowest score that is answered (None: any), in request order.
    explain: whether the words that carry a flagged attribute are to be its spans.
    """

    attributes: dict[str, float | None]
    spans: bool
    explain: bool
    drop_unsupported: bool


@dataclass(frozen=True)
class SuggestRequest(CommentRequest):
    """A request to comments:suggestscore.

    summary: attribute → the score that the whole comment should have had, in [0, 1].
    spans: attribute → (begin, end, score) for parts of it, in UTF-16 units.
    """

    summary: dict[str, float]
    spans: dict[str, list[tuple[int, int, float]]]


def analyze_request(body: Object) -> AnalyzeRequest:
    """Read the body of comments:analyze. Raises ApiError."""
    requested = ANALYZE_REQUEST.get(body, "requestedAttributes")
    if not requested:
        raise contract_error("NO_REQUESTED_ATTRIBUTES")
    attributes = {}
    for name, parameters in requested.items():
        score_type = ATTRIBUTE_PARAMETERS.get(parameters, "scoreType")
        if score_type not in SCORE_TYPES[:2]:
            raise invalid(
                f"Requested score type {short(score_type)} is not supported by attribute "
                f"{short(name)}"
            )
        attributes[name] = ATTRIBUTE_PARAMETERS.get(parameters, "scoreThreshold")
    return AnalyzeRequest(
        **_common(ANALYZE_REQUEST, body),
        attributes=attributes,
        spans=ANALYZE_REQUEST.get(body, "spanAnnotations"),
        explain=ANALYZE_REQUEST.get(body, "explain"),
        drop_unsupported=ANALYZE_REQUEST.get(body, "dropUnsupportedAttributes"),
    )


def suggest_request(body: Object) -> SuggestRequest:
    """Read the body of comments:suggestscore. Raises ApiError."""
    common = _common(SUGGEST_REQUEST, body)
    suggested = SUGGEST_REQUEST.get(body, "attributeScores")
    if not suggested:
        raise invalid("Missing attribute_scores")
    summary: dict[str, float] = {}
    spans: dict[str, list[tuple[int, int, float]]] = {}
    span_scores = 0
    for name, scores in suggested.items():
        if len(name) > MAX_NAME:
            raise invalid(f"An attribute's name is longer than {MAX_NAME} characters")
        whole = ATTRIBUTE_SCORES.get(scores, "summaryScore")
        parts = ATTRIBUTE_SCORES.get(scores, "spanScores")
        if whole is None and not parts:
            raise invalid(f"Attribute {short(name)} has neither summary_score nor span_scores")
        span_scores += len(parts)
        if span_scores > MAX_SPAN_SCORES:
            raise invalid(f"attribute_scores holds more than {MAX_SPAN_SCORES} span_scores")
        if whole is not None:
            summary[name] = _probability(whole, name)
        if parts:
            spans[name] = [_span(part, name) for part in parts]
    return SuggestRequest(**common, summary=summary, spans=spans)


def short(name: str) -> str:
    """Cut a name that a stranger sent to a length that fits in an error message."""
    return name if len(name) <= 100 else name[:100] + "…"


def _common(message: Message, body: Object) -> dict[str, Any]:
    """Read the fields of both methods; of those that change nothing, check the types only."""
    text = _text(message.get(body, "comment") or {})
    _check_context(message.get(body, "context") or {})
    message.get(body, "sessionId")
    languages = message.get(body, "languages")
    if len(languages) > MAX_LANGUAGES:
        raise invalid(f"languages holds more than {MAX_LANGUAGES}")
    community = message.get(body, "communityId")
    if utf8_length(community) > MAX_COMMUNITY_BYTES:
        raise invalid(f"community_id is longer than {MAX_COMMUNITY_BYTES} bytes")
    token = message.get(body, "clientToken")
    if utf8_length(token) > MAX_TOKEN_BYTES:
        raise invalid(f"client_token is longer than {MAX_TOKEN_BYTES} bytes")
    return {
        "text": text,
        "languages": [short(language.strip()) for language in languages if language.strip()],
        "community": community,
        "client_token": token or None,
        "do_not_store": message.get(body, "doNotStore"),
    }


def _text(comment: Object) -> str:
    text = TEXT_ENTRY.get(comment, "text")
    if is_blank(text):
        raise contract_error("COMMENT_EMPTY")
    if utf8_length(text) > MAX_TEXT_BYTES:
        raise contract_error("COMMENT_TOO_LONG")
    text_type = TEXT_ENTRY.get(comment, "type")
    if text_type not in TEXT_TYPES:
        raise invalid("Unknown text type")
    if text_type == "HTML":
        raise invalid("Currently, only 'PLAIN_TEXT' comments are supported")
    return text


def _check_context(context: Object) -> None:
    entries = CONTEXT.get(context, "entries")
    if entries and CONTEXT.get(context, "articleAndParentComment"):
        raise invalid(
            "Context can have either entries or article_and_parent_comment, but both fields were "
            "populated."
        )


def _probability(score: Object, name: str) -> float:
    if SCORE.get(score, "type") not in SCORE_TYPES[:2]:
        raise invalid(f"Suggested scores of attribute {short(name)} must be of type PROBABILITY")
    value = SCORE.get(score, "value")
    if value is None or not 0 <= value <= 1:
        raise invalid(f"Attribute {short(name)} needs a score value from 0 to 1")
    return value


def _span(part: Object, name: str) -> tuple[int, int, float]:
    begin, end = SPAN_SCORE.get(part, "begin"), SPAN_SCORE.get(part, "end")
    score = SPAN_SCORE.get(part, "score")
    if begin is None or end is None or score is None or not 0 <= begin <= end <= MAX_TEXT_BYTES:
        raise invalid(f"A span score of attribute {short(name)} needs begin, end and score")
    return begin, end, _probability(score, name)
