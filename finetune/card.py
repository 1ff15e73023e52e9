"""Write a model folder's README.md, the model card, from the files of the folder alone.

config.json has the labels, decision.json the thresholds, metrics.json the metrics, audit.json what
one number does not show (if it is of the same weights), run.json how the model was made. Only
config.json must exist; what the others lack is left out, or stated as unknown.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from comment_toxicity.decision import FILE_NAME as DECISION_FILE
from comment_toxicity.decision import Decision
from comment_toxicity.disk import read_json, write_whole
from comment_toxicity.errors import ModelError
from finetune.audit.audit import Audit
from finetune.audit.card import audit_section
from finetune.harms import is_about_harm
from finetune.measure.confusion import confused_table, confusion_table
from finetune.measure.intervals import FEW_POSITIVES, few_rows, warnings
from finetune.measure.languages import language_table
from finetune.measure.report import (
    LABEL_METRICS,
    interval_table,
    label_table,
    original_table,
    summaries,
)
from finetune.measure.tables import METRICS, Column, Table, count, decimals

LICENCES = ("apache-2.0", "mit", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0")
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
MATRIX = 30  # classes of the widest confusion matrix in a card
CARD_METRICS = [name for name in LABEL_METRICS if name not in ("rows", "share")]
SETTINGS = (
    "base_model", "epochs", "max_steps", "batch_size", "learning_rate", "head_learning_rate",
    "layer_decay", "weight_decay", "warmup", "dropout", "attention_dropout", "max_length", "window",
    "vocabulary", "noise", "fold_lookalikes", "teachers", "passages", "logit_matching",
    "average_with_base", "label_weighting", "freeze", "trainable_layers", "lora",
    "train_words", "best_by", "seed",
)  # fmt: skip

USE = """\
It helps people who host conversations to find the comments that need a person's attention first: to
sort a queue, to ask writers to think again before they send, to see how a discussion develops.

**Not a moderator on its own.** Do not block anyone or remove a comment on a score alone, and do not
judge people by the scores of what they wrote. The model is not made to find illegal content, nor
for languages other than those it was trained on."""

HARMS = """\
- **Identity terms.** Training comments name a religion, an origin, an orientation or a disability
  mostly in attacks, so a model can learn to flag people for saying who they are. If this was
  measured, the results are below; measure it on your own comments too.
- **Dialect and reclaimed words.** African American English, and slurs that a group has reclaimed,
  can be scored too high.
- **Quotation, counter-speech, negation.** Abuse that is quoted to report it, answered or denied is
  often scored like the abuse itself.
- **Implicit hate, veiled threats.** Contempt in polite words, irony, stereotypes, threats that name
  no violence, and comments that only their context makes hateful are scored too low.
- **Misspelling.** Swapped, spaced or replaced letters can hide abuse from the model.
- **No context.** The model sees one comment: not what it replies to, who wrote it, or to whom."""

WIKIPEDIA = """
- **English, Wikipedia.** The model learned from discussions between Wikipedia editors up to 2017,
  labelled by crowd workers. In other languages its scores mean nothing; on other sites and in later
  years they are less accurate."""

LANGUAGES = """
- **Languages.** The model learned from comments in {known}, in most languages from one or two
  collections. It is less accurate than a model of one language, and differs from one to the next:
  see the table by language. In any other language, its scores are a guess."""


def write_card(folder: Path, name: str = "") -> None:
    """Write folder/README.md, whole or not at all.

    name: what the card calls the model; by default the name of the folder, or of its run.
    Raises ModelError if config.json is missing or one of the files cannot be read.
    """
    folder = Path(folder)
    name = name or (folder.parent.name if folder.name == "model" else folder.name)
    write_whole(folder / "README.md", render_card(folder, name))


def render_card(folder: Path, name: str) -> str:
    """Return the text of the card: the Hub's front matter, then Markdown."""
    config = _read(folder / "config.json")
    if not config.get("id2label"):
        raise ModelError(f"{folder / 'config.json'}: missing or without id2label; export it again.")
    labels = [config["id2label"][index] for index in sorted(config["id2label"], key=int)]
    metrics, run = _read(folder / "metrics.json"), _read(folder / "run.json")
    decision = Decision.load(folder) if (folder / DECISION_FILE).is_file() else None
    settings = run.get("settings", {})
    harm = is_about_harm(labels, [name, *_names_of_data(settings, run)])
    wikipedia = "jigsaw" in f"{settings.get('train_data')} {settings.get('data_licence')}".lower()

    known = _trained_languages(metrics, decision) or ["en"] * wikipedia
    limits = WIKIPEDIA * wikipedia
    if len(known) > 1:
        limits = LANGUAGES.format(known=", ".join(known))

    single = config.get("problem_type") == "single_label_classification"
    decided = "that a comment is one of these" if single else "that a comment carries each of these"
    listed = ", ".join(f"`{label}`" for label in labels)
    calibrated = "Calibrated" if decision else "Uncalibrated"
    sections = [f"# {name}", f"{calibrated} probabilities {decided}: {listed}."]
    if harm:
        sections += [
            "## What it is for",
            USE,
            "## Known harms and limits",
            HARMS + limits,
        ]
    sections += [
        "## How to use it",
        usage(_loaded_as(folder, name), plain=any(folder.glob("*.safetensors"))),
    ]
    sections += ["## What a score means", _meaning(decision)]
    if decision and decision.activation == "sigmoid":
        sections += ["### Thresholds", _thresholds(decision)]
    sections += ["## Metrics", *_metrics(metrics)]
    audit = Audit.load(folder)
    if audit and (decision is None or audit.weights == decision.weights):
        sections += audit_section(audit)
    sections += ["## Training", *_training(settings, run)]
    data = _front_matter(name, labels, metrics, settings, known)
    return f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(sections) + "\n"


def _trained_languages(metrics: Mapping, decision: Decision | None) -> list[str]:
    """The languages that the labels were learnt in, where the model tells languages apart."""
    measured = metrics.get("languages", {}).get("languages", {})
    trained = [language for language, values in measured.items() if values["trained"]]
    return trained or sorted(decision.languages if decision else [])


def _loaded_as(folder: Path, name: str) -> str:
    """What load_classifier takes: a run in runs/ is found by its folder's name."""
    run = folder.parent
    return f"runs/{run.name}" if folder.name == "model" and run.parent.name == "runs" else name


def _front_matter(
    name: str,
    labels: Sequence[str],
    metrics: Mapping,
    settings: Mapping,
    languages: Sequence[str],
) -> ModelCardData:
    licence = str(settings.get("base_licence", "")).lower()
    licences = [
        known
        for known in LICENCES
        if re.search(rf"(?<![\w.-]){re.escape(known)}(?![\w-])", licence)
    ]
    # The Hub knows no scripts, as in hi-Latn.
    codes = list(dict.fromkeys(language.partition("-")[0] for language in languages))
    return ModelCardData(
        model_name=name,
        license=licences[0] if licences else "other" if licence else None,
        language=codes if len(codes) > 1 else "".join(codes) or None,
        pipeline_tag="text-classification",
        library_name="transformers",
        base_model=_hub_base(settings),
        tags=[*labels, "onnx"],
        eval_results=_eval_results(metrics) or None,
    )


def _hub_base(settings: Mapping) -> str | None:
    """Return the base model's Hub id; for a base read locally, the one that base_licence names."""
    base = str(settings.get("base_model", ""))
    if (HUB_ID.fullmatch(base) or re.fullmatch(r"[\w.-]+", base)) and not Path(base).exists():
        return base
    licence = re.sub(r"\w+://\S+", "", str(settings.get("base_licence", "")))
    match = HUB_ID.search(licence)
    return match.group() if match else None


def _eval_results(metrics: Mapping) -> list[EvalResult]:
    """Return the model index: the Hub shows its values in lists, without interval or warning.

    So what rests on fewer than FEW_POSITIVES rows is not in it: no mean if that is so of any label,
    no accuracy if it is so of all rows.
    """
    split, report = measured(metrics)
    if not report:
        return []
    data = metrics.get("data", {}).get("name", "validation rows") if split == "test" else split
    values = {}
    if not few_rows(report):
        values = {
            name: (f"{METRICS[name].title}, mean of the labels", report["means"].get(name))
            for name in ("roc_auc", "average_precision", "f1")
        }
    if report["rows"] >= FEW_POSITIVES:
        values["accuracy"] = METRICS["accuracy"].title, report.get("accuracy")
    return [
        EvalResult(
            task_type="text-classification",
            dataset_type=data,
            dataset_name=data,
            dataset_split=split,
            metric_type=name,
            metric_name=title,
            metric_value=value,
        )
        for name, (title, value) in values.items()
        if value is not None
    ]


def usage(name: str, plain: bool) -> str:
    """Return how to load the model by `name`; plain: whether transformers can load it too."""
    parts = [
        f"""\
```python
from comment_toxicity import load_classifier

classifier = load_classifier({json.dumps(name)})  # or this folder's path
scores = classifier.score(["Thank you, that was helpful."])  # comments × labels, in [0, 1]
print(dict(zip(classifier.labels, scores[0])), classifier.flags(scores[0]))
```

`decision.json` turns the model's logits into these probabilities. Code that does not read it, such
as the pipeline of transformers, returns different, uncalibrated scores"""
    ]
    if not plain:
        return parts[0] + (
            ".\nThe pipeline and hosted inference also need `model.safetensors`, which is not "
            "here; ONNX\nRuntime reads `model.onnx`."
        )
    if not HUB_ID.fullmatch(name):
        return parts[0] + "."
    parts.append(f"""\
```python
from transformers import pipeline

classify = pipeline("text-classification", model={json.dumps(name)}, top_k=None)
print(classify("Thank you, that was helpful."))  # every label's score, uncalibrated
```""")
    return ":\n\n".join(parts)


def _meaning(decision: Decision | None) -> str:
    if decision is None:
        return "Scores are uncalibrated: higher is likelier, but 0.8 need not mean 8 in 10."
    meaning = (
        "Of the comments with a score of 0.8 for a label, about 8 in 10 carry it, in the mix of "
        "comments that the training data declares natural. Where the label is rarer, scores are "
        "too high; where it is more frequent, too low. "
    )
    if decision.activation == "softmax":
        return meaning + "A comment has exactly one label, so its scores sum to 1."
    return meaning + "A comment can carry several labels or none, so its scores need not sum to 1."


def _thresholds(decision: Decision) -> str:
    names = ("threshold", "precision", "recall", "positives")
    table = Table(
        columns=[Column("label"), *(METRICS[name] for name in names)],
        rows=[
            (label, *(getattr(values, name) for name in names))
            for label, values in decision.labels.items()
        ],
    )
    rows = "validation rows" if decision.rows is None else f"{decision.rows:,} validation rows"
    few = [
        f"`{label}` ({values.positives})"
        for label, values in decision.labels.items()
        if values.positives is not None and values.positives < FEW_POSITIVES
    ]
    warning = (
        f"**Warning.** Fewer than {FEW_POSITIVES} of these rows carry {', '.join(few)}, so "
        "thresholds, precision and recall there can be far off by chance.\n\n"
    )
    return (
        f"A score at or above the threshold flags the label. Thresholds were chosen by "
        f"`{decision.criterion}` on {rows}; precision and recall are of those rows, weighted to "
        f"the natural mix.\n\n"
        f"{warning if few else ''}"
        f"{table.markdown()}\n\n"
        f"{_by_language(decision)}"
        "Choose your own by what an error costs you: a higher one flags fewer comments, with fewer "
        "false alarms."
    )


def _by_language(decision: Decision) -> str:
    """Which languages have a calibration and thresholds of their own; nothing without one."""
    if not decision.languages:
        return ""
    names = [Column("language")]
    names += [Column(label, decimals) for label in decision.labels]
    rows = [
        (name, *(fitted[label].threshold if label in fitted else None for label in decision.labels))
        for name, fitted in decision.languages.items()
    ]
    return (
        "Calibration and thresholds of these languages were fitted to their own rows; a label "
        "without a number, and any other language, has those above. `classifier.score` takes or "
        f"detects the language.\n\n{Table(columns=names, rows=rows).markdown()}\n\n"
    )


def _metrics(metrics: Mapping) -> list[str]:
    split, report = measured(metrics)
    if not report:
        return ["Not measured."]
    parts = [_about_rows(split, report, metrics.get("data", {}))]
    parts += [f"**Warning.** {warning}" for warning in warnings(report)]
    if few_rows(report):
        parts[-1] += " For the same reason, the means are not in the metadata of this card."
    parts += [label_table(report, CARD_METRICS, mean_row="**mean**").markdown()]
    parts += summaries(report)
    wide = len(report.get("confusion_matrix", {})) > MATRIX
    tables = [
        interval_table(report, mean_row="**mean**"),
        original_table(report),
        confused_table(report) if wide else confusion_table(report),
    ]
    parts += [table.markdown() for table in tables if table]
    parts += [f"- {note}" for note in report.get("notes", [])]
    if metrics.get("languages"):
        parts += _languages(metrics["languages"])
    validation = metrics.get("validation")
    if split == "test" and validation:
        errors = ", ".join(
            f"{name} {decimals(label.get('calibration_error'))}"
            for name, label in validation["labels"].items()
        )
        parts.append(
            f"Calibration error on {validation['rows']:,} validation rows in the natural mix, each "
            f"scored by a calibration that was not fitted to it: {errors}."
        )
    return parts


def _languages(report: Mapping) -> list[str]:
    table = language_table(report)
    return [
        table.markdown(),
        "Each row has the calibration and the thresholds of its own language. Neutral sentences "
        "are everyday and article sentences that no label should flag; “flagged” is the share "
        "that any label does. Rows of different languages come from different collections, so "
        "compare a language with other models on the same rows, not with other languages. "
        "`python -m finetune evaluate --output-dir RUN` measures this.",
    ]


def _about_rows(split: str, report: Mapping, data: Mapping) -> str:
    rows = f"{report['rows']:,} {split} rows"
    if split == "test" and data.get("name"):
        rows += f" of `{data['name']}`"
    if split == "test" and data.get("sha256"):
        rows += f" (sha256 `{data['sha256'][:16]}…`)"
    if split == "validation":
        rows += ", each scored by a calibration and thresholds that were not fitted to it"
    return f"On {rows}" + (", weighted:" if report.get("weighted") else ":")


def _names_of_data(settings: Mapping, run: Mapping) -> list[str]:
    """Return what says of what data the model learned, should its labels not say it."""
    named = [data.get("name", "") for data in run.get("data", {}).values()]
    return [str(settings.get(key, "")) for key in ("train_data", "data_licence")] + named


def _training(settings: Mapping, run: Mapping) -> list[str]:
    """The run's rows, sources, settings and machine; then those of its base, where it was a run."""
    parts = []
    if words := settings.get("train_words"):
        parts.append(
            f"Only the embeddings of {_setting(words)} were trained; all other weights are the "
            "base model's, whose own training is described below."
        )
    lines = []
    for split, data in run.get("data", {}).items():
        line = f"- {split}: {count(data.get('rows'))} rows of `{data.get('name', 'unknown')}`"
        lines.append(line + (f", sha256 `{data['sha256'][:16]}…`" if data.get("sha256") else ""))
    parts += ["\n".join(lines)] if lines else []
    if settings.get("passages"):
        parts.append(
            "Some training rows of that file are passages cut out of its comments, without labels: "
            "on these, the model learned the scores of its teachers."
        )
    sources = run.get("data", {}).get("train", {}).get("sources", {})
    if sources:
        own = run["data"]["train"]["rows"] - sum(source["rows"] for source in sources.values())
        parts.append(
            f"Of the training rows, {own:,} are from that file, the others from these sources (a "
            "row that was read twice counts twice):"
        )
        parts.append(
            Table(
                columns=[Column("source"), METRICS["rows"], Column("licence as stated")],
                rows=[
                    (name, source["rows"], source.get("licence", "not stated"))
                    for name, source in sources.items()
                ],
            ).markdown()
        )
    if settings.get("left_out"):
        parts.append(f"Not trained on: {settings['left_out']}")
    licences = [
        f"Licence of the {of}: {settings.get(key) or 'not stated'}."
        for of, key in (("training rows", "data_licence"), ("base model", "base_licence"))
    ]
    parts.append(" ".join(licences))
    chosen = [
        (name, _setting(settings[name]))
        for name in SETTINGS
        if settings.get(name) or ("dropout" in name and name in settings)
    ]
    if chosen:
        parts.append(Table(columns=[Column("setting"), Column("value")], rows=chosen).markdown())
    versions = ", ".join(f"{name} {number}" for name, number in run.get("versions", {}).items())
    minutes = f"{run.get('duration_s', 0) / 60:.0f} minutes"
    if run.get("training", {}).get("resumed_from"):
        minutes += ", not counting the time before an interruption"
    made = [minutes] if run.get("duration_s") else []
    made += [run["machine"]] if run.get("machine") else []
    made += [versions] if versions else []
    if made:
        parts.append(f"Made in {'; '.join(made)}." if run.get("duration_s") else "; ".join(made))
    exported = run.get("export", {})
    if exported.get("onnx_left_out"):
        parts.append(f"There is no `model.onnx`: {exported['onnx_left_out']}")
    if differences := exported.get("max_difference"):
        parts.append(
            "Before calibration, scores of the exported weights differ from those of the trained "
            f"model by at most {max(differences):.4f} on validation rows."
        )
    if base := run.get("base_run"):
        parts += ["### Training of the base model", *_training(base.get("settings", {}), base)]
    return parts


def _setting(value: Any) -> str:
    values = value if isinstance(value, list) else [value]
    return ", ".join(f"`{each}`" for each in values)


def measured(metrics: Mapping) -> tuple[str, dict[str, Any]]:
    """Return the split to show and its report: test if it was measured, else validation."""
    for split in ("test", "validation"):
        if metrics.get(split):
            return split, metrics[split]
    return "", {}


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ModelError(f"{path}: not JSON ({error}); write it again.") from error
