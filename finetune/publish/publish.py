"""A model folder → the Hub or S3, if its metrics meet the conditions; whole or not at all.

    python -m finetune publish runs/mine --to hub:OWNER/NAME --require "roc_auc_mean >= 0.97"

A target is hub:OWNER/NAME or s3://BUCKET/PREFIX. All conditions are checked for all targets before
anything is sent to any of them.
"""

import re
import time
from collections.abc import Iterable
from pathlib import Path
from textwrap import indent

from comment_toxicity.errors import GateError, PublishError, SettingsError
from comment_toxicity.fetch.find import find_model
from finetune.card import measured
from finetune.measure.intervals import warnings
from finetune.measure.tables import METRICS
from finetune.publish.bundle import Bundle
from finetune.publish.conditions import Condition, Verdict, judge, verdict_table
from finetune.publish.hub import HubTarget
from finetune.publish.s3 import S3Target
from finetune.publish.target import Changed, Published, Target

ATTEMPTS = 5  # to publish, while somebody else publishes to the same place


def parse_target(text: str, private: bool | None = None) -> Target:
    """Read hub:OWNER/NAME or s3://BUCKET/PREFIX. Raises SettingsError if it is neither."""
    if text.startswith("hub:"):
        return HubTarget(text.removeprefix("hub:"), private)
    if text.startswith("s3://"):
        return S3Target(text)
    raise SettingsError(f"{text}: no such target; write hub:OWNER/NAME or s3://BUCKET/PREFIX.")


def publish(
    folder: str | Path,
    to: Iterable[str],
    require: Iterable[str] = (),
    private: bool | None = None,
    tags: Iterable[str] = (),
    dry_run: bool = False,
) -> list[str]:
    """Publish a model folder, and print each step.

    folder: as load_classifier takes it: a model's name, its folder or its run's.
    to: targets.  require: conditions, see conditions.py.  tags: names for exactly this version.
    private: make a new Hub repository private; None leaves it to the owner's settings there.
    dry_run: send nothing, and read from a target only what a condition compares with.
    Returns the names, with revision, by which load_classifier reads what was published.

    Raises GateError if a condition is not met, PublishError if a target refuses or cannot be
    reached, SettingsError and ModelError for arguments and folders that are wrong.
    """
    targets = [parse_target(text, private) for text in to]
    conditions = [Condition.parse(text) for text in require]
    tags = [_checked_tag(tag) for tag in tags]
    path = find_model(str(folder))
    bundles = [Bundle.read(path, target.name) for target in targets]
    compared = any(condition.published for condition in conditions)
    state: list[Published | None] = []
    verdicts: list[Verdict] = []
    for target, bundle in zip(targets, bundles, strict=True):
        print(f"{path} to {target.label}")
        print(indent(bundle.table(), " " * 3))
        for note in _notes(bundle):
            print(f"   note: {note}")
        if not dry_run:
            print(f"   as {target.check()}")
        state.append(target.published() if compared or not dry_run else None)
        verdicts += _judge(conditions, bundle, state[-1])
    _require_all(verdicts)
    if dry_run:
        print("Nothing was sent: this was a dry run.")
        return []
    pairs = zip(targets, bundles, state, strict=True)
    return [_upload(*pair, conditions, tags) for pair in pairs]


def _upload(
    target: Target,
    bundle: Bundle,
    before: Published | None,
    conditions: list[Condition],
    tags: list[str],
) -> str:
    for attempt in range(ATTEMPTS):
        try:
            revision = target.upload(bundle, before, commit_message(bundle), tags)
        except Changed:
            print(f"   somebody else has just published to {target.label}: checking again")
            time.sleep(attempt)
            before = target.published()
            _require_all(_judge(conditions, bundle, before))
        else:
            name = f"{target.name}@{revision}"
            print(f'Published: load_classifier("{target.name}"); exactly this version: "{name}".')
            return name
    raise PublishError(
        f"{target.label}: somebody else keeps publishing there; try again when they are done."
    )


def _judge(conditions: list[Condition], bundle: Bundle, before: Published | None) -> list[Verdict]:
    verdicts = judge(conditions, bundle.metrics, before.metrics if before else None)
    if verdicts:
        split, report = measured(bundle.metrics)
        others = " (those of an audit, on its own rows)" * any(each.of_audit for each in conditions)
        print(f"   conditions, on {report.get('rows', 0):,} {split} rows{others}:")
        print(indent(verdict_table(verdicts), " " * 6))
    return verdicts


def _require_all(verdicts: list[Verdict]) -> None:
    failed = [verdict.condition for verdict in verdicts if not verdict.passed]
    if failed:
        raise GateError(
            f"{len(failed)} of {len(verdicts)} conditions not met ({'; '.join(failed)}); "
            "nothing was uploaded."
        )


def commit_message(bundle: Bundle) -> str:
    """Return a line about the model: its labels, its main metrics, and their number of rows."""
    split, report = measured(bundle.metrics)
    means = report.get("means", {})
    values = {name: means.get(name) for name in ("roc_auc", "average_precision", "f1")}
    values["accuracy"] = report.get("accuracy")
    known = [
        f"{METRICS[name].title} {METRICS[name].cell(value)}"
        for name, value in values.items()
        if value is not None
    ]
    of = f" on {report.get('rows', 0):,} {split} rows" if known else ""
    labels = f"{len(bundle.labels)} labels" if len(bundle.labels) > 1 else bundle.labels[0]
    return f"Publish a model of {labels}: {', '.join(known) or 'not measured'}{of}"


def _notes(bundle: Bundle) -> Iterable[str]:
    if bundle.left_out:
        yield f"not part of the model, so not uploaded: {', '.join(bundle.left_out)}"
    if not bundle.plain:
        yield (
            "no model.safetensors: load_classifier reads the model as it is, but transformers and "
            "hosted inference cannot. `python -m finetune export calibrate evaluate card --formats "
            "safetensors,onnx --output-dir RUN` writes both."
        )
    _, report = measured(bundle.metrics)
    yield from warnings(report)
    if not report:
        yield "no metrics.json, so the card shows no metrics"


def _checked_tag(tag: str) -> str:
    if not re.fullmatch(r"\w[\w.-]*", tag, re.ASCII):
        raise SettingsError(f"{tag!r} is not a valid tag; use letters, digits, . and -: v1.2")
    return tag
