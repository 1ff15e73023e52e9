"""The table of endpoints: which address calls which function, and on what terms.

A further wire format adds its lines to the upper half of the table, its messages to messages.py,
and its handlers in a module beside v1.py.
"""

from functools import partial

from comment_toxicity.service import batch, documents, messages, openai, perspective, v1
from comment_toxicity.service.calls import Answer, Call, Endpoint, as_json
from comment_toxicity.service.service import Service


def endpoints(service: Service) -> list[Endpoint]:
    """Return the endpoints of a service, in the order of the OpenAPI document."""

    async def openapi(_: Call) -> Answer:
        # Whoever needs no key for this document may not know the names of communities.
        policies = None if service.keyed else service.policy_names
        return as_json(documents.openapi(table, service.labels, policies))

    async def live(_: Call) -> Answer:
        return as_json({"status": "alive"})

    async def ready(_: Call) -> Answer:
        if not service.ready:
            return as_json({"status": "not ready"}, 503, {"Retry-After": "1"})
        return as_json({"status": "ready"})

    async def metrics(_: Call) -> Answer:
        return service.metrics.page()

    table = [
        Endpoint(
            "score",
            "POST",
            "/v1/score",
            partial(v1.score, service),
            summary="Score texts",
            request=messages.SCORE_TEXTS_REQUEST,
            response=messages.SCORE_TEXTS_RESPONSE,
        ),
        Endpoint(
            "model",
            "GET",
            "/v1/model",
            partial(v1.model, service),
            scoring=False,
            summary="Which model answers",
            response=messages.MODEL_RESPONSE,
        ),
        Endpoint(
            "analyze",
            "POST",
            "/v1alpha1/comments:analyze",
            partial(perspective.analyze, service),
            summary="Score a comment as Perspective did",
            request=messages.ANALYZE_REQUEST,
            response=messages.ANALYZE_RESPONSE,
        ),
        Endpoint(
            "suggestscore",
            "POST",
            "/v1alpha1/comments:suggestscore",
            partial(perspective.suggest, service),
            summary="Tell what a score should be",
            request=messages.SUGGEST_REQUEST,
            response=messages.SUGGEST_RESPONSE,
        ),
        Endpoint(
            "moderations",
            "POST",
            "/v1/moderations",
            partial(openai.moderate, service),
            summary="Classify texts as OpenAI's moderation endpoint does",
            request=messages.MODERATION_REQUEST,
            response=messages.MODERATION_RESPONSE,
            errors=openai.ERRORS,
        ),
        Endpoint(
            "models",
            "GET",
            "/v1/models",
            partial(openai.models, service),
            scoring=False,
            summary="Which model answers, as OpenAI lists its models",
            response=messages.MODELS_RESPONSE,
            errors=openai.ERRORS,
        ),
    ]
    # No others: a proxy that keeps /metrics from strangers does not look into a batch.
    batched = {(entry.method, entry.path): entry for entry in table if entry.scoring}
    handle_batch = partial(batch.batch, service, batched)
    free = partial(Endpoint, method="GET", keyed=False, scoring=False)
    table += [
        Endpoint("batch", "POST", "/batch", handle_batch, keyed=False),
        Endpoint("batch", "POST", "/batch/{api}/{version}", handle_batch, keyed=False),
        free("discovery", path="/$discovery/rest", handler=documents.answer_discovery),
        free("openapi", path="/openapi.json", handler=openapi),
        free(
            "live",
            path="/health/live",
            handler=live,
            summary="Whether the process runs",
            response=messages.ALIVE,
        ),
        free(
            "ready",
            path="/health/ready",
            handler=ready,
            summary="Whether it can score",
            response=messages.READY,
        ),
        Endpoint("metrics", "GET", "/metrics", metrics, scoring=False),
    ]
    return table
