"""The held-out rows of a run, to compare its model on with the one that it began from."""

from pathlib import Path

import pandas as pd
import streamlit as st

from comment_toxicity.disk import read_json
from comment_toxicity.fetch.find import available_models, local_model
from finetune.checkout import ROOT
from ui.files.ask import UPLOAD, chosen_by
from ui.files.decisions import ID, OF_DECISION
from ui.files.upload import Source, look_into
from ui.models.measure_tab import AT_ONCE, MEASURED_SOURCE, SECOND_MEASURED
from ui.workspace import workspace


def began_from(name: str) -> str | None:
    """The model that a run trained further, by its name; None where it began from an encoder.

    name: of the run, such as mine.
    """
    try:
        base = read_json(ROOT / "runs" / name / "run.json")["settings"]["base_model"]
    except (OSError, ValueError, KeyError):
        return None
    others = [other for other in available_models() if other != f"runs/{name}"]
    return next((other for other in others if str(local_model(other)) == base), None)


def held_out(name: str, folder: Path) -> Source | None:
    """Copy a run's test rows into an empty folder: the decisions among them, where there are any.

    Raises DataError where they cannot be read. None without test rows.
    """
    split = ROOT / "runs" / name / "split" / "test.parquet"
    if not split.is_file():
        return None
    rows = pd.read_parquet(split)
    decided = rows[ID].astype(str).str.startswith(OF_DECISION) if ID in rows else None
    what = "rows"
    if decided is not None and decided.any():
        rows, what = rows[decided], "decisions"
    path = folder / "held-out.parquet"
    rows.to_parquet(path, index=False)
    return look_into(path, f"{len(rows):,} held-out {what} of runs/{name}")


def measure_on_held_out(name: str, base: str) -> bool:
    """Let Models measure a run and its base on the run's held-out rows. False without rows."""
    source = held_out(name, workspace().new_folder())
    if source is None:
        return False
    st.session_state[MEASURED_SOURCE] = source
    st.session_state[chosen_by(MEASURED_SOURCE)] = UPLOAD
    st.session_state[SECOND_MEASURED] = base
    st.session_state[AT_ONCE] = True
    return True
