"""Error responses: google.rpc.Status, with the messages that clients match.

{"error": {"code": 400, "message": "Comment must be non-empty.", "status": "INVALID_ARGUMENT",
           "details": [{"@type": "…v1alpha1.Error", "errorType": "COMMENT_EMPTY"}]}}
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

STATUS = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    413: "INVALID_ARGUMENT",
    415: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",  # nobody reads it, but metrics count it
    500: "INTERNAL",
    503: "UNAVAILABLE",
}
# Perspective's error types whose message is always the same; clients match both.
CONTRACT_MESSAGES = {
    "COMMENT_EMPTY": "Comment must be non-empty.",
    "COMMENT_TOO_LONG": "Comment text too long.",
    "LANGUAGE_DETECTION_FAILED": "Unable to detect language",
    "NO_REQUESTED_ATTRIBUTES": "Missing requested_attributes",
}
OVERLOADED = "The service is overloaded; try again later."
ERROR_TYPE = "type.googleapis.com/google.commentanalyzer.v1alpha1.Error"


class ApiError(Exception):
    """An answer other than success. It holds nothing of the comment's text.

    code: the HTTP status. headers: sent with it, such as Retry-After.
    """

    def __init__(
        self,
        code: int,
        message: str,
        details: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ):
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = list(details)
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """Return the JSON object to send."""
        status = STATUS.get(self.code, "UNKNOWN")
        error: dict[str, Any] = {"code": self.code, "message": self.message, "status": status}
        if self.details:
            error["details"] = self.details
        return {"error": error}


class ApiKeyError(ApiError):
    """The API key is missing or wrong."""


def contract_error(error_type: str, message: str = "", **payload: Any) -> ApiError:
    """Return a 400 with one of Perspective's error types; `message` where the table has none."""
    details = {"@type": ERROR_TYPE, "errorType": error_type, **payload}
    return ApiError(400, message or CONTRACT_MESSAGES[error_type], [details])


def invalid(message: str) -> ApiError:
    """Return the 400 for what has no error type of its own."""
    return contract_error("INVALID_REQUEST", message)


def unknown_policy(name: str) -> ApiError:
    """Return the 400 for a policy that the operator's file does not have."""
    shown = name if len(name) <= 100 else name[:100] + "…"
    return contract_error("UNKNOWN_POLICY", f"Unknown policy: {shown}")


def unsupported(attribute: str, languages: Sequence[str], *, requested: bool) -> ApiError:
    """Return the 400 for languages; requested: whether the request named them, or detection did."""
    field = "requestedLanguages" if requested else "detectedLanguages"
    return contract_error(
        "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
        f"Attribute {attribute} does not support request languages: {', '.join(languages)}",
        languageNotSupportedByAttributeError={"attribute": attribute, field: list(languages)},
    )


def busy(code: int, message: str, seconds: float) -> ApiError:
    """Return a refusal for now: 429 beyond a caller's rate limit, 503 when all must wait."""
    return ApiError(code, message, headers={"Retry-After": str(max(1, math.ceil(seconds)))})


def too_large(limit: int) -> ApiError:
    """Return the 413 for a body of more than `limit` bytes."""
    return ApiError(413, f"Request payload size exceeds the limit: {limit} bytes.")
