"""Which columns of a file hold the truth, and what a model calls their labels.

A model trained on labels of one's own can so be measured on one's own file, and beside another:
“abuse” in the file may be `abuse` for the one and `toxic` for the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from finetune.data.labels import class_text, label_values


@dataclass(frozen=True)
class Truth:
    """Where a file has the truth for a model.

    columns: label of the model → column of 0 and 1. class_column: the one column with the class
    instead, and classes: its value → label of the model, or None for a value that is none of them.
    Rows of a value that is missing are left out.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    class_column: str = ""
    classes: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def names(self) -> dict[str, str]:
        """Label of the model → what the file calls it, as far as the file knows it."""
        if not self.class_column:
            return dict(self.columns)
        of: dict[str, list[str]] = {}
        for value, label in self.classes.items():
            if label is not None:
                of.setdefault(label, []).append(value)
        return {label: " or ".join(values) for label, values in of.items()}

    def targets(self, table: pd.DataFrame, labels: Sequence[str]) -> NDArray[np.float32]:
        """The truth: (rows, labels), 1, 0 or NaN where unknown. Raises DataError.

        labels: those of names, in the order wanted; of a single-label model, all of its labels.
        """
        if not self.class_column:
            values = [label_values(table[self.columns[label]], "The file") for label in labels]
            return np.stack([each.to_numpy(np.float32) for each in values], axis=1)
        classes = table[self.class_column].map(class_text)
        known = classes.isin(list(self.classes)).to_numpy()
        mapped = classes.map(dict(self.classes)).to_numpy(object)
        targets = np.full((len(table), len(labels)), np.nan, dtype=np.float32)
        for index, label in enumerate(labels):
            targets[known, index] = mapped[known] == label
        return targets

    def used(self) -> list[str]:
        """The columns to read."""
        return [self.class_column] if self.class_column else list(self.columns.values())
