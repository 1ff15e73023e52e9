"""A model folder, read without loading its weights: labels, window length, weight file, decision.

Only json and hashing here: the embedded model must be ready before torch could be imported.
"""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from comment_toxicity.decision import FILE_NAME as DECISION_FILE
from comment_toxicity.decision import Decision
from comment_toxicity.disk import read_json, sha256_of
from comment_toxicity.errors import ModelError

# What a folder without decision.json may hold, in order of preference.
WEIGHT_FILES = (
    "model.onnx",
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
FALLBACK_WINDOW = 512  # tokens; for BERT-type models whose files do not say
SHORTEST_WINDOW = 8  # tokens; a few beside the special ones
LONGEST_WINDOW = 8_192  # tokens; attention takes memory by their square, whatever a config says
MOST_LABELS = 1_000
ROBERTA_LIKE = {"roberta", "xlm-roberta", "camembert", "longformer", "mpnet", "xlm-roberta-xl"}

# Harms, of which a comment can do several at once, and names of a label for none of them.
HARM = re.compile(
    r"(severe_)?toxic(ity)?|obscen(e|ity)|profan(e|ity)|threat(ening)?|violence|insult(ing)?|"
    r"identity_(hate|attack)|hate(_speech|ful)?|harassment|offensive|sexual(ly)?(_explicit)?"
)
NONE_OF_THEM = re.compile(
    r"(non|not|no)(_.*|hate|toxic|offensive)?|neither|neutral|none|normal|ok|okay|clean|safe|benign"
)


FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.S)
CODE = r"\w[\w-]{1,19}"
LANGUAGE = re.compile(rf"^language:[ \t]*((?:\n- ?{CODE}){{1,50}}|{CODE})[ \t]*$", re.M)
LONGEST_CARD = 200_000  # characters


@dataclass(frozen=True)
class ModelFolder:
    """What is known of a model before its weights are loaded.

    labels: in the order of the logits.
    window: tokens that the model takes at a time, including [CLS] and [SEP].
    weights: the weight file.
    decision: calibration and thresholds; uncalibrated when the folder has none.
    """

    path: Path
    labels: list[str]
    window: int
    weights: Path
    decision: Decision

    @cached_property
    def languages(self) -> list[str]:
        """The languages that the model reads, as its card says, else its calibration; or none."""
        named = card_languages(read_card(self.path))
        return named or sorted({name.partition("-")[0] for name in self.decision.languages})

    def weights_hash(self) -> str:
        """The SHA-256 that stands for the weights, in hexadecimal: of the file, or of its shards.

        For a calibrated model it is known from loading, and no file is read.
        """
        if self.decision.weights is not None:
            return self.decision.weights.sha256
        if self.weights.suffix != ".json":
            return sha256_of(self.weights)
        shards = sorted(set(_json(self.weights)["weight_map"].values()))
        hashes = [f"{name} {sha256_of(self.path / name)}\n" for name in shards]
        return hashlib.sha256("".join(hashes).encode()).hexdigest()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the folder at `path`.

        Raises ModelError when a file is missing or broken, when decision.json belongs to other
        weights or other labels, when the folder needs its own code, or has links to files outside.
        """
        _check_links(path)
        config = _json(path / "config.json")
        tokenizer = _json(path / "tokenizer_config.json", default={})
        for name, content in (("config.json", config), ("tokenizer_config.json", tokenizer)):
            if "auto_map" in content:
                raise ModelError(
                    f"{path / name}: this model brings its own Python code (auto_map), "
                    "which is never run here; choose a model type that transformers supports."
                )
        labels = _labels(config, path)
        if (path / DECISION_FILE).is_file():
            decision = Decision.load(path)
            if decision.weights is None or decision.weights.file not in WEIGHT_FILES[:2]:
                raise ModelError(
                    f"{path / DECISION_FILE}: names no weight file that it could belong to "
                    f"(expected {' or '.join(WEIGHT_FILES[:2])}); write it again with finetune's "
                    "calibrate."
                )
            decision.verify(path)
            if list(decision.labels) != labels:
                raise ModelError(
                    f"{path / DECISION_FILE}: has the labels {', '.join(decision.labels)}, "
                    f"but config.json has {', '.join(labels)}; copy the whole folder again."
                )
        else:
            decision = Decision.uncalibrated(labels, activation(config, labels, path))
        window = _window(config, tokenizer, path)
        return cls(path, labels, window, _weights(path, decision), decision)


def read_card(folder: Path) -> str:
    """The model card, README.md; empty where there is none that can be read."""
    try:
        with (folder / "README.md").open(encoding="utf-8", errors="replace") as stream:
            return stream.read(LONGEST_CARD)
    except OSError:
        return ""


def card_languages(card: str) -> list[str]:
    """The languages in the front matter of a model card, as codes; none where it has none."""
    front = FRONT_MATTER.match(card)
    found = LANGUAGE.search(front[0]) if front else None
    return re.findall(CODE, found[1]) if found else []


def activation(config: dict[str, Any], labels: list[str], path: Path) -> str:
    """Whether a model is multi-label ("sigmoid") or single-label ("softmax").

    The config's problem_type says so. Where it is missing, the labels decide:
    - one label: sigmoid;
    - two or more known harms (toxic, threat, insult, …), and no label that means “none of these”
      (neutral, non-toxic, neither, …): a comment can do several at once, so sigmoid;
    - all others (POSITIVE and NEGATIVE, LABEL_0 …, stars, topics): softmax, as in transformers.
    Raises ModelError for a regression model.
    """
    problem = config.get("problem_type")
    if problem == "regression":
        raise ModelError(f"{path}: a regression model, which has no label probabilities.")
    if problem == "multi_label_classification" or len(labels) == 1:
        return "sigmoid"
    if problem == "single_label_classification":
        return "softmax"
    names = [re.sub(r"[\s/-]+", "_", label.strip().lower()) for label in labels]
    harms = sum(HARM.fullmatch(name) is not None for name in names)
    exclusive = any(NONE_OF_THEM.fullmatch(name) for name in names)
    return "sigmoid" if harms >= 2 and not exclusive else "softmax"


def _json(path: Path, default: dict[str, Any] | None = None) -> dict[str, Any]:
    try:
        return read_json(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        if default is not None:
            return default
        raise ModelError(
            f"{path}: missing, so {path.parent} is not a complete model folder; copy it again."
        ) from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); copy the folder again.") from error


def _check_links(folder: Path) -> None:
    """Raise ModelError for a link out of the folder: what it leads to would be shown or published.

    In the Hub's cache, a folder's files are links to ../../blobs/.
    """
    try:
        links = [path for path in folder.iterdir() if path.is_symlink()]
        allowed = {(real := folder.resolve())}
        if real.parent.name == "snapshots":
            allowed.add(real.parent.parent / "blobs")
        outside = [link for link in links if allowed.isdisjoint(link.resolve().parents)]
    except (OSError, RuntimeError):  # a folder that is not there, or a circle of links
        return  # what is read next says it
    if outside:
        raise ModelError(
            f"{min(outside)}: links to a file outside the model folder; copy the file here instead."
        )


def _labels(config: dict[str, Any], path: Path) -> list[str]:
    for field in ("num_labels", "_num_labels"):
        number = config.get(field)
        if number is not None and (type(number) is not int or not 1 <= number <= MOST_LABELS):
            raise ModelError(
                f"{path / 'config.json'}: {field} is not a number from 1 to {MOST_LABELS:,}."
            )
    try:
        if "id2label" in config:
            named = config["id2label"]
        else:  # transformers omits its default: two unnamed labels
            named = {number: f"LABEL_{number}" for number in range(config.get("num_labels") or 2)}
        if len(named) > MOST_LABELS:
            raise ModelError(
                f"{path / 'config.json'}: id2label has {len(named):,} labels; a model can have "
                f"{MOST_LABELS:,} here."
            )
        numbered = {int(number): str(label) for number, label in named.items()}
        labels = [numbered[number] for number in range(len(numbered))]
    except KeyError:
        raise ModelError(
            f"{path / 'config.json'}: id2label does not number the labels from 0 without gaps."
        ) from None
    except (AttributeError, TypeError, ValueError) as error:
        raise ModelError(f"{path / 'config.json'}: id2label is not a table of labels.") from error
    duplicates = [label for label, times in Counter(labels).items() if times > 1]
    if duplicates:
        raise ModelError(f"{path / 'config.json'}: id2label has the label {duplicates[0]!r} twice.")
    return labels


def _window(config: dict[str, Any], tokenizer: dict[str, Any], path: Path) -> int:
    positions = config.get("max_position_embeddings") or FALLBACK_WINDOW
    try:
        if config.get("model_type") in ROBERTA_LIKE:
            positions -= 2  # their positions are counted from 2
        # tokenizers that know no limit say 10**30
        limit = tokenizer.get("model_max_length") or positions
        window = int(min(positions, limit, LONGEST_WINDOW))
    except (TypeError, ValueError, OverflowError):
        window = 0
    if window < SHORTEST_WINDOW:
        raise ModelError(
            f"{path}: max_position_embeddings in config.json or model_max_length in "
            "tokenizer_config.json is not a length in tokens; copy the folder again."
        )
    return window


def _weights(path: Path, decision: Decision) -> Path:
    if decision.weights is not None:
        return path / decision.weights.file
    for name in WEIGHT_FILES:
        if (path / name).is_file():
            if name.endswith(".index.json"):
                _check_shards(path / name)
            return path / name
    raise ModelError(
        f"{path}: no weight file (looked for {', '.join(WEIGHT_FILES)}); copy the folder again."
    )


def _check_shards(index: Path) -> None:
    """Check that the files that an index lists are there."""
    names = _json(index).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise ModelError(f"{index}: names no weight file; copy the folder again.")
    files = {str(name) for name in names.values()}
    outside = [name for name in files if name != Path(name).name]
    if outside:
        raise ModelError(
            f"{index}: names {min(outside)!r}, which is not beside it, so nothing is read."
        )
    missing = [name for name in files if not (index.parent / name).is_file()]
    if missing:
        raise ModelError(
            f"{index.parent / min(missing)}: missing, and {index.name} names it; "
            "copy the folder again."
        )
