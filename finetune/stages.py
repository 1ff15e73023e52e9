"""The stages of a run, in order. Each reads and writes only the run folder, so each can run alone.

data       rows → RUN/split/*.parquet
train      split → RUN/trained, RUN/checkpoints, RUN/curves.{jsonl,png}
export     trained → RUN/model: safetensors, ONNX int8, tokenizer, config
calibrate  model, validation rows → RUN/model/decision.json and metrics.json
evaluate   model, test rows → RUN/model/metrics.json, RUN/report: a CSV and plots
card       the files of RUN/model → RUN/model/README.md and run.json
publish    RUN/model → the Hub or S3, if publish_to names one
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from comment_toxicity.decision import FILE_NAME as DECISION_FILE
from comment_toxicity.decision import Weights
from comment_toxicity.disk import read_json, write_json, write_whole
from comment_toxicity.errors import SettingsError
from finetune import progress, record
from finetune.config import Settings
from finetune.data.labels import at_half, label_matrix, row_languages, row_weights
from finetune.data.mix import count_sources
from finetune.data.split import Split, load_split, make_split, near_repeats, save_split
from finetune.data.tables import describe_source, public_url
from finetune.measure.report import Report
from finetune.processes import is_first_process, let_others_train
from finetune.thresholds import Criterion

Stage = Callable[[Settings, Path, bool], dict[str, Any]]


def run_stages(names: Iterable[str], settings: Settings, resume: bool) -> None:
    """Run the named stages one after the other, and add the results of each to the record.

    Under torchrun every process trains, and the first does all the rest; see processes.py.
    """
    run_folder = Path(settings.output_dir)
    first = is_first_process()
    for name in names:
        started = time.monotonic()
        if first:
            print(f"── {name}", flush=True)
            progress.update(run_folder, stage=name, **progress.NO_STEPS)
            if name == "train":
                let_others_train()
        results = STAGES[name](settings, run_folder, resume)
        if first:
            record.add(run_folder, seconds=time.monotonic() - started, **results)
    if first and (run_folder / "model" / "README.md").is_file():
        print(f"The model is in {run_folder / 'model'}.")


def data(settings: Settings, run_folder: Path, resume: bool) -> dict[str, Any]:
    """Read and split the rows; an interrupted run keeps the split it had."""
    if resume and "data" in record.load(run_folder):
        return {}
    split = make_split(settings)
    for source, notes in split.notes.items():
        for line in notes.lines(source, soft=source not in ("validation_data", "test_data")):
            print(f"   {line}")
    save_split(split, run_folder / "split")
    parts: dict[str, Any] = {}
    for name in ("train", "validation", "test"):
        rows = getattr(split, name)
        if rows is None:
            continue
        targets = at_half(label_matrix(rows, settings.layout))
        positives = np.nansum(targets, axis=0).astype(int).tolist()
        parts[name] = {
            "rows": len(rows),
            **({"sources": sources} if (sources := count_sources(rows)) else {}),
            "positives": dict(zip(settings.labels, positives, strict=True)),
            **describe_source(getattr(settings, f"{name}_data") or settings.train_data),
        }
        counts = ", ".join(
            f"{label} {count:,}" for label, count in parts[name]["positives"].items()
        )
        print(f"   {name}: {len(rows):,} rows ({counts})")
    left_out = {
        source: {"rows": notes.rows, "left_out": dict(notes.left_out)}
        for source, notes in split.notes.items()
        if notes.left_out
    }
    return {"data": parts, "left_out": left_out, "prevalence": split.prevalence}


def train(settings: Settings, run_folder: Path, resume: bool) -> dict[str, Any]:
    """Fine-tune, see train/train.py; a training that is finished is not repeated."""
    trained = run_folder / "trained" / "config.json"
    if resume and trained.is_file() and "training" in record.load(run_folder):
        print("   already done")
        return {}
    from finetune.train.train import train as fine_tune

    training = fine_tune(_split(run_folder), settings, run_folder, resume)
    base = record.of_base(Path(settings.base_model))
    return {"training": training, **({"base_run": base} if base else {})}


def export(settings: Settings, run_folder: Path, resume: bool) -> dict[str, Any]:
    """Write the model folder, without a model.onnx that scores otherwise than the trained model."""
    from finetune.export import export_close

    trained, folder = run_folder / "trained", run_folder / "model"
    if not (trained / "config.json").is_file():
        raise SettingsError(f"{trained}: no trained model there; run the train stage first.")
    rows = _split(run_folder).validation
    texts = rows[settings.text_column].sample(min(len(rows), 2000), random_state=1).tolist()
    differences, notes = export_close(
        trained,
        folder,
        texts,
        settings.formats,
        settings.window or settings.max_length,
        settings.int8_blocks,
        settings.single_label,
    )
    for note in notes:
        print(f"   note: {note}")
    return {"export": differences}


def calibrate(settings: Settings, run_folder: Path, resume: bool) -> dict[str, Any]:
    """Fit calibration and thresholds of the exported weights on the validation rows."""
    from comment_toxicity import load_classifier
    from finetune.calibrate import fit_decision

    folder, split = _exported(run_folder), _split(run_folder)
    for outdated in (DECISION_FILE, "metrics.json", "audit.json"):
        (folder / outdated).unlink(missing_ok=True)
    exported = load_classifier(str(folder))
    fitted = fit_decision(
        exported.logits(split.validation[settings.text_column].tolist()),
        label_matrix(split.validation, settings.layout),
        settings.labels,
        "softmax" if settings.single_label else "sigmoid",
        Criterion.parse(settings.criterion),
        split.prevalence,
        row_weights(split.validation, settings.layout),
        _languages(split.validation, settings),
    )
    for warning in fitted.warnings:
        print(f"   note: {warning}")
    replace(fitted.decision, weights=Weights.of(exported.folder.weights)).save(folder)
    print(fitted.report.table())
    _write_metrics(folder, {"validation": fitted.report.to_dict()})
    return {}


def evaluate(settings: Settings, run_folder: Path, resume: bool) -> dict[str, Any]:
    """Measure the exported, calibrated model on the test rows."""
    from comment_toxicity import load_classifier
    from finetune.measure.evaluate import evaluate_classes, evaluate_labels
    from finetune.measure.languages import measure_split
    from finetune.measure.plots import (
        draw_confusion,
        draw_reliability,
        draw_roc_and_precision_recall,
    )

    folder, split = _exported(run_folder), _split(run_folder)
    if split.test is None:
        print("   no test rows; set --test-data or --test-fraction to have a report")
        return {}
    exported = load_classifier(str(folder))
    languages = _languages(split.test, settings)
    probabilities = exported.score(split.test[settings.text_column].tolist(), languages)
    targets = label_matrix(split.test, settings.layout)
    weights = row_weights(split.test, settings.test_layout)
    report: Report
    if settings.single_label:
        report = evaluate_classes(targets, probabilities, exported.labels, weights)
    else:
        report = evaluate_labels(
            targets,
            probabilities,
            exported.labels,
            exported.thresholds,
            weights,
            flags=exported.decision.flags(probabilities, languages=languages),
            resamples=200,
        )
    if repeats := near_repeats(split, settings.text_column):
        report.notes.append(
            f"{repeats:,} of the {report.rows:,} test rows repeat a training row but for digits "
            "and signs, so new comments will be judged less well."
        )
    print(report.table())
    by_language = {}
    if languages and not settings.single_label:
        measured = measure_split(exported, split, settings, languages, probabilities)
        print(f"\n{measured.table().text()}")
        by_language = {"languages": measured.to_dict()}
    report_folder = run_folder / "report"
    report_folder.mkdir(exist_ok=True)
    write_whole(report_folder / "report.csv", report.csv())
    draw_roc_and_precision_recall(
        targets, probabilities, exported.labels, report_folder / "roc_precision_recall.png", weights
    )
    draw_reliability(report, report_folder / "reliability.png")
    draw_confusion(report, report_folder / "confusion.png")
    source = record.load(run_folder)["data"]["test"]
    data_key = {name: source[name] for name in ("name", "sha256", "rows") if name in source}
    _write_metrics(folder, {"data": data_key, "test": report.to_dict(), **by_language})
    return {}


def card(settings: Settings, run_folder: Path, resume: bool) -> dict[str, Any]:
    """Write the model card from the results of the other stages."""
    from finetune.card import write_card

    folder = _exported(run_folder)
    of_run = record.load(run_folder)
    named = of_run["settings"]
    for name in ("train_data", "validation_data", "test_data"):
        named[name] = public_url(named.get(name, ""))
    named["extra_data"] = list(map(public_url, named.get("extra_data", [])))
    record.save(of_run, folder)
    write_card(folder, settings.model_name or run_folder.name)
    return {}


def publish(settings: Settings, run_folder: Path, resume: bool) -> dict[str, Any]:
    """Publish the model folder if it meets the conditions; see publish/publish.py."""
    from finetune.publish.publish import publish as send

    names = send(
        _exported(run_folder),
        settings.publish_to,
        settings.publish_require,
        settings.publish_private or None,
        settings.publish_tags,
    )
    return {"published": names} if names else {}


STAGES: dict[str, Stage] = {
    "data": data,
    "train": train,
    "export": export,
    "calibrate": calibrate,
    "evaluate": evaluate,
    "card": card,
    "publish": publish,
}


def _exported(run_folder: Path) -> Path:
    """The model folder that the stage export wrote."""
    folder = run_folder / "model"
    if not (folder / "config.json").is_file():
        raise SettingsError(f"{folder}: no exported model there; run the export stage first.")
    return folder


def _languages(rows: pd.DataFrame, settings: Settings) -> list[str] | None:
    """The language of each row; None where the settings do not tell languages apart."""
    if not settings.language_column:
        return None
    return row_languages(rows, settings.layout, settings.main_language).tolist()


def _write_metrics(folder: Path, parts: dict[str, Any]) -> None:
    path = folder / "metrics.json"
    write_json(path, (read_json(path) if path.is_file() else {}) | parts)


def _split(run_folder: Path) -> Split:
    return load_split(run_folder / "split", record.load(run_folder).get("prevalence", {}))
