"""A model on the Hugging Face Hub → its folder in the Hub's cache, at one commit, hashes checked.

All files come from the commit that the branch or tag names now, or, where the Hub cannot be
reached, from the last one that was downloaded whole: never from two commits.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from comment_toxicity.decision import FILE_NAME as DECISION_FILE
from comment_toxicity.disk import git_hash_of, read_json, sha256_of
from comment_toxicity.errors import ModelError
from comment_toxicity.folder import WEIGHT_FILES

logger = logging.getLogger(__name__)

# Only the top level of a repository: exports to other frameworks are in folders.
SMALL_FILES = ["README.md", "*.json", "*.txt", "*.model", "*.codes"]
# In order of preference. Large weights are in several files, which the index lists.
WEIGHT_PATTERNS = ["model.onnx", "model*.safetensors", "pytorch_model*.bin"]
COMMIT = re.compile(r"[0-9a-f]{40}")


def hub_folder(repo: str, revision: str | None = None) -> Path:
    """Download a model and return its folder; files in the cache are not downloaded again.

    repo: owner/name.  revision: a branch, tag or commit; None is the branch main.
    Where the Hub cannot be reached, the cached model is used, and a warning is logged.
    Raises ModelError when there is no such model, no access to it, neither network nor cache,
    or when a file is not the one on the Hub.
    """
    with hub_errors(repo, revision):
        commit = _commit(repo, revision)
        cached = commit is None
        folder = _fetch(repo, commit or revision, cached)
        broken = _broken_files(folder)
        if broken and not cached:
            for path in broken:
                path.resolve().unlink()
            folder = _fetch(repo, commit, cached)
            broken = _broken_files(folder)
        if commit not in (None, revision) and not broken:
            # Only now does the cache record the name: offline, the model must be complete.
            _download(repo, revision, SMALL_FILES)
    if broken:
        raise ModelError(
            f"{broken[0]}: not the file that is on the Hub; delete {broken[0].resolve()} and load "
            "the model again while online."
        )
    if cached:
        logger.warning(
            "%s: the Hub cannot be reached; using the cached model (commit %s).",
            f"{repo}@{revision}" if revision else repo,
            folder.name[:12],
        )
    return folder


def _commit(repo: str, revision: str | None) -> str | None:
    """The commit that the revision names now; None when the Hub does not answer properly."""
    from httpx2 import TransportError
    from huggingface_hub import HfApi, errors

    if revision and COMMIT.fullmatch(revision):
        return revision  # never changes, so there is no need to ask
    try:
        return HfApi().model_info(repo, revision=revision, timeout=10).sha
    except (TransportError, errors.OfflineModeIsEnabled):
        return None
    except errors.HfHubHTTPError as error:
        if error.response.status_code == 429 or error.response.status_code >= 500:
            return None
        raise


def _fetch(repo: str, revision: str | None, cached: bool) -> Path:
    folder = _download(repo, revision, SMALL_FILES, cached)
    named = _named_weights(folder)
    for pattern in [named] if named else WEIGHT_PATTERNS:
        # By commit, which is the folder's name: the branch can move in between.
        folder = _download(repo, folder.name, [*SMALL_FILES, pattern], cached)
        if any(folder.glob(pattern)):
            break
    return folder


def _download(repo: str, revision: str | None, patterns: list[str], cached: bool = False) -> Path:
    from huggingface_hub import snapshot_download

    folder = snapshot_download(
        repo,
        revision=revision,
        allow_patterns=patterns,
        ignore_patterns=["*/*"],
        local_files_only=cached,
    )
    return Path(folder)


def _named_weights(folder: Path) -> str | None:
    """The weights that decision.json belongs to: the others need not be downloaded."""
    try:
        name = read_json(folder / DECISION_FILE)["weights"]["file"]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # if it is broken, reading the folder reports it
    return name if name in WEIGHT_FILES else None


def _broken_files(folder: Path) -> list[Path]:
    """The files whose content is not what it was on the Hub.

    The cache keeps contents under their hashes, SHA-256 for large files and git's for others, and
    links to them by name. On a disk without links there is no such hash; the weights are still
    checked against the one in decision.json.
    """
    broken = []
    for path in folder.iterdir():
        blob = path.resolve()
        if re.fullmatch(r"[0-9a-f]{64}", blob.name):
            digest = sha256_of(blob)
        elif re.fullmatch(r"[0-9a-f]{40}", blob.name):
            digest = git_hash_of(blob.read_bytes())
        else:
            continue
        if digest != blob.name:
            broken.append(path)
    return broken


@contextmanager
def hub_errors(repo: str, revision: str | None) -> Iterator[None]:
    """Turn whatever the Hub's client raises into a one-sentence ModelError."""
    from httpx2 import HTTPError
    from huggingface_hub import constants, errors

    model = f"{repo}@{revision}" if revision else repo
    try:
        yield
    except errors.GatedRepoError as error:
        raise ModelError(
            f"{model}: its owner grants access on request only; ask for it on "
            f"https://huggingface.co/{repo}, then log in with `hf auth login`."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ModelError(f"{model}: the model {repo} has no such revision.") from error
    except errors.RepositoryNotFoundError as error:
        raise ModelError(
            f"{model}: no such model on the Hub, or a private one, which needs a token: set "
            "HF_TOKEN or run `hf auth login`."
        ) from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        advice = (
            "renew the token in HF_TOKEN or run `hf auth login`"
            if status in (401, 403)
            else "try again later"
        )
        raise ModelError(f"{model}: the Hub answers with {status}; {advice}.") from error
    except errors.HFValidationError as error:
        raise ModelError(f"{model}: not a Hub id of the form owner/name.") from error
    except (HTTPError, ConnectionError, errors.EntryNotFoundError) as error:
        raise ModelError(
            f"{model}: the Hub cannot be reached, and the cache does not hold the whole model; "
            "connect to the network, or give the path of a model folder."
        ) from error
    except OSError as error:
        raise ModelError(
            f"{model}: cannot be written to {constants.HF_HUB_CACHE} ({error.strerror or error}); "
            "free some space, or set HF_HOME to a writable folder."
        ) from error
