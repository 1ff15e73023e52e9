"""The messages of each wire format, their fields and types, written once.

Requests are read by them (requests.py, v1.py), and documents.py makes the discovery document and
the OpenAPI document from them. A further format adds a section here, its handlers in a module
beside v1.py, and lines in endpoints.py.
"""

from comment_toxicity.service.proto_json import (
    Boolean,
    Enum,
    Integer,
    JsonSchema,
    Label,
    List,
    Map,
    Message,
    Number,
    OneOf,
    String,
    Type,
)

MAX_TEXT_BYTES = 20_480
# A text is scored to here. English of MAX_TEXT_BYTES has some 4,500 tokens, and Arabic, in which
# each letter can be one, 10,240; but a ligature of three bytes can stand for 18 letters.
MAX_TEXT_TOKENS = 12_000
MAX_ATTRIBUTES = 100  # Perspective had some 60 names
MAX_TEXTS = 1000  # in one call of /v1/score

STRING, BOOLEAN = String(), Boolean()
PROBABILITY = Number(0, 1)
COUNT = Integer(0)
LABEL = Label()


def utf8_length(text: str) -> int:
    """Count UTF-8 bytes; lone surrogates, which JSON escapes can make, count three."""
    return len(text.encode("utf-8", "surrogatepass"))


def _answer(name: str, /, **fields: Type) -> Message:
    """Describe an object that always has all of its fields."""
    return Message(name, fields, required=tuple(fields))


# Perspective

TEXT_TYPES = ("TEXT_TYPE_UNSPECIFIED", "PLAIN_TEXT", "HTML")
SCORE_TYPES = ("SCORE_TYPE_UNSPECIFIED", "PROBABILITY", "STD_DEV_SCORE", "PERCENTILE", "RAW")

TEXT_ENTRY = Message("TextEntry", {"text": STRING, "type": Enum(TEXT_TYPES)})
ARTICLE_AND_PARENT_COMMENT = Message(
    "ArticleAndParentComment", {"article": TEXT_ENTRY, "parentComment": TEXT_ENTRY}
)
CONTEXT = Message(
    "Context",
    {"entries": List(TEXT_ENTRY), "articleAndParentComment": ARTICLE_AND_PARENT_COMMENT},
)
SCORE = Message("Score", {"value": PROBABILITY, "type": Enum(SCORE_TYPES)}, required=("value",))
SPAN_SCORE = Message(
    "SpanScore",
    {"begin": COUNT, "end": COUNT, "score": SCORE},
    required=("begin", "end", "score"),
)
ATTRIBUTE_SCORES = Message(
    "AttributeScores", {"summaryScore": SCORE, "spanScores": List(SPAN_SCORE)}
)
ATTRIBUTE_PARAMETERS = Message(
    "AttributeParameters", {"scoreType": Enum(SCORE_TYPES), "scoreThreshold": Number()}
)
COMMENT_FIELDS: dict[str, Type] = {
    "comment": TEXT_ENTRY,
    "context": CONTEXT,
    "languages": List(STRING),
    "clientToken": STRING,
    "communityId": STRING,
    "sessionId": STRING,
}
ANALYZE_REQUEST = Message(
    "AnalyzeCommentRequest",
    {
        **COMMENT_FIELDS,
        "requestedAttributes": Map(ATTRIBUTE_PARAMETERS, minimum=1, maximum=MAX_ATTRIBUTES),
        "spanAnnotations": BOOLEAN,
        "doNotStore": BOOLEAN,
        "dropUnsupportedAttributes": BOOLEAN,
    },
    required=("comment", "requestedAttributes"),
    example={"comment": {"text": "You idiot."}, "requestedAttributes": {"TOXICITY": {}}},
)
ANALYZE_RESPONSE = Message(
    "AnalyzeCommentResponse",
    {
        "attributeScores": Map(ATTRIBUTE_SCORES),
        "languages": List(STRING),
        "detectedLanguages": List(STRING),
        "clientToken": STRING,
        "truncated": BOOLEAN,
    },
    required=("languages", "detectedLanguages"),
    additions=("truncated",),
)
SUGGEST_REQUEST = Message(
    "SuggestCommentScoreRequest",
    {
        **COMMENT_FIELDS,
        "attributeScores": Map(ATTRIBUTE_SCORES, minimum=1, maximum=MAX_ATTRIBUTES),
        "doNotStore": BOOLEAN,
    },
    required=("comment", "attributeScores"),
    additions=("doNotStore",),
    example={
        "comment": {"text": "You idiot."},
        "attributeScores": {"TOXICITY": {"summaryScore": {"value": 1}}},
    },
)
SUGGEST_RESPONSE = Message(
    "SuggestCommentScoreResponse",
    {
        "clientToken": STRING,
        "requestedLanguages": List(STRING),
        "detectedLanguages": List(STRING),
    },
    required=("detectedLanguages",),
)

# /v1

SCORE_TEXTS_REQUEST = Message(
    "ScoreTextsRequest",
    {
        "texts": List(
            JsonSchema({"description": f"A text of up to {MAX_TEXT_BYTES} UTF-8 bytes."}),
            minimum=1,
            maximum=MAX_TEXTS,
        ),
        "labels": List(LABEL, minimum=1, description="Answer these only."),
    },
    required=("texts",),
    closed=True,
    example={"texts": ["Thank you, that was helpful.", "You idiot."]},
)
ABOUT_FIELDS: dict[str, Type] = {
    "model": _answer("ModelName", name=STRING, weights=JsonSchema({"type": ["string", "null"]})),
    "labels": List(LABEL),
    "thresholds": Map(PROBABILITY),
    "calibrated": BOOLEAN,
}
SCORED_TEXT = Message(
    "ScoredText",
    {"scores": Map(PROBABILITY), "flags": List(LABEL), "scoredCharacters": COUNT},
    required=("scores", "flags"),
)
FAILED_TEXT = _answer("FailedText", error=_answer("TextError", code=STRING, message=STRING))
SCORE_TEXTS_RESPONSE = _answer(
    "Scored", **ABOUT_FIELDS, results=List(OneOf((SCORED_TEXT, FAILED_TEXT)))
)
MODEL_RESPONSE = _answer(
    "Model",
    **ABOUT_FIELDS,
    languages=List(STRING),
    limits=_answer("Limits", texts=COUNT, textBytes=COUNT, textTokens=COUNT, bodyBytes=COUNT),
)

# Health, and errors of every format but those that bring their own

ALIVE = _answer("Alive", status=JsonSchema({"const": "alive"}))
READY = _answer("Ready", status=JsonSchema({"const": "ready"}))
ERROR = _answer(
    "Error",
    error=Message(
        "Status",
        {
            "code": Integer(),
            "message": STRING,
            "status": STRING,
            "details": List(JsonSchema({"type": "object"})),
        },
        required=("code", "message", "status"),
    ),
)
