"""A data set on the Hugging Face Hub → its rows, from the Parquet copy that the Hub keeps of each.

On the branch refs/convert/parquet the Hub writes CONFIGURATION/SPLIT/0000.parquet and so on. Of a
split over 5 GB it converts the beginning alone, into CONFIGURATION/partial-SPLIT; more than 10,000
files go into SPLIT-part0, SPLIT-part1 and so on.
"""

import re
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd

from comment_toxicity.errors import DataError

NAME = re.compile(
    r"(?P<repository>[\w.-]+/[\w.-]+)(:((?P<configuration>[^/:]+)/)?(?P<split>[^/:]+))?"
)
BRANCH = "refs/convert/parquet"
DEFAULT = "default"  # a configuration of this name is the one that `datasets` takes, too
MOST_LISTED = 40


@dataclass(frozen=True)
class HubTable:
    """One split: owner/name, owner/name:split or owner/name:configuration/split."""

    repository: str
    configuration: str | None
    split: str

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """The table that a name of this form means; None for another form. split: train."""
        match = NAME.fullmatch(name)
        if not match:
            return None
        return cls(match["repository"], match["configuration"], match["split"] or "train")

    def read(self) -> pd.DataFrame:
        """Download and read the rows, and print which configuration and split they are.

        Raises DataError, which lists what there is, where the name fits no split or several.
        """
        from httpx2 import HTTPError
        from huggingface_hub import HfApi, hf_hub_download
        from huggingface_hub.errors import HFValidationError, RevisionNotFoundError

        where: dict[str, Any] = {
            "repo_id": self.repository,
            "repo_type": "dataset",
            "revision": BRANCH,
        }
        try:
            paths = HfApi().list_repo_files(**where)
            configuration, files = self._choose(splits_of(paths))
            parts = [hf_hub_download(filename=path, **where) for path in files]
        except RevisionNotFoundError:
            raise DataError(
                f"{self.repository}: the Hub keeps no Parquet copy of this dataset (no branch "
                f"{BRANCH}); download its files and give their paths."
            ) from None
        except (HTTPError, HFValidationError, OSError) as error:
            cause = " ".join(str(error).split())[:200]
            raise DataError(
                f"{self.repository}: neither a local file nor a Hub dataset that can be reached "
                f"({cause})."
            ) from None
        try:
            table = pd.concat([pd.read_parquet(path) for path in parts], ignore_index=True)
        except (OSError, ValueError) as error:
            cause = " ".join(str(error).split())[:200]
            raise DataError(
                f"{self.repository}: its Parquet files cannot be read ({cause})."
            ) from None
        if table.empty:
            raise DataError(f"{self.repository}: {configuration}/{self.split} has no rows.")
        partial = ", which is the first part of a large split" * self.split.startswith("partial-")
        print(
            f"   {self.repository}: {len(table):,} rows of configuration {configuration}, split "
            f"{self.split}{partial}"
        )
        return table

    def _choose(self, splits: dict[tuple[str, str], list[str]]) -> tuple[str, list[str]]:
        """The configuration that is meant, and the split's files."""
        if not splits:
            raise DataError(
                f"{self.repository}: its branch {BRANCH} has no files CONFIGURATION/SPLIT/"
                "0000.parquet; download the dataset's files and give their paths."
            )
        fitting = [
            configuration
            for configuration, split in splits
            if split == self.split and self.configuration in (None, configuration)
        ]
        if self.configuration is None and DEFAULT in fitting:
            fitting = [DEFAULT]
        if len(fitting) == 1:
            return fitting[0], splits[fitting[0], self.split]
        names = [f"{self.repository}:{'/'.join(key)}" for key in splits]
        if len(names) > MOST_LISTED:
            names = [*names[:MOST_LISTED], f"and {len(names) - MOST_LISTED} more"]
        if fitting:
            what = f"several configurations have a split {self.split!r}"
        elif self.configuration is None:
            what = f"this Hub dataset has no split {self.split!r}"
        else:
            what = f"this Hub dataset has no split {self.configuration}/{self.split}"
        raise DataError(f"{self.repository}: {what}; name one of {', '.join(names)}.")


def splits_of(paths: list[str]) -> dict[tuple[str, str], list[str]]:
    """Group a converted branch's files: (configuration, split) → its files in their order."""
    splits: dict[tuple[str, str], list[str]] = {}
    for path in sorted(paths):
        parts = path.split("/")
        if len(parts) == 3 and path.endswith(".parquet"):
            split = re.sub(r"-part\d+$", "", parts[1])
            splits.setdefault((parts[0], split), []).append(path)
    return splits
