"""Decisions of the File page → the operator's database of corrections, where one is configured.

Not on a public server: there, strangers decide, and the HTTP service may ask for a key.
"""

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from comment_toxicity.service.attributes import ATTRIBUTES_OF_LABEL
from comment_toxicity.service.errors import ApiError
from comment_toxicity.service.requests import SuggestRequest
from ui.settings import PageSettings

if TYPE_CHECKING:
    from comment_toxicity.service.feedback import FeedbackStore

LOG = logging.getLogger(__name__)
COMMUNITY = "file page"
"""The community of these corrections, which `feedback --community` can choose by."""

_stores: "list[FeedbackStore]" = []
_writer = ThreadPoolExecutor(1, thread_name_prefix="corrections")  # the page waits for none


def keep_in(store: "FeedbackStore | None") -> None:
    """Send decisions to this database from now on; None to none."""
    _stores[:] = [store] if store else []


def kept() -> bool:
    """Whether decisions are sent to a database."""
    return bool(_stores) and not PageSettings.read().public


def send(
    text: str,
    labels: Mapping[str, bool],
    scored: Mapping[str, float],
    model: str,
    weights: str,
) -> None:
    """Store one decision, soon. labels: the decided ones; scored: the model's scores of them.

    weights: the sha256 of the model's weight file. Labels without an attribute are left out.
    """
    attributes = {
        ATTRIBUTES_OF_LABEL[label][0]: float(holds)
        for label, holds in labels.items()
        if label in ATTRIBUTES_OF_LABEL
    }
    if kept() and attributes:
        request = SuggestRequest(text, [], COMMUNITY, None, False, attributes, {})
        _writer.submit(_add, _stores[0], request, dict(scored), model, weights)


def _add(
    store: "FeedbackStore",
    request: SuggestRequest,
    scored: dict[str, float],
    model: str,
    weights: str,
) -> None:
    try:
        store.add(request, languages=[], scored=scored, model=model, weights=weights)
    except ApiError:
        LOG.error("a decision of the File page is not in the database of corrections")
