"""A small split, shared by the tests of finetune/data."""

from pathlib import Path

from finetune.config import Settings
from finetune.data.split import Split, make_split


def split_of(main: Path, **given) -> Split:
    """Split a file with the labels toxic and threat, three tenths each held out."""
    fixed = {"labels": ["toxic", "threat"], "validation_fraction": 0.3, "test_fraction": 0.3}
    return make_split(Settings(train_data=str(main), **(fixed | given)))
