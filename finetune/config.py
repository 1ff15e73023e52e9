"""The settings of a run: one dataclass is the defaults, the flags, the checks and the record.

A TOML file in configs/ sets fields by name, those of distillation in a section [distil], those of
publishing in [publish]; flags override it; run.json records the result.
"""

import argparse
import dataclasses
import tomllib
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from comment_toxicity.errors import SettingsError
from comment_toxicity.folder import LONGEST_WINDOW, SHORTEST_WINDOW
from finetune.data.labels import Layout
from finetune.thresholds import Criterion

JIGSAW_LABELS = ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]
FORMATS = ("safetensors", "onnx")
BLOCKS = (0, 16, 32, 64, 128)
TRACKERS = ("tensorboard", "mlflow", "wandb")
AFTER_TRAINING = {
    "window", "formats", "int8_blocks", "criterion", "neutral_data", "model_name",
    "data_licence", "left_out", "base_licence", "report_to", "publish_to", "publish_require",
    "publish_private", "publish_tags", "output_dir",
}  # fmt: skip
"""Settings that may change after training: they have no effect on the trained weights."""
FIRST = (
    "train_data", "test_data", "text_column", "labels", "label_column", "id_column",
    "base_model", "max_length", "epochs", "batch_size", "learning_rate", "output_dir",
)  # fmt: skip
"""What --help begins with: the settings that a run on one's own comments needs."""
DISTIL = ("teachers", "teacher_share", "teacher_languages", "rare", "passages", "logit_matching")
"""The settings of a config's section [distil]; older configs, and run.json, have no section."""
REMOVED = {"extra_text_column": "text", "source_column": "source", "layer_decay": 1.0}
"""Settings of earlier versions. Each works as its default here did, and takes no other value."""


def setting(effect: str, default: Any) -> Any:
    """A field of Settings, with its default and its help text."""
    if isinstance(default, list | dict):
        return field(default_factory=lambda: default.copy(), metadata={"help": effect})
    return field(default=default, metadata={"help": effect})


@dataclass
class Settings:
    """What a run reads, trains and writes."""

    # rows
    train_data: str = setting(
        "read labelled comments from this CSV, JSON or Parquet file, URL, or Hub dataset "
        "(owner/name, owner/name:split or owner/name:configuration/split)",
        "data/sample.csv",
    )
    validation_data: str = setting(
        "choose the checkpoint, calibration and thresholds on this table instead of a part of "
        "train_data",
        "",
    )
    test_data: str = setting(
        "report on this table instead of a part of train_data; never used in training", ""
    )
    neutral_data: str = setting(
        "with language_column, also report which share of this table's texts is flagged in each "
        "language; none of them should be",
        "",
    )
    encoding: str = setting(
        "read tables of text that are not UTF-8 in this encoding, such as cp1252", ""
    )
    text_column: str = setting("read the comments from this column", "comment_text")
    id_column: str = setting(
        "keep rows that share a value of this column in the same split; empty values are not "
        "shared",
        "",
    )
    labels: list[str] = setting(
        "learn these labels, in this order; each is a column of 0, 1, a share of annotators "
        "between them, or -1 or empty for unknown; with label_column or label_list_column they "
        "are by default the values of that column, sorted",
        JIGSAW_LABELS,
    )
    label_column: str = setting(
        "read one class per row from this column instead: a single-label model", ""
    )
    label_list_column: str = setting(
        "read any number of labels per row from this column instead: a list of names or ids, or "
        "text such as 2,14",
        "",
    )
    label_mapping: dict[str, int] = setting(
        "map values of label_column or label_list_column to indices in labels, counted from 0 (as "
        "value=0,value=1)",
        {},
    )
    exclude: dict[str, list[str]] = setting(
        "drop rows of train_data whose column has one of these values "
        "(as column=value|value,column=value)",
        {},
    )
    train_only: dict[str, list[str]] = setting(
        "use rows of train_data whose column has one of these values only for training, never for "
        "validation or test (as column=value|value,column=value)",
        {},
    )
    extra_data: list[str] = setting(
        "also train on the rows of these tables, with comments in the column text (or "
        "text_column); a label whose column is missing or empty is unknown. A .toml file holds "
        "templates, as data/templates.toml",
        [],
    )
    mix: dict[str, float] = setting(
        "read the rows of a source this many times per epoch (default 1; 0.5 takes a random half). "
        "A source is a value of extra_data's column source, or train_data, of which "
        "train_data_long names the rows of 60 words and more (as source=2,train_data=0.5)",
        {},
    )
    teachers: list[str] = setting(
        "also learn the mean score of these models (folders or model names; a model named twice "
        "counts twice): alone where a row's label is unknown, elsewhere mixed by teacher_share",
        [],
    )
    teacher_share: dict[str, float] = setting(
        "weight of the teachers' score against the label, per source, from 0 to 1 (default 0); "
        "sources are named as in mix (as source=0.5,train_data=0.7)",
        {},
    )
    teacher_languages: list[str] = setting(
        "learn from the teachers only in rows of these languages, see language_column; none: all",
        [],
    )
    rare: dict[str, float] = setting(
        "keep every row of extra_data that has one of these labels, whatever mix says, and limit "
        "the teachers' weight on that label to this (as label=0.5)",
        {},
    )
    passages: float = setting(
        "for each row of train_data, also train on this many passages of its sentences, labelled "
        "by the teachers alone",
        0.0,
    )
    logit_matching: float = setting(
        "add the squared distance to the teachers' logits to the loss, with this weight: also "
        "teaches the ranking of harmless comments",
        0.0,
    )
    language_column: str = setting(
        "read each row's language, such as de, from this column, where a table has it", ""
    )
    main_language: str = setting(
        "with language_column, the language of rows that it does not name", "en"
    )
    language_temperature: float = setting(
        "with language_column, mix the languages: a language's share of the rows is proportional "
        "to its rows to the power of 1 / this. 1 leaves the shares as they are, 100 makes them "
        "equal, but no row is read more than 4 times per epoch",
        1.0,
    )
    inserted: float = setting(
        "add this many times as many rows, each a short comment inserted into a long clean one; "
        "it keeps the short one's labels (0 to 5)",
        0.0,
    )
    noise: float = setting(
        "disguise this share of the training rows as people do to evade filters: misspelt, "
        "spaced out, with symbols for letters",
        0.0,
    )
    weight_column: str = setting(
        "weigh rows by this column in calibration, thresholds and metrics, never in the loss: a "
        "number, or true for rows of a random sample and false for rows picked by label",
        "",
    )
    test_weight_column: str = setting(
        "the weight column of test_data, where it has another name", ""
    )
    sample: int = setting("use this many random rows of train_data; 0 uses all", 0)
    test_sample: int = setting("use this many random rows of test_data; 0 uses all", 0)
    validation_fraction: float = setting("set this share of train_data aside for validation", 0.1)
    test_fraction: float = setting("set this share of train_data aside for the test report", 0.1)

    # model
    base_model: str = setting(
        "start from this encoder: a folder, a Hub id, or package:NAME/FOLDER inside an installed "
        "Python package",
        "bert-base-uncased",
    )
    max_length: int = setting("in training, keep this many tokens of each comment", 256)
    window: int = setting(
        "in scoring, read this many tokens at once, and longer comments in overlapping windows; 0 "
        "takes max_length",
        0,
    )
    fold_lookalikes: bool = setting(
        "before tokenizing, turn lookalike letters into Latin ones and abusive emoji into English "
        "words, leave markup out, and drop characters that the vocabulary lacks (for English)",
        False,
    )
    vocabulary: int = setting(
        "keep this many pieces of the base's vocabulary, those that the training rows use most: a "
        "smaller model, for a SentencePiece (Unigram) or WordPiece tokenizer; 0 keeps all",
        0,
    )
    dropout: float = setting("dropout of hidden states in training, as a share", 0.1)
    attention_dropout: float = setting("dropout of attention weights in training, as a share", 0.1)
    freeze: bool = setting(
        "train only the classification head, and trainable_layers of the encoder", False
    )
    trainable_layers: int = setting("with freeze, also train this many of the last layers", 0)
    lora: int = setting(
        "train adapters of this rank beside the encoder's frozen layers, for large bases, and add "
        "them to the weights at the end; needs peft. 0 trains the layers themselves",
        0,
    )
    train_words: list[str] = setting(
        "train the embeddings of these words and nothing else, on the rows that have one of them: "
        "changes how they are read, and no score of a text without them",
        [],
    )

    # training
    epochs: float = setting("pass over the training rows this many times", 3)
    max_steps: int = setting("stop after this many optimizer steps; 0 stops by epochs", 0)
    batch_size: int = setting("comments per optimizer step, over all processes", 32)
    accumulate: int = setting("split each batch into this many parts, to save memory", 1)
    learning_rate: float = setting("peak learning rate of the encoder", 5e-5)
    head_learning_rate: float = setting(
        "peak learning rate of the classification head; 0 takes learning_rate", 0.0
    )
    weight_decay: float = setting("weight decay of AdamW", 0.01)
    warmup: float = setting("warm up the learning rate from 0 over this share of the steps", 0.06)
    label_weighting: bool = setting(
        "give positives of rare labels more weight in the loss (square root of negatives per "
        "positive)",
        False,
    )
    average_with_base: float = setting(
        "after training, average the weights with base_model's, with this share for the base: "
        "keeps what it knew of other texts. The base must have the same labels",
        0.0,
    )
    precision: str = setting(
        "fp32, bf16, fp16, or auto: bf16 if a short trial shows that it is faster on this machine, "
        "fp16 on a GPU without bf16",
        "auto",
    )
    evaluations_per_epoch: int = setting(
        "validate and save a checkpoint this many times per epoch", 1
    )
    patience: int = setting(
        "stop after this many validations without improvement; 0 never stops early", 0
    )
    best_by: str = setting(
        "keep the best checkpoint by this validation metric: roc_auc_mean, "
        "average_precision_mean, accuracy (single-label) or loss",
        "roc_auc_mean",
    )
    report_to: list[str] = setting(
        "also send losses, metrics and settings of training to these, where they are installed: "
        "tensorboard, mlflow, wandb",
        [],
    )
    seed: int = setting("random seed of rows drawn, initial weights and batch order", 1)

    # result
    output_dir: str = setting("write the run to this folder", "runs/latest")
    formats: list[str] = setting(
        "export the weights in these formats: safetensors, onnx (int8)", list(FORMATS)
    )
    int8_blocks: int = setting(
        "in model.onnx, give so many values of a row a scale of their own (16, 32, 64 or 128): "
        "closer to the trained model where some activations are far larger than the others, as in "
        "multilingual-e5, but slower; 0 gives one to each channel of the weights, and each text",
        0,
    )
    criterion: str = setting(
        "choose each label's threshold by this: best-f1, min-precision:0.9 or min-recall:0.9",
        "best-f1",
    )
    model_name: str = setting(
        "name of the model in its card; empty takes the run folder's name", ""
    )
    data_licence: str = setting("licence of the training rows, for the model card", "")
    left_out: str = setting("what was left out of training, and why, for the model card", "")
    base_licence: str = setting("licence and origin of the base model, for the model card", "")
    publish_to: list[str] = setting(
        "publish the result to these: hub:OWNER/NAME, s3://BUCKET/PREFIX; in [publish]: to, and "
        "so the next three",
        [],
    )
    publish_require: list[str] = setting(
        "publish only if all of these hold, such as f1.threat >= 0.4 or "
        "roc_auc_mean >= published - 0.002",
        [],
    )
    publish_private: bool = setting("make a new repository on the Hub private", False)
    publish_tags: list[str] = setting("give what is published these names, such as v1.2", [])

    def __post_init__(self) -> None:
        """Leave labels empty where label_column is to name them: the default names columns."""
        if (self.label_column or self.label_list_column) and self.labels == JIGSAW_LABELS:
            self.labels = []

    @property
    def single_label(self) -> bool:
        """Whether each comment has exactly one class (softmax), not any number of labels."""
        return bool(self.label_column)

    @property
    def layout(self) -> Layout:
        """The columns of train_data and validation_data."""
        return Layout(
            text=self.text_column,
            labels=tuple(self.labels),
            class_column=self.label_column or None,
            mapping=self.label_mapping,
            weight=self.weight_column or None,
            id=self.id_column or None,
            list_column=self.label_list_column or None,
            language=self.language_column or None,
        )

    @property
    def test_layout(self) -> Layout:
        """The columns of the test rows: test_data can have a weight column of its own."""
        if self.test_data and self.test_weight_column:
            return dataclasses.replace(self.layout, weight=self.test_weight_column)
        return self.layout

    def check(self) -> None:
        """Raise SettingsError for the first value that is not possible, alone or with another."""
        ranges = {
            "validation_fraction": (0, 0.9),
            "test_fraction": (0, 0.9),
            "noise": (0, 1),
            "inserted": (0, 5),
            "passages": (0, 10),
            "language_temperature": (1, 100),
            "logit_matching": (0, 10),
            "average_with_base": (0, 1),
            "dropout": (0, 0.9),
            "attention_dropout": (0, 0.9),
            "warmup": (0, 0.99),
            "max_length": (SHORTEST_WINDOW, LONGEST_WINDOW),
            "window": (0, LONGEST_WINDOW),
            "vocabulary": (0, 10_000_000),
            "batch_size": (1, 65536),
            "accumulate": (1, 65536),
            "evaluations_per_epoch": (1, 1000),
            "sample": (0, float("inf")),
            "test_sample": (0, float("inf")),
            "max_steps": (0, float("inf")),
            "patience": (0, float("inf")),
            "trainable_layers": (0, 1000),
            "lora": (0, 1024),
            "epochs": (1e-6, 10_000),
            "learning_rate": (1e-9, 1),
            "head_learning_rate": (0, 1),
            "weight_decay": (0, 1),
            "seed": (0, 2**32 - 1),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise SettingsError(f"{name} is {value}; give a number from {low:g} to {high:g}.")
        choices = {
            "precision": ("auto", "fp32", "bf16", "fp16"),
            "best_by": ("roc_auc_mean", "average_precision_mean", "accuracy", "loss"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise SettingsError(
                    f"{name} is {getattr(self, name)!r}; choose one of {', '.join(allowed)}."
                )
        unknown = set(self.formats) - set(FORMATS)
        if unknown or not self.formats:
            raise SettingsError(
                f"formats is {', '.join(self.formats) or 'empty'}; "
                f"choose from {', '.join(FORMATS)}."
            )
        if self.int8_blocks not in BLOCKS:
            raise SettingsError(
                f"int8_blocks is {self.int8_blocks}; choose one of {', '.join(map(str, BLOCKS))}."
            )
        for tracker in self.report_to:
            if tracker not in TRACKERS:
                raise SettingsError(
                    f"report_to has {tracker!r}; choose from {', '.join(TRACKERS)}."
                )
            if not _is_installed(tracker):
                raise SettingsError(
                    f"report_to has {tracker}, which is not installed; pip install {tracker}."
                )
        if self.lora and (self.freeze or self.train_words):
            raise SettingsError("lora is set, so leave freeze and train_words out.")
        if self.lora and not _is_installed("peft"):
            raise SettingsError("lora needs peft, which is not installed; pip install peft.")
        from_column = self.label_column or self.label_list_column
        if len(self.labels) != len(set(self.labels)) or not (self.labels or from_column):
            raise SettingsError("labels must name at least one label, and each only once.")
        if self.single_label and len(self.labels) == 1:
            raise SettingsError("label_column is set, so labels must name at least two classes.")
        if self.label_mapping and not self.labels:
            raise SettingsError("label_mapping gives indices in labels, so set labels too.")
        if self.label_mapping and not from_column:
            raise SettingsError(
                "label_mapping is set without label_column or label_list_column; set one of them."
            )
        if self.label_column and self.label_list_column:
            raise SettingsError(
                "label_column and label_list_column are both set; give label_column for one class "
                "per comment, or label_list_column for any number of labels."
            )
        for source, times in self.mix.items():
            if not 0 <= times <= 100:
                raise SettingsError(f"mix has {source}={times:g}; give a number from 0 to 100.")
        for source, share in self.teacher_share.items():
            if not 0 <= share <= 1:
                raise SettingsError(
                    f"teacher_share has {source}={share:g}; give a number from 0 to 1."
                )
        if self.inserted and self.single_label:
            raise SettingsError("inserted is for multi-label models; leave label_column out.")
        if self.rare and self.single_label:
            raise SettingsError("rare is for multi-label models; leave label_column out.")
        for label, share in self.rare.items():
            if label not in self.labels or not 0 <= share <= 1:
                raise SettingsError(
                    f"rare has {label}={share:g}; give one of labels, and a number from 0 to 1."
                )
        if not self.language_column and (self.language_temperature != 1 or self.teacher_languages):
            raise SettingsError(
                "language_temperature and teacher_languages need language_column; set it too."
            )
        if not self.teachers and (self.passages or self.logit_matching):
            raise SettingsError("passages and logit_matching need teachers; set teachers too.")
        if self.teachers and self.single_label:
            raise SettingsError("teachers is for multi-label models; leave label_column out.")
        wrong = set(self.label_mapping.values()) - set(range(len(self.labels)))
        if wrong:
            raise SettingsError(
                f"label_mapping has index {max(wrong)}, but labels has {len(self.labels)} entries; "
                "indices count from 0."
            )
        if self.best_by == "accuracy" and not self.single_label:
            raise SettingsError(
                "best_by is accuracy, which is for single-label models; use roc_auc_mean."
            )
        if 0 < self.window < SHORTEST_WINDOW:
            raise SettingsError(
                f"window is {self.window}; give 0 for max_length, or at least {SHORTEST_WINDOW}."
            )
        Criterion.parse(self.criterion)
        if not self.validation_data and not self.validation_fraction:
            raise SettingsError(
                "validation_fraction is 0 without validation_data; calibration and thresholds need "
                "validation rows, so set one of the two."
            )
        if self.validation_fraction + self.test_fraction > 0.9:
            raise SettingsError(
                "validation_fraction and test_fraction leave less than a tenth of the rows for "
                "training."
            )


def _is_installed(package: str) -> bool:
    """Whether a package can be imported; a folder of its name, as wandb leaves one, is none."""
    spec = find_spec(package)
    return spec is not None and spec.origin is not None


def from_toml(path: str | Path) -> dict[str, Any]:
    """Read a config. Returns setting → value; SettingsError names what is not a setting."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except FileNotFoundError:
        shipped = ", ".join(sorted(str(config) for config in Path("configs").glob("*.toml")))
        raise SettingsError(f"{path}: no such config. Shipped: {shipped or 'none here'}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not a TOML file ({error}).") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}).") from None
    publish, distil = _section(values, "publish", path), _section(values, "distil", path)
    values |= {f"publish_{name}": value for name, value in publish.items()}
    for name in distil:
        if name not in DISTIL:
            raise SettingsError(
                f"{path}: {name} is not a setting of [distil], which takes {', '.join(DISTIL)}."
            )
        if name in values:
            raise SettingsError(f"{path}: {name} is both in [distil] and outside it; keep one.")
    return checked(values | distil, str(path))


def _section(values: dict[str, Any], name: str, path: Path) -> dict[str, Any]:
    """Take a section out of a config's values."""
    section = values.pop(name, {})
    if not isinstance(section, dict):
        raise SettingsError(f"{path}: {name} must be a section, [{name}].")
    return section


def checked(values: dict[str, Any], where: str) -> dict[str, Any]:
    """Convert each value to its setting's type. SettingsError says what is wrong, and `where`."""
    for name, default in REMOVED.items():
        if values.get(name, default) != default:
            raise SettingsError(
                f"{where}: {name} is {values[name]!r}, but that setting was removed; "
                f"only its default, {default}, still works."
            )
    kept = {name: value for name, value in values.items() if name not in REMOVED}
    return {name: _as_type(name, value, where) for name, value in kept.items()}


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add one flag per setting, in groups; flags not given are absent from the namespace."""
    groups: dict[str, argparse._ArgumentGroup] = {}
    fields = {item.name: item for item in dataclasses.fields(Settings)}
    titles = _help_titles(list(fields))
    for name in sorted(fields, key=list(titles).index):
        item, title = fields[name], titles[name]
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        group = groups[title]
        default = getattr(Settings(), item.name)
        expected = get_type_hints(Settings)[item.name]
        flag = "--" + item.name.replace("_", "-")
        text = item.metadata["help"].replace("%", "%%") + f" (default: {_show(default)})"
        if expected is bool:
            group.add_argument(
                flag, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=text
            )
        else:
            group.add_argument(
                flag, default=argparse.SUPPRESS, metavar=_metavar(expected), help=text
            )


def _help_titles(names: list[str]) -> dict[str, str]:
    """The heading in --help of each setting, in the order of --help: the first, then the others."""
    titles = dict.fromkeys(FIRST, "your own comments (each can also be a line of the config)")
    starts = {
        "train_data": "rows",
        "base_model": "model",
        "epochs": "training",
        "output_dir": "result",
        "publish_to": "publishing, in a config under [publish]",
    }
    title = ""
    for name in names:
        title = starts.get(name, title)
        if name not in DISTIL:
            titles.setdefault(name, title)
    return titles | dict.fromkeys(DISTIL, "distillation, in a config under [distil]")


def from_flags(flags: argparse.Namespace, values: dict[str, Any]) -> Settings:
    """Override the config's values by the flags that were given, and check the result."""
    names = {item.name for item in dataclasses.fields(Settings)}
    given = {name: value for name, value in vars(flags).items() if name in names}
    typed = {
        name: _as_type(name, value, "--" + name.replace("_", "-")) for name, value in given.items()
    }
    settings = Settings(**{**values, **typed})
    settings.check()
    return settings


def _as_type(name: str, value: Any, where: str) -> Any:
    """Convert a flag's text or a TOML value to the field's type."""
    hints = get_type_hints(Settings)
    if name not in hints:
        raise SettingsError(
            f"{where}: {name} is not a setting; python -m finetune --help lists them."
        )
    expected = hints[name]
    try:
        if get_origin(expected) is list:
            if isinstance(value, str):
                return [part.strip() for part in value.split(",")] if value.strip() else []
            return [str(item) for item in value]
        if get_origin(expected) is dict:
            return _as_dict(value, get_args(expected)[1])
        if expected is bool and not isinstance(value, bool):
            raise ValueError
        if expected is str and not isinstance(value, str):
            raise ValueError
        if expected in (int, float) and isinstance(value, bool):
            raise ValueError
        if expected is int and isinstance(value, float) and not value.is_integer():
            raise ValueError
        return expected(value)
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise SettingsError(
            f"{where}: {name} is {value!r}; expected {_metavar(expected).lower()}."
        ) from None


def _as_dict(value: Any, expected: Any) -> dict[str, Any]:
    if isinstance(value, str):
        value = dict(pair.rsplit("=", 1) for pair in value.split(",") if pair)
    if expected in (int, float):
        if expected is int and any(isinstance(item, float) and item % 1 for item in value.values()):
            raise ValueError
        return {str(key): expected(item) for key, item in value.items()}
    return {
        str(key): item.split("|") if isinstance(item, str) else [str(each) for each in item]
        for key, item in value.items()
    }


def _metavar(expected: Any) -> str:
    if get_origin(expected) is list:
        return "A,B,…"
    if get_origin(expected) is dict:
        return "KEY=VALUE,…"
    return {str: "TEXT", int: "NUMBER", float: "NUMBER", bool: "TRUE OR FALSE"}[expected]


def _show(default: Any) -> str:
    if isinstance(default, list):
        return ",".join(default) or "none"
    return str(default) if default not in ("", {}) else "none"
