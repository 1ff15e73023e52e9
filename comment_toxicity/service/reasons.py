"""Which words carry a flagged label: explain.py's scorings, sent through the queue of all others.

One explained text takes as many scorings as it has words. So a request explains few texts, each of
which counts as one more request of its caller, and takes MAX_SCORINGS in all.
"""

import asyncio
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from comment_toxicity.explain import Explaining, Explanation, explaining
from comment_toxicity.service.batching import portions
from comment_toxicity.service.calls import Call
from comment_toxicity.service.errors import invalid
from comment_toxicity.service.messages import MAX_EXPLAINED
from comment_toxicity.service.service import Service

# Of one request. The longest text takes 13 scorings for its passages, and 61 for each of two that
# labels are explained in, so one text always fits.
MAX_SCORINGS = 500


class Reasons:
    """Explains the texts of one request."""

    def __init__(self, service: Service, call: Call):
        self._service = service
        self._call = call
        self._left = MAX_SCORINGS

    async def admit(self, texts: int) -> None:
        """Count the texts as further requests. Raises ApiError for too many."""
        if self._call.batched:
            raise invalid("explain is not available within a batch; send the request by itself.")
        if texts > MAX_EXPLAINED:
            raise invalid(f"With explain, a request holds 1 to {MAX_EXPLAINED} texts.")
        await self._service.charge(self._call, texts)

    async def explain(
        self, text: str, labels: Sequence[str], language: str | None
    ) -> dict[str, Explanation] | None:
        """Explain labels of a text of up to MAX_TEXT_TOKENS; a single word has no explanation.

        language: of the whole text, as read() got it: its parts may look like another.
        None if the request's other texts have left too few scorings for this one.
        """
        work = explaining(self._service.models.of(language), text, labels)
        scores: NDArray[np.float32] | None = None
        while True:
            # In a thread: it can tokenize, and a text of 2,000 characters can have many tokens.
            texts, explanations = await asyncio.to_thread(_step, work, scores)
            if explanations is not None:
                return explanations
            self._left -= len(texts)
            if self._left < 0:
                return None
            scores = await self._scored(texts, language)

    async def _scored(self, texts: Sequence[str], language: str | None) -> NDArray[np.float32]:
        rows: list[NDArray[np.float32]] = []
        for portion in portions(list(map(len, texts))):
            await self._call.check_caller()
            part = texts[portion]
            readings = await self._service.read(part, [language] * len(part))
            rows += await self._service.score(readings, self._call, begun=True)
        return np.stack(rows)


def _step(
    work: Explaining, scores: NDArray[np.float32] | None
) -> tuple[list[str], dict[str, Explanation] | None]:
    """Return the texts to score next, or no texts and the explanations."""
    try:
        return (next(work) if scores is None else work.send(scores)), None
    except StopIteration as done:
        return [], done.value
