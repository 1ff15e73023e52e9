"""Measure a model on labelled comments: the four metrics of the original report, and more.

    python test_model.py
    python test_model.py --model NAME --data FILE --sample 2000 --seed 1 --output report.json

Columns of the data are matched to the model's labels by name. A label that is -1, empty, or without
a column is unknown and is left out; a share of annotators counts as the label from 0.5 up. A column
`weight`, if there is one, sets how much each row counts. Without --sample all rows are measured.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from comment_toxicity import Classifier, load_classifier
from comment_toxicity.cli import check_output, run, translating_write_errors
from comment_toxicity.disk import write_json
from comment_toxicity.errors import DataError, SettingsError
from finetune.data.labels import Layout, Notes, clean_rows, label_matrix, row_weights
from finetune.data.tables import describe_source, read_table
from finetune.measure.evaluate import evaluate_classes, evaluate_labels
from finetune.measure.report import Report
from finetune.measure.scoring import score_with_bar

SAMPLE_DATA = Path(__file__).parent / "data" / "sample.csv"
WEIGHT_COLUMN = "weight"


def main(arguments: list[str] | None = None) -> int:
    """Print the report that the command line asks for. Returns the exit code."""
    flags = _parser().parse_args(arguments)
    return run(lambda: _report(flags), interrupted="interrupted; nothing was written")


def _report(flags: argparse.Namespace) -> None:
    _check(flags)
    data = flags.data or str(SAMPLE_DATA)
    classifier = load_classifier(flags.model) if flags.model else load_classifier()
    if flags.data is None:
        print("No --data: measuring on data/sample.csv, which is too small to judge a model by.")
    report = measure(classifier, data, flags)
    print(f"{classifier.name} on {data}\n{report.table()}")
    if flags.output:
        content = _record(classifier, data, flags) | {"report": report.to_dict()}
        with translating_write_errors(flags.output):
            write_json(flags.output, content)


def measure(classifier: Classifier, data: str, flags: argparse.Namespace) -> Report:
    """Score the comments in `data` and compare the scores with their labels."""
    truth = [flags.label_column] if classifier.single_label else classifier.labels
    table = read_table(data, [flags.text_column, *truth, flags.weight_column or ""])
    layout = _layout(classifier, list(table), data, flags)
    notes = Notes()
    rows = clean_rows(table, layout, data, notes=notes)
    for line in notes.lines(data):
        print(line)
    if 0 < flags.sample < len(rows):
        rows = rows.sample(flags.sample, random_state=flags.seed)
    scores = score_with_bar(classifier, rows[layout.text].tolist())
    targets, labels = label_matrix(rows, layout), layout.labels
    weights = None
    if layout.weight is not None:
        weights = row_weights(rows, layout)
        print(f"Rows are weighted by their column {layout.weight}.")
    if not classifier.calibrated:
        print("The model has no decision.json: scores are not calibrated, and thresholds are 0.5.")
    if classifier.single_label:
        return evaluate_classes(targets, scores, labels, weights)
    columns = [classifier.labels.index(label) for label in labels]
    return evaluate_labels(
        targets, scores[:, columns], labels, classifier.thresholds, weights, resamples=200
    )


def _layout(
    classifier: Classifier, columns: list[str], data: str, flags: argparse.Namespace
) -> Layout:
    """The columns of the data: its text, its weight, and the model's labels."""
    weight = flags.weight_column or (WEIGHT_COLUMN if WEIGHT_COLUMN in columns else None)
    if weight is not None and weight not in columns:
        raise DataError(
            f"{data}: no column {weight} (found {', '.join(columns)}); "
            "give another --weight-column or leave it out."
        )
    if classifier.single_label:
        labels = tuple(classifier.labels)
        return Layout(flags.text_column, labels, flags.label_column, weight=weight)
    labels = tuple(label for label in classifier.labels if label in columns)
    if not labels:
        raise DataError(
            f"{data}: none of the labels of {classifier.name} "
            f"({', '.join(classifier.labels)}) is a column (found {', '.join(columns)})."
        )
    return Layout(flags.text_column, labels, weight=weight)


def _check(flags: argparse.Namespace) -> None:
    for flag in ("sample", "seed"):
        if getattr(flags, flag) < 0:
            raise SettingsError(f"--{flag} is {getattr(flags, flag)}; give 0 or more.")
    check_output(flags.output)


def _record(classifier: Classifier, data: str, flags: argparse.Namespace) -> dict[str, Any]:
    return {
        "model": classifier.name,
        "data": describe_source(data),
        "sample": flags.sample,
        "seed": flags.seed,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python test_model.py", description="Measure a model on labelled comments."
    )
    parser.add_argument(
        "--model",
        help="measure this model: a name, a folder or a Hub id (default: the embedded model)",
    )
    parser.add_argument(
        "--data",
        help="measure on this CSV, Parquet or JSON lines file or URL (default: data/sample.csv)",
    )
    parser.add_argument(
        "--text-column",
        default="comment_text",
        help="read the comments from this column (default: %(default)s)",
    )
    parser.add_argument(
        "--label-column",
        default="label",
        help="read the class from this column, for a single-label model (default: %(default)s)",
    )
    parser.add_argument(
        "--weight-column",
        help=f"weigh rows by this column (default: {WEIGHT_COLUMN}, if there is one)",
    )
    parser.add_argument(
        "--sample",
        type=int,
        default=0,
        help="measure this many random rows (default: 0, for all)",
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="random seed of the sample (default: %(default)s)"
    )
    parser.add_argument("--output", type=Path, help="also write the report to this file, as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
