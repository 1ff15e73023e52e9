"""Labelled rows of a file, as tests of several rooms read them."""

import pandas as pd

from finetune.data.labels import Layout, clean_rows
from finetune.data.tables import read_table


def read_rows(path: str, layout: Layout) -> pd.DataFrame:
    """The clean rows of a file, numbered from 0."""
    return clean_rows(read_table(path, layout.columns), layout, path).reset_index(drop=True)
