"""A model's name → its folder on disk."""

import re
from pathlib import Path

from comment_toxicity.errors import ModelError

ROOT = Path(__file__).resolve().parents[2]
EMBEDDED = "toxic-minilm"

HUB_ID = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+?)(@(?P<revision>[\w./-]+))?")


def available_models() -> list[str]:
    """List what can be picked by name: the embedded model first, then models/ and runs/."""
    names = {path.parent.name for path in (ROOT / "models").glob("*/config.json")}
    runs = {f"runs/{path.parent.parent.name}" for path in ROOT.glob("runs/*/model/config.json")}
    return [name for name in (EMBEDDED,) if name in names] + sorted((names - {EMBEDDED}) | runs)


def find_model(name: str) -> Path:
    """Find the model folder that `name` means.

    name: a name from available_models(); or the path of a model folder, or of a run's folder; or
    a Hub id such as "unitary/toxic-bert", with "@" and a branch, tag or commit after it or not; or
    s3://bucket/prefix, with "@" and a version or tag after it or not. What has to be downloaded is
    kept in a cache.
    Raises ModelError with the names there are when nothing is found.
    """
    if name.startswith("s3://"):
        from comment_toxicity.fetch.s3 import s3_folder

        return s3_folder(name)
    try:
        for folder in (ROOT / "models" / name, Path(name).expanduser(), ROOT / name):
            if (folder / "model" / "config.json").is_file():
                return folder / "model"
            if name and folder.is_dir():
                return folder
    except (OSError, RuntimeError) as error:  # RuntimeError: the home of a user that is not there
        raise ModelError(f"No model {name!r}: its folder cannot be read ({error}).") from error
    hub_id = HUB_ID.fullmatch(name)
    if hub_id and name.split("/")[0] not in {"runs", "models", ".", ".."}:
        from comment_toxicity.fetch.hub import hub_folder

        return hub_folder(hub_id["repo"], hub_id["revision"])
    raise ModelError(
        f"No model {name!r}. There are: {', '.join(available_models()) or 'none'}; "
        "the path of a model folder, a Hub id (owner/name, owner/name@revision) or "
        "s3://bucket/prefix will do too."
    )
