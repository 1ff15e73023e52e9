"""A model's name → its folder on disk.

Models are looked for, in this order,

    inside the installed package, which carries the embedded model; a checkout, which is not
        installed, keeps its models/ and runs/ beside the package
    in models/ and runs/ of the working folder
    in the folders that COMMENT_TOXICITY_MODELS lists

A folder can lack the weights that its decision.json names, where they are too large for a
repository. They are fetched from where COMMENT_TOXICITY_WEIGHTS says, and checked by their hash.
"""

import os
import re
from importlib.resources import files
from pathlib import Path

from comment_toxicity.decision import Decision
from comment_toxicity.disk import read_json
from comment_toxicity.errors import ModelError
from comment_toxicity.extras import needed_for
from comment_toxicity.folder import WEIGHT_FILES

EMBEDDED = "toxic-minilm"
MODELS_VARIABLE = "COMMENT_TOXICITY_MODELS"
"""Environment: more folders of model folders, separated as in PATH."""

WEIGHTS_VARIABLE = "COMMENT_TOXICITY_WEIGHTS"
"""Environment: where weights are that a model folder lacks: hub:OWNER or s3://bucket/prefix."""

HUB_ID = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+?)(@(?P<revision>[\w./-]+))?")


def project_folders() -> list[Path]:
    """The folders whose models/ and runs/ are searched: a checkout's root, the working folder."""
    package = _package()
    installed = (package / "models").is_dir()
    return list(dict.fromkeys([*([] if installed else [package.parent]), Path.cwd()]))


def available_models() -> list[str]:
    """The models that can be picked by name: the embedded one first, then the others, sorted."""
    configs = [path for folder in _model_folders() for path in folder.glob("*/config.json")]
    names = {path.parent.name for path in configs}
    runs = {
        f"runs/{path.parent.parent.name}"
        for folder in project_folders()
        for path in folder.glob("runs/*/model/config.json")
    }
    return [name for name in (EMBEDDED,) if name in names] + sorted((names - {EMBEDDED}) | runs)


def local_model(name: str) -> Path | None:
    """The folder on this machine that `name` means, if there is one.

    Raises ModelError when a folder cannot be read.
    """
    folders = [folder / name for folder in _model_folders()]
    try:
        folders += [Path(name).expanduser(), *(folder / name for folder in project_folders())]
        for folder in folders:
            if (folder / "model" / "config.json").is_file():
                return folder / "model"
            if name and folder.is_dir():
                return folder
    except (OSError, RuntimeError) as error:  # RuntimeError: the home of an unknown user
        raise ModelError(f"No model {name!r}: its folder cannot be read ({error}).") from error
    return None


def lacks_weights(folder: Path) -> str:
    """The weight file that decision.json names and the folder lacks; empty for other folders."""
    try:
        named = read_json(folder / "decision.json")["weights"]["file"]
        lacking = named in WEIGHT_FILES and not (folder / named).is_file()
        return str(named) if lacking else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""  # reading the folder reports it


def find_model(name: str) -> Path:
    """Find the model folder that `name` means; one that has to be downloaded is kept in a cache.

    name: a name from available_models(); the path of a model folder, or of a run's folder; a Hub
    id such as "unitary/toxic-bert", with or without "@" and a branch, tag or commit; or
    s3://bucket/prefix, with or without "@" and a version or tag.
    Raises ModelError, which lists the available names, when nothing is found.
    """
    folder = None if name.startswith("s3://") else local_model(name)
    if folder is not None:
        return _whole(folder)
    if name.startswith("s3://"):
        with needed_for("A model in S3", "comment-toxicity[s3]", ModelError):
            import boto3  # noqa: F401
            import huggingface_hub

        from comment_toxicity.fetch.s3 import s3_folder

        return s3_folder(name)
    hub_id = HUB_ID.fullmatch(name)
    if hub_id and name.split("/")[0] not in {"runs", "models", ".", ".."}:
        with needed_for("A model on the Hub", "comment-toxicity[hub]", ModelError):
            import huggingface_hub  # noqa: F401

        from comment_toxicity.fetch.hub import hub_folder

        return hub_folder(hub_id["repo"], hub_id["revision"])
    raise ModelError(
        f"No model {name!r}. There are: {', '.join(available_models()) or 'none'}; "
        "or give the path of a model folder, a Hub id (owner/name, owner/name@revision) or "
        "s3://bucket/prefix."
    )


def _whole(folder: Path) -> Path:
    """The folder, or where its weights are missing, the same model as it is published."""
    missing = lacks_weights(folder)
    if not missing:
        return folder
    expected = Decision.load(folder).weights
    origin = os.environ.get(WEIGHTS_VARIABLE, "").strip().rstrip("/")
    if not origin:
        raise ModelError(
            f"{folder}: its weights, {missing}, are not there; copy the file into it, or set "
            f"{WEIGHTS_VARIABLE} to where the model is published, as hub:OWNER or s3://bucket/prefix."
        )
    if origin.startswith("hub:"):
        published = find_model(f"{origin.removeprefix('hub:')}/{folder.name}")
    else:
        published = find_model(f"{origin}/{folder.name}")
    found = Decision.load(published).weights
    if found != expected:
        raise ModelError(
            f"{origin}/{folder.name}: has other weights than {folder} expects; take the model of "
            "the same version."
        )
    return published


def _package() -> Path:
    return Path(str(files("comment_toxicity")))


def _model_folders() -> list[Path]:
    """The folders of model folders. ModelError for one in the home of an unknown user."""
    listed = os.environ.get(MODELS_VARIABLE, "").split(os.pathsep)
    try:
        return [
            _package() / "models",
            *(folder / "models" for folder in project_folders()),
            *(Path(folder).expanduser() for folder in listed if folder),
        ]
    except RuntimeError as error:
        raise ModelError(
            f"{MODELS_VARIABLE} lists a folder that cannot be found ({error}); correct it."
        ) from error
