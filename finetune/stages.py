"""The stages of a run, in order. Each reads and writes the run folder only, so each runs alone.

data       rows → RUN/split/*.parquet
train      split → RUN/trained, RUN/checkpoints, RUN/curves.{jsonl,png}
export     trained → RUN/model: safetensors, ONNX int8, tokenizer, config
calibrate  model, validation rows → RUN/model/decision.json
evaluate   model, validation and test rows → RUN/model/metrics.json
card       what lies in RUN/model → RUN/model/README.md and run.json
"""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from classifier.errors import SettingsError

from . import record
from .config import Settings
from .data import Split, fingerprint, label_matrix, load_split, make_split, save_split

Stage = Callable[[Settings, Path, bool], dict[str, Any]]


def run_stages(names: Iterable[str], settings: Settings, resume: bool) -> None:
    """Run the named stages one after the other, and add to the record what each found.

    Under torchrun every process trains, and the first does all the rest.
    """
    run_folder = Path(settings.output_dir)
    first = is_first_process()
    for name in names:
        if not first and name != "train":
            continue
        started = time.monotonic()
        if first:
            print(f"── {name}", flush=True)
        found = STAGES[name](settings, run_folder, resume)
        if first:
            record.add(run_folder, seconds=time.monotonic() - started, **found)
    if first and (run_folder / "model" / "README.md").is_file():
        print(f"The model is in {run_folder / 'model'}.")


def is_first_process() -> bool:
    """Whether this process does what only one may do; true without torchrun."""
    return os.environ.get("RANK", "0") == "0"


def data(settings: Settings, run_folder: Path, resume: bool) -> dict[str, Any]:
    """Divide the rows; an interrupted run keeps the division it had."""
    if resume and "data" in record.load(run_folder):
        return {}
    split = make_split(settings)
    save_split(split, run_folder / "split")
    sides: dict[str, Any] = {}
    for name in ("train", "validation", "test"):
        rows = getattr(split, name)
        if rows is None:
            continue
        positives = np.nansum(label_matrix(rows, settings), axis=0).astype(int).tolist()
        sides[name] = {
            "rows": len(rows),
            "positives": dict(zip(settings.labels, positives, strict=True)),
            **_source(getattr(settings, f"{name}_data") or settings.train_data),
        }
        counts = ", ".join(
            f"{label} {count:,}" for label, count in sides[name]["positives"].items()
        )
        print(f"   {name}: {len(rows):,} rows ({counts})")
    return {"data": sides, "prevalence": split.prevalence}


def train(settings: Settings, run_folder: Path, resume: bool) -> dict[str, Any]:
    """Fine-tune; see train.py."""
    from .train import train as fine_tune

    # Under torchrun the others may be here before the first has written the split.
    split = _split(run_folder) if is_first_process() or resume else make_split(settings)
    return {"training": fine_tune(split, settings, run_folder, resume)}


def export(settings: Settings, run_folder: Path, resume: bool) -> dict[str, Any]:
    """Write the model folder, and compare its logits with the trained model's."""
    from .export import export_model
    from .train import torch_logits

    trained, folder = run_folder / "trained", run_folder / "model"
    if not (trained / "config.json").is_file():
        raise SettingsError(f"{trained}: nothing trained there; run the train stage first.")
    export_model(trained, folder, formats=settings.formats, max_length=settings.max_length)
    if "onnx" not in settings.formats:
        return {}
    from classifier import load_classifier

    from .export import compare_scores

    rows = _split(run_folder).validation
    exported = load_classifier(str(folder))
    texts = rows[settings.text_column].sample(min(len(rows), 2000), random_state=1).tolist()
    # Texts of more than one window differ by what the two see, not by their weights.
    texts = [text for text in texts if len(exported.windows(text)) == 1]
    differences = compare_scores(torch_logits(trained, texts), exported.logits(texts))
    return {"export": differences | {"rows": len(texts)}}


def calibrate(settings: Settings, run_folder: Path, resume: bool) -> dict[str, Any]:
    """Fit calibration and thresholds of the exported weights to the validation rows."""
    raise NotImplementedError


STAGES: dict[str, Stage] = {"data": data, "train": train, "export": export}


def _split(run_folder: Path) -> Split:
    return load_split(run_folder / "split", record.load(run_folder).get("prevalence", {}))


def _source(name: str) -> dict[str, str]:
    path = Path(name)
    if path.is_file():
        return {"name": path.name, "sha256": fingerprint(path)}
    return {"name": name}
