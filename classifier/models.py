"""A model's name → its folder on disk."""

import re
from pathlib import Path

from classifier.errors import ModelError

ROOT = Path(__file__).resolve().parent.parent
EMBEDDED = "toxic-minilm"

HUB_ID = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+?)(@(?P<revision>[\w./-]+))?")
# Of a repository, its top level only: exports to other frameworks lie in folders.
HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors", "model.onnx"]


def available_models() -> list[str]:
    """List what can be picked by name: the embedded model first, then models/ and runs/."""
    names = {path.parent.name for path in (ROOT / "models").glob("*/config.json")}
    runs = {f"runs/{path.parent.parent.name}" for path in ROOT.glob("runs/*/model/config.json")}
    return [name for name in (EMBEDDED,) if name in names] + sorted((names - {EMBEDDED}) | runs)


def find_model(name: str) -> Path:
    """Find the model folder that `name` means.

    name: a name from available_models(); or the path of a model folder, or of a run's folder; or
    a Hub id such as "unitary/toxic-bert", with "@" and a branch, tag or commit after it or not,
    which is downloaded once and kept in the Hub's cache.
    Raises ModelError with the names there are when nothing is found.
    """
    for folder in (ROOT / "models" / name, Path(name).expanduser(), ROOT / name):
        if (folder / "model" / "config.json").is_file():
            return folder / "model"
        if name and folder.is_dir():
            return folder
    hub_id = HUB_ID.fullmatch(name)
    if hub_id and name.split("/")[0] not in {"runs", "models", ".", ".."}:
        return _download(hub_id["repo"], hub_id["revision"])
    raise ModelError(
        f"No model {name!r}. There are: {', '.join(available_models()) or 'none'}; "
        "the path of a model folder or a Hub id (owner/name, owner/name@revision) will do too."
    )


def _download(repo: str, revision: str | None) -> Path:
    from huggingface_hub import errors, snapshot_download

    def fetch(patterns: list[str]) -> Path:
        return Path(
            snapshot_download(
                repo, revision=revision, allow_patterns=patterns, ignore_patterns=["*/*"]
            )
        )

    wanted = f"{repo}@{revision}" if revision else repo
    try:
        folder = fetch(HUB_FILES)
        if not any(folder.glob("*.safetensors")) and not (folder / "model.onnx").is_file():
            folder = fetch([*HUB_FILES, "pytorch_model*.bin"])
    except errors.GatedRepoError as error:
        raise ModelError(
            f"{wanted}: its owner gives access on request only; ask for it on "
            f"https://huggingface.co/{repo}, then log in with `hf auth login`."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ModelError(f"{wanted}: the model {repo} has no such revision.") from error
    except errors.RepositoryNotFoundError as error:
        raise ModelError(
            f"{wanted}: no such model on the Hub, or a private one. Here there are: "
            f"{', '.join(available_models()) or 'none'}."
        ) from error
    except errors.HFValidationError as error:
        raise ModelError(f"{wanted}: not a Hub id of the form owner/name.") from error
    except OSError as error:  # no network, or offline by setting, and nothing in the cache
        raise ModelError(
            f"{wanted}: the Hub cannot be reached and this model was not downloaded before; "
            "connect to the network, or give the path of a model folder."
        ) from error
    return folder
