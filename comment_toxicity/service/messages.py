"""The messages of each wire format, their fields and types, written once.

Requests are read by them (requests.py, v1.py), and documents.py makes the discovery document and
the OpenAPI document from them. A further format adds a section here, its handlers in a module
beside v1.py, and lines in endpoints.py.
"""

from dataclasses import replace

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
    PolicyName,
    String,
    Type,
)

MAX_TEXT_BYTES = 20_480
# A text is scored to here. English of MAX_TEXT_BYTES has some 4,500 tokens, and Arabic, in which
# each letter can be one, 10,240; but a ligature of three bytes can stand for 18 letters.
MAX_TEXT_TOKENS = 12_000
MAX_ATTRIBUTES = 100  # Perspective had some 60 names
MAX_TEXTS = 1000  # in one call of /v1/score
MAX_EXPLAINED = 10  # of them, where explain is set
MAX_ID = 200  # characters of a caller's id for a text

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


def _about(name: str, /, **fields: Type) -> Message:
    """Describe an answer that begins with ABOUT_FIELDS; `policy` and `models` can be missing."""
    answer = _answer(name, **ABOUT_FIELDS, **fields)
    required = (each for each in answer.required if each not in ("policy", "models"))
    return replace(answer, required=tuple(required))


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
        "explain": BOOLEAN,
    },
    required=("comment", "requestedAttributes"),
    additions=("explain",),
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
        "policy": STRING,
        "flags": List(STRING, description="The requested attributes that the policy flags."),
    },
    required=("languages", "detectedLanguages"),
    additions=("truncated", "policy", "flags"),
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
        "policy": PolicyName(),
        "explain": JsonSchema(
            {
                "type": "boolean",
                "description": "Say which words carry each flag; with it, at most "
                f"{MAX_EXPLAINED} texts.",
            }
        ),
        "ids": List(
            JsonSchema({"type": ["string", "null"], "maxLength": MAX_ID}),
            maximum=MAX_TEXTS,
            description="Your id for each text, in order, for the operator's decision log.",
        ),
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
    "policy": STRING,
    "models": List(
        _answer(
            "ServedModel",
            name=STRING,
            weights=JsonSchema({"type": ["string", "null"]}),
            languages=List(STRING),
            thresholds=Map(PROBABILITY),
            calibrated=BOOLEAN,
        ),
        description="Where there are several, all of them, in the order of preference.",
    ),
}
_SPAN = {"start": COUNT, "end": COUNT}
EXPLANATION = Message(
    "Explanation",
    {
        "unit": Enum(("word", "sentence", "part")),
        "passage": _answer("Passage", **_SPAN, utf16=_answer("Utf16Span", **_SPAN)),
        "parts": List(
            _answer(
                "ExplanationPart",
                **_SPAN,
                utf16=_answer("Utf16Span", **_SPAN),
                effect=Number(-1, 1),
            )
        ),
    },
    required=("unit", "parts"),
)
SCORED_TEXT = Message(
    "ScoredText",
    {
        "scores": Map(PROBABILITY),
        "flags": List(LABEL),
        "model": STRING,
        "language": JsonSchema({"type": ["string", "null"]}),
        "scoredCharacters": COUNT,
        "explanations": OneOf((Map(EXPLANATION), JsonSchema({"type": "null"}))),
    },
    required=("scores", "flags"),
)
FAILED_TEXT = _answer("FailedText", error=_answer("TextError", code=STRING, message=STRING))
SCORE_TEXTS_RESPONSE = _about(
    "Scored",
    results=List(OneOf((SCORED_TEXT, FAILED_TEXT))),
)
MODEL_RESPONSE = _about(
    "Model",
    languages=List(STRING),
    limits=_answer("Limits", texts=COUNT, textBytes=COUNT, textTokens=COUNT, bodyBytes=COUNT),
)

# OpenAI's moderations

MODERATION_CATEGORIES = (
    *("harassment", "harassment/threatening", "hate", "hate/threatening"),
    *("illicit", "illicit/violent", "self-harm", "self-harm/intent", "self-harm/instructions"),
    *("sexual", "sexual/minors", "violence", "violence/graphic"),
)
TEXT = JsonSchema(
    {"type": "string", "description": f"A text of up to {MAX_TEXT_BYTES} UTF-8 bytes."}
)
MODERATION_REQUEST = Message(
    "ModerationRequest",
    {
        "model": JsonSchema({"type": ["string", "null"], "description": "Any; it is not used."}),
        "input": OneOf(
            (
                TEXT,
                List(TEXT, minimum=1, maximum=MAX_TEXTS, description="One result for each."),
                List(
                    _answer("ModerationText", type=JsonSchema({"const": "text"}), text=TEXT),
                    minimum=1,
                    maximum=MAX_TEXTS,
                    description="The parts of one input. Images are refused.",
                ),
            )
        ),
    },
    required=("input",),
    example={"input": ["Thank you, that was helpful.", "You idiot."]},
)
MODERATION_RESPONSE = _answer(
    "ModerationResponse",
    id=STRING,
    model=STRING,
    results=List(
        _answer(
            "Moderation",
            flagged=BOOLEAN,
            categories=_answer("Categories", **dict.fromkeys(MODERATION_CATEGORIES, BOOLEAN)),
            category_scores=_answer(
                "CategoryScores", **dict.fromkeys(MODERATION_CATEGORIES, PROBABILITY)
            ),
            category_applied_input_types=_answer(
                "CategoryAppliedInputTypes",
                **dict.fromkeys(MODERATION_CATEGORIES, List(Enum(("text",)))),
            ),
        )
    ),
)
MODELS_RESPONSE = _answer(
    "Models",
    object=JsonSchema({"const": "list"}),
    data=List(
        _answer(
            "ListedModel",
            id=STRING,
            object=JsonSchema({"const": "model"}),
            created=COUNT,
            owned_by=STRING,
        )
    ),
)
_STRING_OR_NULL = JsonSchema({"type": ["string", "null"]})
MODERATION_ERROR = _answer(
    "ModerationError",
    error=_answer(
        "ModerationErrorBody",
        message=STRING,
        type=STRING,
        param=_STRING_OR_NULL,
        code=_STRING_OR_NULL,
    ),
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
