"""POST /v1/moderations and GET /v1/models, in the wire format of OpenAI.

{"input": "text" | ["text", …] | [{"type": "text", "text": "…"}, …]}; see docs/openai.md. A category
that the model does not look at has no applied input type: its 0 means nothing. Errors have OpenAI's
form, too: {"error": {"message", "type", "param", "code"}}.
"""

import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np

from comment_toxicity.disk import shortest_float
from comment_toxicity.policy import Rules
from comment_toxicity.service import messages
from comment_toxicity.service.batching import Scores, portions
from comment_toxicity.service.calls import Answer, Call, ErrorFormat, as_json
from comment_toxicity.service.errors import ApiError, ApiKeyError, unknown_policy
from comment_toxicity.service.messages import (
    MAX_TEXT_BYTES,
    MAX_TEXT_TOKENS,
    MAX_TEXTS,
    MODERATION_CATEGORIES,
    utf8_length,
)
from comment_toxicity.service.proto_json import Object, strict_object
from comment_toxicity.service.service import Service
from comment_toxicity.text import is_blank

# Category → the attributes it is made of, in Perspective's names, and whether it takes any or all
# of them: the score is their maximum or minimum. PROFANITY is in none: swearing is not sexual.
CATEGORIES = {
    "harassment": (("TOXICITY", "INSULT"), any),
    "harassment/threatening": (("THREAT",), any),
    "hate": (("IDENTITY_ATTACK",), any),
    "hate/threatening": (("IDENTITY_ATTACK", "THREAT"), all),
}
TYPES = {429: "requests", 500: "server_error", 503: "server_error"}
CODES = {429: "rate_limit_exceeded"}
NAMES_POLICY = "ours:"  # before the name of a policy, as `model`
TOO_LONG = "string_above_max_length"


class InputError(ApiError):
    """An error with OpenAI's `param`, the field that is wrong, and `code`, here error_code."""

    def __init__(
        self, message: str, param: str = "input", code: str | None = None, status: int = 400
    ):
        super().__init__(status, message)
        self.param = param
        self.error_code = code


async def moderate(service: Service, call: Call) -> Answer:
    """Answer POST /v1/moderations."""
    body = strict_object(call.body)
    if not isinstance(body.get("model"), str | None):
        raise InputError("model must be a string; any is accepted.", "model")
    texts = _texts(body.get("input"))
    labels = _labels_of_categories(service)
    rules = _rules(service, call, body.get("model") or "")

    # The request has no id, so a decision is recorded under that of the answer.
    name = f"modr-{uuid.uuid4().hex}"
    names = [name] if len(texts) == 1 else [f"{name}/{index}" for index in range(len(texts))]

    results: list[Object] = []
    answered: list[str] = []
    for portion in portions(list(map(len, texts))):
        await call.check_caller()
        results += await _results(
            service, texts[portion], names[portion], labels, rules, call, answered
        )
    models = ",".join(dict.fromkeys(answered)) or service.classifier.name
    return as_json({"id": name, "model": models, "results": results})


async def models(service: Service, _: Call) -> Answer:
    """Answer GET /v1/models: what moderate() takes as `model`.

    Some programs offer these to choose from, or ask for them to try an address and a key.
    """
    models = (model.name for model in service.models.classifiers)
    names = [*models, *(NAMES_POLICY + name for name in service.policy_names)]
    about = {"object": "model", "created": 0, "owned_by": "comment-toxicity"}
    return as_json({"object": "list", "data": [{"id": name, **about} for name in names]})


def error_answer(error: ApiError) -> Answer:
    """Answer with an error, in OpenAI's form."""
    status, message = error.code, error.message
    param, code = None, CODES.get(status)
    if isinstance(error, InputError):
        param, code = error.param, error.error_code
    if isinstance(error, ApiKeyError):
        status, code = 401, "invalid_api_key"
        message = "The API key is missing or wrong; send it as Authorization: Bearer KEY."
    error_type = TYPES.get(status, "invalid_request_error")
    body = {"error": {"message": message, "type": error_type, "param": param, "code": code}}
    return as_json(body, status, error.headers)


ERRORS = ErrorFormat(
    error_answer,
    messages.MODERATION_ERROR,
    {
        "401": "The API key is missing or wrong",
        "403": "The request comes from a web page of another site, or its Host is not allowed",
        "404": "The model does not have the labels that the categories are made of",
    },
)


def _texts(given: Any) -> list[str]:
    """Return the texts to score, one for each result. Raises InputError."""
    if isinstance(given, str):
        texts = [given]
    elif not isinstance(given, list) or not 1 <= len(given) <= MAX_TEXTS:
        raise InputError(
            f"input must be a string, or a list of 1 to {MAX_TEXTS} strings or of parts such as "
            '{"type": "text", "text": "…"}.'
        )
    elif all(isinstance(entry, str) for entry in given):
        texts = given
    else:
        texts = ["\n".join(_text_of_part(part, index) for index, part in enumerate(given))]
    for text in texts:
        if utf8_length(text) > MAX_TEXT_BYTES:
            raise InputError(
                f"input holds a text of more than {MAX_TEXT_BYTES} bytes of UTF-8; split it.",
                code=TOO_LONG,
            )
    return texts


def _text_of_part(part: Any, index: int) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "image_url":
        raise InputError(
            "Images are not supported: the model reads text only.",
            f"input[{index}].type",
            "unsupported_value",
        )
    if kind != "text" or not isinstance(part.get("text"), str):
        raise InputError(
            'A part of input must be {"type": "text", "text": "…"}, and a list holds either parts '
            "or strings.",
            f"input[{index}]",
        )
    return part["text"]


def _rules(service: Service, call: Call, model: str) -> Rules | None:
    """Return the policy that `model` names, or that the caller has. Raises InputError."""
    if not model.startswith(NAMES_POLICY):
        return service.policy(call)
    name = model.removeprefix(NAMES_POLICY)
    if name not in service.policy_names:
        raise InputError(unknown_policy(name).message, "model", "unknown_policy")
    return service.policy(call, name)


def _labels_of_categories(service: Service) -> dict[str, list[int]]:
    """Return the columns of the labels that each category is made of. Raises InputError."""
    attributes = service.attributes
    needed = {attribute for names, _ in CATEGORIES.values() for attribute in names}
    if missing := sorted(needed - set(attributes)):
        raise InputError(
            f"The operator's model, {service.classifier.name}, has no label for "
            f"{', '.join(missing)}, so it cannot answer /v1/moderations; /v1/score works.",
            "model",
            "model_not_found",
            404,
        )
    return {
        category: [service.labels.index(attributes[name]) for name in names]
        for category, (names, _) in CATEGORIES.items()
    }


async def _results(
    service: Service,
    texts: Sequence[str],
    names: Sequence[str],
    labels: dict[str, list[int]],
    rules: Rules | None,
    call: Call,
    answered: list[str],
) -> list[Object]:
    """Return the results of texts, and add to `answered` which model scored each."""
    scorable = [text for text in texts if not is_blank(text)]
    treated = await service.treat(scorable, rules)
    read = [comment.text for comment in treated]
    readings = await service.read(read, service.languages(scorable))
    if any(reading.cut_short for reading in readings):
        # The format cannot say that a text was scored in part.
        raise InputError(
            f"input holds a text of more than {MAX_TEXT_TOKENS} tokens; split it.", code=TOO_LONG
        )
    rows = await service.score(readings, call, begun=bool(answered))
    answered += [service.models.classifiers[reading.position].name for reading in readings]
    scored = zip(rows, readings, treated, strict=True)
    results = []
    for text, name in zip(texts, names, strict=True):
        row, flags = None, []
        if not is_blank(text):
            row, reading, comment = next(scored)
            flags = service.decide(row, reading, comment, rules, name)
        results.append(_result(row, [label in flags for label in service.labels], labels))
    return results


def _result(row: Scores | None, flags: Sequence[bool], labels: dict[str, list[int]]) -> Object:
    """Return the result of a row of scores; of a blank text, no category was looked at.

    flags: by label, in the order of the row.
    """
    scores: dict[str, float] = dict.fromkeys(MODERATION_CATEGORIES, 0.0)
    categories = dict.fromkeys(MODERATION_CATEGORIES, False)
    looked_at: dict[str, list[str]] = {category: [] for category in MODERATION_CATEGORIES}
    if row is not None:
        for category, columns in labels.items():
            _, which = CATEGORIES[category]
            scores[category] = shortest_float((np.max if which is any else np.min)(row[columns]))
            categories[category] = which(flags[column] for column in columns)
            looked_at[category] = ["text"]
    return {
        "flagged": any(categories.values()),
        "categories": categories,
        "category_scores": scores,
        "category_applied_input_types": looked_at,
    }
