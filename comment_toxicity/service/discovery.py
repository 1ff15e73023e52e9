"""The discovery document, from which Google's client libraries build themselves.

It names the host that the request was sent to, so a client needs no other address than this one.
"""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from comment_toxicity.service.calls import Answer, Call, as_json
from comment_toxicity.service.errors import ApiError
from comment_toxicity.service.messages import SCORE_TYPES, TEXT_TYPES
from comment_toxicity.service.settings import ADDRESS

if TYPE_CHECKING:
    from comment_toxicity.service.service import Service

VERSION = "v1alpha1"
REVISION = "20261121"

Schema = dict[str, Any]


async def document(service: "Service", call: Call) -> Answer:
    """Answer GET /$discovery/rest?version=v1alpha1."""
    if call.query.get("version", VERSION) != VERSION:
        raise ApiError(404, f"Discovery document not found; the version is {VERSION}.")
    if not ADDRESS.fullmatch(call.root):
        raise ApiError(400, "The Host header names no host.")
    return as_json(discovery(call.root.rstrip("/") + "/"))


def discovery(root: str) -> Schema:
    """Write the document for a service at `root`, such as http://localhost:8080/."""
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
        "parameters": _parameters(),
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
        "schemas": _schemas(),
    }


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


def _parameters() -> Schema:
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


def _schemas() -> Schema:
    text = {"type": "string"}
    flag = {"type": "boolean"}
    real = {"type": "number", "format": "float"}
    place = {"type": "integer", "format": "int32"}
    score_type = _enum(SCORE_TYPES)
    common = {
        "comment": {"$ref": "TextEntry"},
        "context": {"$ref": "Context"},
        "languages": _list(text),
        "clientToken": text,
        "communityId": text,
        "sessionId": text,
    }
    messages: dict[str, Schema] = {
        "AnalyzeCommentRequest": {
            **common,
            "requestedAttributes": _map("AttributeParameters"),
            "spanAnnotations": flag,
            "doNotStore": flag,
            "dropUnsupportedAttributes": flag,
        },
        "AnalyzeCommentResponse": {
            "attributeScores": _map("AttributeScores"),
            "languages": _list(text),
            "detectedLanguages": _list(text),
            "clientToken": text,
        },
        "ArticleAndParentComment": {
            "article": {"$ref": "TextEntry"},
            "parentComment": {"$ref": "TextEntry"},
        },
        "AttributeParameters": {"scoreType": score_type, "scoreThreshold": real},
        "AttributeScores": {
            "summaryScore": {"$ref": "Score"},
            "spanScores": _list({"$ref": "SpanScore"}),
        },
        "Context": {
            "entries": _list({"$ref": "TextEntry"}),
            "articleAndParentComment": {"$ref": "ArticleAndParentComment"},
        },
        "Score": {"value": real, "type": score_type},
        "SpanScore": {"begin": place, "end": place, "score": {"$ref": "Score"}},
        "SuggestCommentScoreRequest": {**common, "attributeScores": _map("AttributeScores")},
        "SuggestCommentScoreResponse": {
            "clientToken": text,
            "requestedLanguages": _list(text),
            "detectedLanguages": _list(text),
        },
        "TextEntry": {"text": text, "type": _enum(TEXT_TYPES)},
    }
    return {
        name: {"id": name, "type": "object", "properties": properties}
        for name, properties in messages.items()
    }


def _enum(values: tuple[str, ...]) -> Schema:
    return {"type": "string", "enum": list(values), "enumDescriptions": list(values)}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _map(message: str) -> Schema:
    return {"type": "object", "additionalProperties": {"$ref": message}}
