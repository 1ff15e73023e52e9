"""The files of a model folder that are published, with sizes and hashes, and the card for there."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from classifier.errors import ModelError
from classifier.folder import ModelFolder

from .card import render_card, usage

MODEL_FILES = re.compile(
    r"(config|tokenizer|tokenizer_config|special_tokens_map|vocab|merges|added_tokens|decision|"
    r"metrics|audit|run)\.json|(vocab|merges)\.txt|[\w.-]+\.model|README\.md|model\.onnx|"
    r"model(-\d+-of-\d+)?\.safetensors|model\.safetensors\.index\.json"
)
"""What a model folder can consist of; nothing else is uploaded, pickles least of all."""

USAGE = re.compile(r"(?ms)^## How to use it\n.*?(?=^## |\Z)")


@dataclass(frozen=True)
class File:
    """A file to be published; content is None where it is on disk as it is to be."""

    name: str
    path: Path
    size: int
    sha256: str
    content: bytes | None = None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Measure the file at `path`."""
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return cls(path.name, path, path.stat().st_size, digest)

    @classmethod
    def of(cls, path: Path, text: str) -> Self:
        """Take the file's name from `path`, and its content from `text`."""
        content = text.encode()
        return cls(path.name, path, len(content), hashlib.sha256(content).hexdigest(), content)

    def git_hash(self) -> str:
        """Give the name that git, and so the Hub, has for the content of a small file."""
        content = self.path.read_bytes() if self.content is None else self.content
        header = b"blob %d\0" % len(content)
        return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Bundle:
    """A model folder, ready to be published under `name`, as load_classifier takes it.

    left_out: files of the folder that are not uploaded.
    """

    name: str
    labels: list[str]
    files: list[File]
    left_out: list[str]
    metrics: dict[str, Any]

    @classmethod
    def read(cls, folder: Path, name: str) -> Self:
        """Read and check the folder. ModelError when it is not whole, or holds pickles alone."""
        read = ModelFolder.read(folder)
        if read.weights.suffix == ".bin":
            raise ModelError(
                f"{folder}: its weights are a pickle ({read.weights.name}), which is not "
                "published; save them as safetensors with transformers' save_pretrained."
            )
        paths = sorted(path for path in folder.iterdir() if path.is_file())
        kept = [path for path in paths if MODEL_FILES.fullmatch(path.name)]
        texts = dict(_texts(folder, name))
        files = [
            File.of(path, texts[path.name]) if path.name in texts else File.read(path)
            for path in kept
            if path.name != "README.md"
        ]
        files.append(File.of(folder / "README.md", texts["README.md"]))
        return cls(
            name=name,
            labels=read.labels,
            files=files,
            left_out=[path.name for path in paths if path not in kept],
            metrics=_table(folder / "metrics.json"),
        )

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def plain(self) -> bool:
        """Whether transformers, and what is built on it, can load the model without this code."""
        return any(file.name.endswith(".safetensors") for file in self.files)

    def table(self) -> str:
        """Give a line for each file and one for all of them."""
        lines = [f"   {file.size:>13,}  {file.name}" for file in self.files]
        return "\n".join([*lines, f"   {self.size:>13,}  bytes in {len(self.files)} files"])


def _texts(folder: Path, name: str) -> Iterator[tuple[str, str]]:
    """Give the files that read differently there: the card, and the record of the run.

    Of absolute paths they keep the last part: the others are about this machine and its user.
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
            texts = {file: text.replace(path, Path(path).name) for file, text in texts.items()}
    yield from texts.items()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); copy the folder anew.") from error


def _table(path: Path) -> dict[str, Any]:
    """Read a JSON object; an empty one where there is no such file."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(_text(path))
    except ValueError as error:
        raise ModelError(f"{path}: not JSON ({error}); copy the folder anew.") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path}: not a JSON object; copy the folder anew.")
    return content
