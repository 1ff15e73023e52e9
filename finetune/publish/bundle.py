"""The files of a model folder to publish, with sizes and hashes, and the card as published."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from comment_toxicity.disk import git_hash_of, read_json, sha256_of
from comment_toxicity.errors import ModelError
from comment_toxicity.folder import ModelFolder
from finetune.card import render_card, usage
from finetune.measure.tables import Column, Table, count

MODEL_FILES = re.compile(
    r"(config|tokenizer|tokenizer_config|special_tokens_map|vocab|merges|added_tokens|decision|"
    r"metrics|audit|run)\.json|(vocab|merges)\.txt|bpe\.codes|[\w.-]+\.model|README\.md|"
    r"model\.onnx|model(-\d+-of-\d+)?\.safetensors|model\.safetensors\.index\.json"
)
"""What a model folder can consist of; nothing else is uploaded, pickles least of all."""

METRIC_FILES = ("metrics.json", "audit.json")
"""The files whose metrics conditions compare."""

USAGE = re.compile(r"(?ms)^## How to use it\n.*?(?=^## |\Z)")


@dataclass(frozen=True)
class File:
    """A file to publish; content is None where the file on disk is published unchanged."""

    name: str
    path: Path
    size: int
    sha256: str
    content: bytes | None = None

    @classmethod
    def read(cls, path: Path) -> Self:
        """The file at `path`, unchanged."""
        return cls(path.name, path, path.stat().st_size, sha256_of(path))

    @classmethod
    def of(cls, path: Path, text: str) -> Self:
        """A file named as `path`, with the content `text`."""
        content = text.encode()
        return cls(path.name, path, len(content), hashlib.sha256(content).hexdigest(), content)

    def git_hash(self) -> str:
        """See git_hash_of."""
        return git_hash_of(self.path.read_bytes() if self.content is None else self.content)


@dataclass(frozen=True)
class Bundle:
    """A model folder, ready to publish under `name`, as load_classifier takes it.

    left_out: the files and folders that are not uploaded.
    metrics: the content of metrics.json, and that of audit.json under the key `audit`.
    """

    name: str
    labels: list[str]
    files: list[File]
    left_out: list[str]
    metrics: dict[str, Any]

    @classmethod
    def read(cls, folder: Path, name: str) -> Self:
        """Read and check the folder. Raises ModelError if it is incomplete or has only pickles."""
        read = ModelFolder.read(folder)
        if ".bin" in read.weights.suffixes:
            raise ModelError(
                f"{folder}: its weights are a pickle ({read.weights.name}), and pickles are not "
                "published; save them as safetensors with transformers' save_pretrained."
            )
        paths = sorted(folder.iterdir())
        kept = [path for path in paths if path.is_file() and MODEL_FILES.fullmatch(path.name)]
        left_out = [path.name + "/" * path.is_dir() for path in paths if path not in kept]
        texts = dict(_texts(folder, name))
        files = {
            path.name: File.of(path, texts[path.name]) if path.name in texts else File.read(path)
            for path in kept
            if path.name != "README.md"
        }
        audit = _table(folder / "audit.json")
        if audit and _weights_of(audit) not in {file.sha256 for file in files.values()}:
            left_out.append("audit.json (of other weights)")
            del files["audit.json"]
            audit = {}
        return cls(
            name=name,
            labels=read.labels,
            files=[*files.values(), File.of(folder / "README.md", texts["README.md"])],
            left_out=left_out,
            metrics=metrics_of({"metrics.json": _metrics(folder), "audit.json": audit}),
        )

    @property
    def size(self) -> int:
        """Size of all files in bytes."""
        return sum(file.size for file in self.files)

    @property
    def plain(self) -> bool:
        """Whether transformers, and tools built on it, can load the model without this code."""
        return any(file.name.endswith(".safetensors") for file in self.files)

    def table(self) -> str:
        """The size and name of each file, and the sum, as text for the terminal."""
        rows = [(file.size, file.name) for file in self.files]
        rows.append((self.size, f"bytes in {len(self.files)} files"))
        return Table(columns=[Column("", count), Column("")], rows=rows).text()


def metrics_of(files: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the content of metrics.json, with that of audit.json under the key `audit`."""
    audit = files.get("audit.json")
    return files.get("metrics.json", {}) | ({"audit": audit} if audit else {})


def _weights_of(audit: Mapping[str, Any]) -> str | None:
    """Return the SHA-256 of the weights that an audit measured."""
    weights = audit.get("weights")
    return weights.get("sha256") if isinstance(weights, dict) else None


def _texts(folder: Path, name: str) -> Iterator[tuple[str, str]]:
    """Yield the files that are published with another text: the card, and the record of the run.

    Absolute paths are cut to their last part: the rest is about this machine and its user.
    """
    card = folder / "README.md"
    card_text = _text(card) if card.is_file() else render_card(folder, name)
    section = f"## How to use it\n\n{usage(name, any(folder.glob('*.safetensors')))}\n\n"
    texts = {"README.md": USAGE.sub(lambda _: section, card_text, count=1)}
    run = folder / "run.json"
    if run.is_file():
        texts["run.json"] = _text(run)
        settings = _table(run).get("settings") or {}
        values = [
            value
            for setting in settings.values()
            for value in (setting if isinstance(setting, list) else [setting])
        ]
        local = {
            value for value in values if isinstance(value, str) and Path(value).is_absolute()
        } - {"/"}
        for path in sorted(local, key=len, reverse=True):
            whole = re.compile(rf"(?<![\w./-]){re.escape(path)}(?![\w-])")  # not /data within a URL
            last = Path(path).name.replace("\\", r"\\")
            texts = {file: whole.sub(last, text) for file, text in texts.items()}
    yield from texts.items()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); copy the folder again.") from error


def _metrics(folder: Path) -> dict[str, Any]:
    metrics = _table(folder / "metrics.json")
    for split in ("validation", "test"):
        report = metrics.get(split, {})
        if not (isinstance(report, dict) and isinstance(report.get("means", {}), dict)):
            raise ModelError(
                f"{folder / 'metrics.json'}: its part {split} was not written by finetune's "
                f"stages calibrate and evaluate; run them again, or delete the file."
            )
    return metrics


def _table(path: Path) -> dict[str, Any]:
    """Read a JSON object; an empty one if there is no such file."""
    try:
        return read_json(path)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); copy the folder again.") from error
