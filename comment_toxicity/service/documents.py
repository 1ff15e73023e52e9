"""The two documents that describe the service, made from its messages and its table of endpoints.

discovery() describes Perspective's two methods in Google's format, from which Google's client
libraries build themselves. It names the host that the request was sent to, so a client needs no
other address than this one. openapi() describes every endpoint that has a summary.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from comment_toxicity.service import messages
from comment_toxicity.service.calls import Answer, Call, Endpoint, as_json
from comment_toxicity.service.errors import ApiError
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
from comment_toxicity.service.settings import ADDRESS

Schema = dict[str, Any]

VERSION = "v1alpha1"
REVISION = "20261121"

DISCOVERY_MESSAGES = (
    messages.ANALYZE_REQUEST,
    messages.ANALYZE_RESPONSE,
    messages.ARTICLE_AND_PARENT_COMMENT,
    messages.ATTRIBUTE_PARAMETERS,
    messages.ATTRIBUTE_SCORES,
    messages.CONTEXT,
    messages.SCORE,
    messages.SPAN_SCORE,
    messages.SUGGEST_REQUEST,
    messages.SUGGEST_RESPONSE,
    messages.TEXT_ENTRY,
)

# The OpenAPI document defines these once, by these names; others are written where they are used.
COMPONENTS = {
    "Scored": messages.SCORE_TEXTS_RESPONSE,
    "Model": messages.MODEL_RESPONSE,
    "TextEntry": messages.TEXT_ENTRY,
    "Score": messages.SCORE,
    "AttributeScores": messages.ATTRIBUTE_SCORES,
    "Analyzed": messages.ANALYZE_RESPONSE,
    "Suggested": messages.SUGGEST_RESPONSE,
    "Moderated": messages.MODERATION_RESPONSE,
    "ModerationError": messages.MODERATION_ERROR,
    "Error": messages.ERROR,
}
# Which fields it shows, where that is not all, or not in the order of the message.
SHOWN = {
    "Context": ("entries",),
    "AnalyzeCommentRequest": (
        *("comment", "languages", "clientToken", "communityId", "sessionId", "doNotStore"),
        *("context", "requestedAttributes", "spanAnnotations", "dropUnsupportedAttributes"),
        "explain",
    ),
    "SuggestCommentScoreRequest": (
        *("comment", "languages", "clientToken", "communityId", "sessionId", "doNotStore"),
        *("context", "attributeScores"),
    ),
    "SuggestCommentScoreResponse": ("requestedLanguages", "detectedLanguages", "clientToken"),
}
ERRORS = {
    "400": "The request is not right; the message says why",
    "403": "An API key is missing",
    "408": "The body did not arrive",
    "413": "The body is too large",
    "415": "The body's Content-Encoding is not gzip, deflate or identity",
    "429": "The caller's rate limit is reached; Retry-After says for how long",
    "503": "Overloaded, starting or stopping; Retry-After says for how long",
}


async def answer_discovery(call: Call) -> Answer:
    """Answer GET /$discovery/rest?version=v1alpha1."""
    if call.query.get("version", VERSION) != VERSION:
        raise ApiError(404, f"Discovery document not found; the version is {VERSION}.")
    if not ADDRESS.fullmatch(call.root):
        raise ApiError(400, "The Host header names no host.")
    return as_json(discovery(call.root.rstrip("/") + "/"))


def discovery(root: str) -> Schema:
    """Return the discovery document of a service at `root`, such as http://localhost:8080/."""
    path = urlsplit(root).path
    return {
        "kind": "discovery#restDescription",
        "discoveryVersion": "v1",
        "id": f"commentanalyzer:{VERSION}",
        "name": "commentanalyzer",
        "canonicalName": "Comment Analyzer",
        "version": VERSION,
        "version_module": True,
        "revision": REVISION,
        "title": "Comment toxicity in the wire format of the Perspective Comment Analyzer API",
        "description": "Tells how likely a reader is to find a comment toxic.",
        "protocol": "rest",
        "rootUrl": root,
        "baseUrl": root,
        "basePath": path if path != "/" else "",
        "servicePath": "",
        "batchPath": "batch",
        "parameters": _url_parameters(),
        "resources": {
            "comments": {
                "methods": {
                    "analyze": _method("analyze", "AnalyzeComment", "Scores a comment."),
                    "suggestscore": _method(
                        "suggestscore", "SuggestCommentScore", "Tells what a score should be."
                    ),
                }
            }
        },
        "schemas": {
            message.name: {
                "id": message.name,
                "type": "object",
                "properties": {
                    name: _discovery_schema(field)
                    for name, field in message.fields.items()
                    if name not in message.additions
                },
            }
            for message in DISCOVERY_MESSAGES
        },
    }


def openapi(
    endpoints: Sequence[Endpoint], labels: Sequence[str], policies: Sequence[str] | None = ()
) -> Schema:
    """Return the OpenAPI document of these endpoints, for a model with these labels.

    policies: the names that a request can name; None: not to be shown.
    """
    return _OpenApi(labels, policies).document(endpoints)


def _method(name: str, message: str, description: str) -> Schema:
    path = f"{VERSION}/comments:{name}"
    return {
        "id": f"commentanalyzer.comments.{name}",
        "description": description,
        "httpMethod": "POST",
        "path": path,
        "flatPath": path,
        "parameters": {},
        "parameterOrder": [],
        "request": {"$ref": f"{message}Request"},
        "response": {"$ref": f"{message}Response"},
    }


def _url_parameters() -> Schema:
    """Describe what Google's clients may add to any URL; all but `key` change nothing here."""
    names = {
        "$.xgafv": "V1 error format.",
        "access_token": "OAuth access token; not used.",
        "callback": "JSONP; not used.",
        "fields": "Selector of a partial response; not used.",
        "key": "API key, where the operator has set some.",
        "oauth_token": "OAuth 2.0 token; not used.",
        "quotaUser": "Not used: quotas go by key.",
        "uploadType": "Not used.",
        "upload_protocol": "Not used.",
    }
    parameters: Schema = {
        name: {"type": "string", "location": "query", "description": description}
        for name, description in names.items()
    }
    parameters["alt"] = {
        "type": "string",
        "location": "query",
        "description": "Data format for response.",
        "default": "json",
        "enum": ["json"],
        "enumDescriptions": ["JSON"],
    }
    parameters["prettyPrint"] = {
        "type": "boolean",
        "location": "query",
        "description": "Not used.",
        "default": "true",
    }
    return parameters


def _discovery_schema(field: Type) -> Schema:
    match field:
        case String():
            return {"type": "string"}
        case Boolean():
            return {"type": "boolean"}
        case Number():
            return {"type": "number", "format": "float"}
        case Integer():
            return {"type": "integer", "format": "int32"}
        case Enum(values):
            return {"type": "string", "enum": list(values), "enumDescriptions": list(values)}
        case Message(name):
            return {"$ref": name}
        case List(items):
            return {"type": "array", "items": _discovery_schema(items)}
        case Map(values):
            return {"type": "object", "additionalProperties": _discovery_schema(values)}
    raise TypeError(field)


class _OpenApi:
    """Writes the OpenAPI document for a model with these labels."""

    def __init__(self, labels: Sequence[str], policies: Sequence[str] | None):
        self._labels = list(labels)
        self._policies = policies
        self._components = {message.name: name for name, message in COMPONENTS.items()}

    def document(self, endpoints: Sequence[Endpoint]) -> Schema:
        return {
            "openapi": "3.1.0",
            "info": {
                "title": "Comment toxicity",
                "version": "1",
                "description": "How likely a reader is to find a comment toxic, and in which way. "
                "No text is stored, unless the operator has set up a database for corrections.",
            },
            "paths": {
                endpoint.path: {endpoint.method.lower(): self._operation(endpoint)}
                for endpoint in endpoints
                if endpoint.summary
            },
            "components": {
                "schemas": {name: self._object(message) for name, message in COMPONENTS.items()},
                "securitySchemes": {
                    "query": {"type": "apiKey", "in": "query", "name": "key"},
                    "header": {"type": "apiKey", "in": "header", "name": "X-Goog-Api-Key"},
                    "bearer": {"type": "http", "scheme": "bearer"},
                },
            },
            "security": [{}, {"query": []}, {"header": []}, {"bearer": []}],
        }

    def _operation(self, endpoint: Endpoint) -> Schema:
        assert endpoint.response  # noqa: S101 - an endpoint with a summary has one
        error = _content(self._schema(endpoint.errors.message))
        reasons = {**ERRORS, **endpoint.errors.statuses}
        responses: Schema = {
            status: {"description": reason, "content": error}
            for status, reason in sorted(reasons.items())
        }
        responses["200"] = {
            "description": "OK",
            "content": _content(self._schema(endpoint.response)),
        }
        operation = {
            "operationId": endpoint.name,
            "summary": endpoint.summary,
            "responses": responses,
        }
        if endpoint.request:
            content = _content(self._schema(endpoint.request))
            operation["requestBody"] = {"required": True, "content": content}
        return operation

    def _schema(self, field: Type) -> Schema:
        match field:
            case String():
                return {"type": "string"}
            case Boolean():
                return {"type": "boolean"}
            case Number(minimum, maximum):
                return {"type": "number"} | _set(minimum=minimum, maximum=maximum)
            case Integer(minimum):
                return {"type": "integer"} | _set(minimum=minimum)
            case Enum(values):
                return {"enum": list(values)}
            case Label():
                return {"enum": self._labels}
            case PolicyName():
                return self._policy_name()
            case List(items, minimum, maximum, description):
                limits = _set(minItems=minimum, maxItems=maximum)
                schema = {"type": "array", **limits, "items": self._schema(items)}
                return schema | _set(description=description or None)
            case Map(values, minimum, maximum):
                limits = _set(minProperties=minimum, maxProperties=maximum)
                return {"type": "object", **limits, "additionalProperties": self._schema(values)}
            case OneOf(options):
                return {"oneOf": [self._schema(option) for option in options]}
            case JsonSchema(schema):
                return schema
            case Message(name):
                if name in self._components:
                    return {"$ref": f"#/components/schemas/{self._components[name]}"}
                return self._object(field)
        raise TypeError(field)

    def _policy_name(self) -> Schema:
        if self._policies is None:
            return {"type": "string"}
        return {"enum": list(self._policies)} if self._policies else {"not": {}}

    def _object(self, message: Message) -> Schema:
        schema: Schema = {"type": "object"}
        if message.required:
            schema["required"] = list(message.required)
        if message.closed:
            schema["additionalProperties"] = False
        shown = SHOWN.get(message.name, message.fields)
        schema["properties"] = {name: self._schema(message.fields[name]) for name in shown}
        return schema | _set(example=message.example)


def _content(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}


def _set(**entries: Any) -> Schema:
    return {name: value for name, value in entries.items() if value is not None}
