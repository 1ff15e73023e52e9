"""The OpenAPI document of the service."""

from typing import TYPE_CHECKING, Any

from comment_toxicity.service.calls import Answer, Call, as_json
from comment_toxicity.service.messages import MAX_TEXT_BYTES, SCORE_TYPES, TEXT_TYPES
from comment_toxicity.service.v1 import MAX_TEXTS

if TYPE_CHECKING:
    from comment_toxicity.service.service import Service

Schema = dict[str, Any]


async def document(service: "Service", _: Call) -> Answer:
    """Answer GET /openapi.json."""
    return as_json(openapi(service.labels))


def openapi(labels: list[str]) -> Schema:
    """Write the document for a model with these labels."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Comment toxicity",
            "version": "1",
            "description": "How likely a reader is to find a comment toxic, and in which way. "
            "Nothing is stored, unless the operator has set up a database for corrections.",
        },
        "paths": {
            "/v1/score": {"post": _score(labels)},
            "/v1/model": {"get": _get("model", "Which model answers", {"$ref": _ref("Model")})},
            "/v1alpha1/comments:analyze": {"post": _analyze()},
            "/v1alpha1/comments:suggestscore": {"post": _suggest()},
            "/health/live": {"get": _get("live", "Whether the process runs", _status("alive"))},
            "/health/ready": {"get": _get("ready", "Whether it can score", _status("ready"))},
        },
        "components": {
            "schemas": _schemas(labels),
            "securitySchemes": {
                "query": {"type": "apiKey", "in": "query", "name": "key"},
                "header": {"type": "apiKey", "in": "header", "name": "X-Goog-Api-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{}, {"query": []}, {"header": []}, {"bearer": []}],
    }


def _score(labels: list[str]) -> Schema:
    request = {
        "type": "object",
        "required": ["texts"],
        "additionalProperties": False,
        "properties": {
            "texts": {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_TEXTS,
                "items": {"description": f"A text of up to {MAX_TEXT_BYTES} UTF-8 bytes."},
            },
            "labels": {
                "type": "array",
                "minItems": 1,
                "items": {"enum": labels},
                "description": "Answer these only.",
            },
        },
        "example": {"texts": ["Thank you, that was helpful.", "You idiot."]},
    }
    return _post("score", "Score texts", request, {"$ref": _ref("Scored")})


def _analyze() -> Schema:
    request = {
        "type": "object",
        "required": ["comment", "requestedAttributes"],
        "properties": {
            **_common(),
            "requestedAttributes": {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": {
                    "type": "object",
                    "properties": {
                        "scoreType": {"enum": list(SCORE_TYPES)},
                        "scoreThreshold": {"type": "number"},
                    },
                },
            },
            "spanAnnotations": {"type": "boolean"},
            "dropUnsupportedAttributes": {"type": "boolean"},
        },
        "example": {"comment": {"text": "You idiot."}, "requestedAttributes": {"TOXICITY": {}}},
    }
    return _post(
        "analyze", "Score a comment as Perspective did", request, {"$ref": _ref("Analyzed")}
    )


def _suggest() -> Schema:
    request = {
        "type": "object",
        "required": ["comment", "attributeScores"],
        "properties": {
            **_common(),
            "attributeScores": {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": {"$ref": _ref("AttributeScores")},
            },
        },
        "example": {
            "comment": {"text": "You idiot."},
            "attributeScores": {"TOXICITY": {"summaryScore": {"value": 1}}},
        },
    }
    return _post(
        "suggestscore", "Tell what a score should be", request, {"$ref": _ref("Suggested")}
    )


def _common() -> Schema:
    text = {"type": "string"}
    return {
        "comment": {"$ref": _ref("TextEntry")},
        "languages": _list(text),
        "clientToken": text,
        "communityId": text,
        "sessionId": text,
        "doNotStore": {"type": "boolean"},
        "context": {
            "type": "object",
            "properties": {"entries": _list({"$ref": _ref("TextEntry")})},
        },
    }


def _schemas(labels: list[str]) -> Schema:
    text, share = {"type": "string"}, {"type": "number", "minimum": 0, "maximum": 1}
    place = {"type": "integer", "minimum": 0}
    about = {
        "model": _object({"name": text, "weights": {"type": ["string", "null"]}}),
        "labels": _list({"enum": labels}),
        "thresholds": {"type": "object", "additionalProperties": share},
        "calibrated": {"type": "boolean"},
    }
    scored = _object({"scores": _map(share), "flags": _list({"enum": labels})})
    failed = _object({"error": _object({"code": text, "message": text})})
    limits = _object({"texts": place, "textBytes": place, "bodyBytes": place})
    score = {
        "type": "object",
        "required": ["value"],
        "properties": {"value": share, "type": {"enum": list(SCORE_TYPES)}},
    }
    span = _object({"begin": place, "end": place, "score": {"$ref": _ref("Score")}})
    languages = {"languages": _list(text), "detectedLanguages": _list(text)}
    return {
        "Scored": _object({**about, "results": _list({"oneOf": [scored, failed]})}),
        "Model": _object({**about, "languages": _list(text), "limits": limits}),
        "TextEntry": {
            "type": "object",
            "properties": {"text": text, "type": {"enum": list(TEXT_TYPES)}},
        },
        "Score": score,
        "AttributeScores": {
            "type": "object",
            "properties": {"summaryScore": {"$ref": _ref("Score")}, "spanScores": _list(span)},
        },
        "Analyzed": {
            "type": "object",
            "required": list(languages),
            "properties": {
                "attributeScores": _map({"$ref": _ref("AttributeScores")}),
                **languages,
                "clientToken": text,
            },
        },
        "Suggested": {
            "type": "object",
            "required": ["detectedLanguages"],
            "properties": {
                "requestedLanguages": _list(text),
                "detectedLanguages": _list(text),
                "clientToken": text,
            },
        },
        "Error": _object(
            {
                "error": {
                    "type": "object",
                    "required": ["code", "message", "status"],
                    "properties": {
                        "code": {"type": "integer"},
                        "message": text,
                        "status": text,
                        "details": _list({"type": "object"}),
                    },
                }
            }
        ),
    }


def _post(name: str, summary: str, request: Schema, answer: Schema) -> Schema:
    body = {"required": True, "content": {"application/json": {"schema": request}}}
    return {**_operation(name, summary, answer), "requestBody": body}


def _get(name: str, summary: str, answer: Schema) -> Schema:
    return _operation(name, summary, answer)


def _operation(name: str, summary: str, answer: Schema) -> Schema:
    error = {"application/json": {"schema": {"$ref": _ref("Error")}}}
    reasons = {
        "400": "The request is not right; the message says why",
        "403": "An API key is missing",
        "408": "The body did not arrive",
        "413": "The body is too large",
        "429": "The caller's rate limit is reached; Retry-After says for how long",
        "503": "Overloaded, starting or stopping; Retry-After says for how long",
    }
    answers: Schema = {
        status: {"description": reason, "content": error} for status, reason in reasons.items()
    }
    answers["200"] = {"description": "OK", "content": {"application/json": {"schema": answer}}}
    return {"operationId": name, "summary": summary, "responses": answers}


def _ref(name: str) -> str:
    return f"#/components/schemas/{name}"


def _status(value: str) -> Schema:
    return _object({"status": {"const": value}})


def _object(properties: Schema) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _map(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}
