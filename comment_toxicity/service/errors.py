"""What is answered instead of scores: google.rpc.Status, with the messages that clients match.

{"error": {"code": 400, "message": "Comment must be non-empty.", "status": "INVALID_ARGUMENT",
           "details": [{"@type": "…v1alpha1.Error", "errorType": "COMMENT_EMPTY"}]}}
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

ERROR_TYPE = "type.googleapis.com/google.commentanalyzer.v1alpha1.Error"
STATUS = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


class ApiError(Exception):
    """An answer that is no success. It holds nothing of the comment's text.

    headers: sent with it, such as Retry-After.
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
        """Give the JSON object to send."""
        status = STATUS.get(self.code, "UNKNOWN")
        error: dict[str, Any] = {"code": self.code, "message": self.message, "status": status}
        if self.details:
            error["details"] = self.details
        return {"error": error}


def typed(error_type: str, message: str, **payload: Any) -> ApiError:
    """Refuse a request with 400 and one of the contract's error types."""
    return ApiError(400, message, [{"@type": ERROR_TYPE, "errorType": error_type, **payload}])


def invalid(message: str) -> ApiError:
    """Refuse what has no error type of its own."""
    return typed("INVALID_REQUEST", message)


def unsupported(attribute: str, languages: Sequence[str], *, asked: bool) -> ApiError:
    """Refuse languages; asked: whether the request named them, or they were detected."""
    field = "requestedLanguages" if asked else "detectedLanguages"
    return typed(
        "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
        f"Attribute {attribute} does not support request languages: {', '.join(languages)}",
        languageNotSupportedByAttributeError={"attribute": attribute, field: list(languages)},
    )


def busy(code: int, message: str, seconds: float) -> ApiError:
    """Refuse for now: 429 for one caller's share, 503 for everybody's."""
    return ApiError(code, message, headers={"Retry-After": str(max(1, math.ceil(seconds)))})


def too_large(limit: int) -> ApiError:
    """Refuse a body."""
    return ApiError(413, f"Request payload size exceeds the limit: {limit} bytes.")
