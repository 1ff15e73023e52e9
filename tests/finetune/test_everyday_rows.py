"""Everyday comments and names of other sources → extra rows."""

from pathlib import Path

import pandas as pd
import pytest

from finetune.config import JIGSAW_LABELS
from finetune.everyday_rows import labelled, main

CLEAN = dict.fromkeys(JIGSAW_LABELS, 0.0)
UNKNOWN = dict.fromkeys(JIGSAW_LABELS, float("nan"))


def comment(text: str, by: str, assumed: bool = False, **labels: float) -> dict:
    known = UNKNOWN if by == "none" else CLEAN | labels
    return {
        "text": text, **known, "source": "here", "licence": "CC0", "kind": "talk page",
        "label_by": by, "assumed_clean": assumed,
    }  # fmt: skip


def test_only_reliable_labels_are_kept():
    rows = labelled(
        pd.DataFrame(
            [
                comment("a calm remark", "human"),
                comment("you fool", "human", toxic=1, insult=1),
                comment("a sharp complaint", "human", toxic=1),
                comment("by a program", "machine"),
                comment("nobody looked", "none"),
                comment("no rude word in it", "none", assumed=True),
            ]
        )
    )
    assert rows.text.tolist() == ["a calm remark", "you fool", "no rude word in it"]
    assert rows.toxic.tolist() == [0, 1, 0]
    assert set(rows.source) == {"talk_page"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    comments = [comment(f"Tom saw London {i} times", "human") for i in range(100)]
    pd.DataFrame(comments).to_parquet(tmp_path / "train.parquet")
    for name in ("names", "places"):
        table = pd.DataFrame({"name": [f"{name}{i}" for i in range(600)], "rude_piece": None})
        table.loc[::2, "rude_piece"] = "rude"
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    return tmp_path


def test_names_of_validation_rows_are_not_in_training_rows(folder: Path):
    outputs = [folder / "rows.parquet", folder / "validation.parquet"]
    flags = ["--output", str(outputs[0]), "--validation", str(outputs[1])]
    assert main([str(folder), *flags]) == 0
    train, validation = (pd.read_parquet(path) for path in outputs)
    assert set(train.source) == {"talk_page", "names", "places"} == set(validation.source)
    names = [set(table.text.str.extract(r"((?:names|places)\d+)", expand=False).dropna())
             for table in (train, validation)]  # fmt: skip
    assert all(names) and not names[0] & names[1]
    assert (train.toxic[train.insult == 1] == 1).all() and (train.insult == 1).any()
    assert not train.text[train.source == "names"].str.contains(r"\bTom\b").any()
