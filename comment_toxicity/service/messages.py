"""JSON bodies → what a Perspective client asks for, with the contract's messages."""

from dataclasses import dataclass
from typing import Any

from comment_toxicity.service import proto_json
from comment_toxicity.service.errors import invalid, typed
from comment_toxicity.service.proto_json import Object
from comment_toxicity.text import is_blank

MAX_TEXT_BYTES = 20_480
# What comes back in the answer: a request of many bytes would have an answer of many more.
MAX_TOKEN_BYTES = 20_480
MAX_LANGUAGES = 100
TEXT_TYPES = ("TEXT_TYPE_UNSPECIFIED", "PLAIN_TEXT", "HTML")
SCORE_TYPES = ("SCORE_TYPE_UNSPECIFIED", "PROBABILITY", "STD_DEV_SCORE", "PERCENTILE", "RAW")


@dataclass(frozen=True)
class CommentRequest:
    """What both methods are sent.

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
    """What comments:analyze is asked.

    attributes: name → the score from which on it is answered (None: always), in request order.
    """

    attributes: dict[str, float | None]
    spans: bool
    drop_unsupported: bool


@dataclass(frozen=True)
class SuggestRequest(CommentRequest):
    """What comments:suggestscore is told.

    summary: attribute → the score that the whole comment should have had, in [0, 1].
    spans: attribute → (begin, end, score) for parts of it, in UTF-16 units.
    """

    summary: dict[str, float]
    spans: dict[str, list[tuple[int, int, float]]]


def analyze_request(body: Object) -> AnalyzeRequest:
    """Read the body of comments:analyze. Raises ApiError."""
    requested = proto_json.messages(body, "requestedAttributes")
    if not requested:
        raise typed("NO_REQUESTED_ATTRIBUTES", "Missing requested_attributes")
    attributes = {}
    for name, parameters in requested.items():
        score_type = proto_json.enum(parameters, "scoreType", SCORE_TYPES)
        if score_type not in SCORE_TYPES[:2]:
            raise invalid(
                f"Requested score type {short(score_type)} is not supported by attribute "
                f"{short(name)}"
            )
        attributes[name] = proto_json.number(parameters, "scoreThreshold")
    return AnalyzeRequest(
        **_common(body),
        attributes=attributes,
        spans=proto_json.boolean(body, "spanAnnotations"),
        drop_unsupported=proto_json.boolean(body, "dropUnsupportedAttributes"),
    )


def suggest_request(body: Object) -> SuggestRequest:
    """Read the body of comments:suggestscore. Raises ApiError."""
    common = _common(body)
    suggested = proto_json.messages(body, "attributeScores")
    if not suggested:
        raise invalid("Missing attribute_scores")
    summary: dict[str, float] = {}
    spans: dict[str, list[tuple[int, int, float]]] = {}
    for name, scores in suggested.items():
        whole = proto_json.message(scores, "summaryScore")
        parts = proto_json.repeated(scores, "spanScores", dict, "TYPE_MESSAGE")
        if whole is None and not parts:
            raise invalid(f"Attribute {short(name)} has neither summary_score nor span_scores")
        if whole is not None:
            summary[name] = _probability(whole, name)
        if parts:
            spans[name] = [_span(part, name) for part in parts]
    return SuggestRequest(**common, summary=summary, spans=spans)


def short(name: str) -> str:
    """Cut a name that a stranger sent to what a message can hold."""
    return name if len(name) <= 100 else name[:100] + "…"


def utf8_length(text: str) -> int:
    """Count UTF-8 bytes; half characters, which JSON escapes can make, count three."""
    return len(text.encode("utf-8", "surrogatepass"))


def _common(body: Object) -> dict[str, Any]:
    """Read what both methods are sent, and check what changes nothing: the fields' types alone."""
    text = _text(proto_json.message(body, "comment") or {})
    _check_context(proto_json.message(body, "context") or {})
    proto_json.string(body, "sessionId")
    languages = proto_json.repeated(body, "languages", str, "TYPE_STRING")
    if len(languages) > MAX_LANGUAGES:
        raise invalid(f"languages holds more than {MAX_LANGUAGES}")
    token = proto_json.string(body, "clientToken")
    if utf8_length(token) > MAX_TOKEN_BYTES:
        raise invalid(f"client_token is longer than {MAX_TOKEN_BYTES} bytes")
    return {
        "text": text,
        "languages": [short(language.strip()) for language in languages if language.strip()],
        "community": proto_json.string(body, "communityId"),
        "client_token": token or None,
        "do_not_store": proto_json.boolean(body, "doNotStore"),
    }


def _text(comment: Object) -> str:
    text = proto_json.string(comment, "text")
    if is_blank(text):
        raise typed("COMMENT_EMPTY", "Comment must be non-empty.")
    if utf8_length(text) > MAX_TEXT_BYTES:
        raise typed("COMMENT_TOO_LONG", "Comment text too long.")
    kind = proto_json.enum(comment, "type", TEXT_TYPES)
    if kind not in TEXT_TYPES:
        raise invalid("Unknown text type")
    if kind == "HTML":
        raise invalid("Currently, only 'PLAIN_TEXT' comments are supported")
    return text


def _check_context(context: Object) -> None:
    entries = proto_json.repeated(context, "entries", dict, "TYPE_MESSAGE")
    if entries and proto_json.message(context, "articleAndParentComment"):
        raise invalid(
            "Context can have either entries or article_and_parent_comment, but both fields were "
            "populated."
        )


def _probability(score: Object, name: str) -> float:
    if proto_json.enum(score, "type", SCORE_TYPES) not in SCORE_TYPES[:2]:
        raise invalid(f"Suggested scores of attribute {short(name)} must be of type PROBABILITY")
    value = proto_json.number(score, "value")
    if value is None or not 0 <= value <= 1:
        raise invalid(f"Attribute {short(name)} needs a score value from 0 to 1")
    return value


def _span(part: Object, name: str) -> tuple[int, int, float]:
    begin, end = proto_json.integer(part, "begin"), proto_json.integer(part, "end")
    score = proto_json.message(part, "score")
    if begin is None or end is None or score is None or not 0 <= begin <= end <= MAX_TEXT_BYTES:
        raise invalid(f"A span score of attribute {short(name)} needs begin, end and score")
    return begin, end, _probability(score, name)
