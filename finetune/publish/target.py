"""The interface of a publishing target for publish.py: the Hub (hub.py) or S3 (s3.py)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from finetune.publish.bundle import Bundle, metrics_of


@dataclass(frozen=True)
class Published:
    """What readers get now.

    state: identifies it, to notice when somebody else has published since.
    metrics: as in a Bundle; empty if the model has none, None if there is no model.
    """

    state: str
    metrics: dict[str, Any] | None

    @classmethod
    def read(cls, state: str, files: Mapping[str, bytes]) -> Self:
        """Read those of METRIC_FILES that exist; a broken one counts as missing."""
        return cls(state, metrics_of({name: _object(text) for name, text in files.items()}))


def _object(text: bytes) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


class Changed(Exception):  # noqa: N818 - not an error: publish.py looks again
    """Somebody else has published since published() was called."""


class Target(Protocol):
    """Where models are published. Errors that a user can fix are raised as PublishError."""

    name: str
    """As load_classifier takes it."""

    label: str
    """As --to takes it."""

    def check(self) -> str:
        """Return who publishes. Raises PublishError if there are no credentials for it."""

    def published(self) -> Published | None:
        """Return what readers get now; None if nothing is published."""

    def upload(
        self, bundle: Bundle, before: Published | None, message: str, tags: list[str]
    ) -> str:
        """Publish, and return the revision by which this version can always be read.

        Readers get the old model until they get the whole new one. Repeating it, after an
        interruption or not, gives the same result. Raises Changed if `before`, the result of
        published(), is no longer what is published.
        """
