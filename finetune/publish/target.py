"""What publish.py asks of a place to publish to: the Hub (to_hub.py), or S3 (to_s3.py)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from finetune.publish.bundle import Bundle, metrics_of


@dataclass(frozen=True)
class Published:
    """What readers get now.

    state: a name for it, to tell whether somebody else has published since.
    metrics: its figures, as a Bundle has them; empty when it brings none, None without a model.
    """

    state: str
    metrics: dict[str, Any] | None

    @classmethod
    def read(cls, state: str, files: Mapping[str, bytes]) -> Self:
        """Take what those of METRIC_FILES hold that are there; a broken one is as good as none."""
        return cls(state, metrics_of({name: _object(text) for name, text in files.items()}))


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


class Changed(Exception):  # noqa: N818 - nothing is wrong: look again, and go on
    """Somebody else has published since published() was asked."""


class Target(Protocol):
    """A place to publish to. What it raises for a user to mend is a PublishError."""

    name: str
    """As load_classifier takes it."""

    label: str
    """As --to takes it."""

    def check(self) -> str:
        """Say who publishes; raises when there are no credentials for it."""

    def published(self) -> Published | None:
        """Give what readers get now; None when nothing is there."""

    def upload(
        self, bundle: Bundle, before: Published | None, message: str, tags: list[str]
    ) -> str:
        """Publish, and give the revision under which the model can be read for ever.

        Readers get the old model until they get the whole new one. Doing it again, after an
        interruption or not, ends the same. Raises Changed when `before`, what published() gave, is
        no longer what is there.
        """
