"""A model on the Hugging Face Hub → its folder in the Hub's cache, at one commit, hashes checked.

All files come from the commit that the branch or tag names now, or, where the Hub cannot be
reached, from the last one that was fetched whole: never from two commits.
"""

import hashlib
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from comment_toxicity.decision import FILE_NAME as DECISION_FILE
from comment_toxicity.disk import read_json, sha256_of
from comment_toxicity.errors import ModelError
from comment_toxicity.folder import WEIGHT_FILES

logger = logging.getLogger(__name__)

# Of a repository, its top level only: exports to other frameworks lie in folders.
SMALL_FILES = ["README.md", "*.json", "*.txt", "*.model", "*.codes"]
# Best first. Large weights lie in several files; which, says the index, a small file.
WEIGHT_PATTERNS = ["model.onnx", "model*.safetensors", "pytorch_model*.bin"]
COMMIT = re.compile(r"[0-9a-f]{40}")


def hub_folder(repo: str, revision: str | None = None) -> Path:
    """Fetch a model and give its folder; what was fetched before is not fetched again.

    repo: owner/name.  revision: a branch, tag or commit; None is the branch main.
    Where the Hub cannot be reached, the cached model is taken, and a warning is logged.
    Raises ModelError when there is no such model, no access to it, neither network nor cache,
    or when a file is not what the Hub has under its name.
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
            # The cache learns only now what the name means: without a network it has to be whole.
            _download(repo, revision, SMALL_FILES)
    if broken:
        raise ModelError(
            f"{broken[0]}: not the file that the Hub has under this name; delete "
            f"{broken[0].resolve()} and load the model again, with a network."
        )
    if cached:
        logger.warning(
            "%s: the Hub cannot be reached; using what was fetched before (commit %s).",
            f"{repo}@{revision}" if revision else repo,
            folder.name[:12],
        )
    return folder


def _commit(repo: str, revision: str | None) -> str | None:
    """Ask which commit the revision names now; None when nobody answers, or nothing of use."""
    from httpx2 import TransportError
    from huggingface_hub import HfApi, errors

    if revision and COMMIT.fullmatch(revision):
        return revision  # means the same for ever, so nobody has to be asked
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
        # By commit, which is the folder's name: the branch can move on meanwhile.
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
    """Tell which weights decision.json is for: the others need not be fetched."""
    try:
        name = read_json(folder / DECISION_FILE)["weights"]["file"]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # if it is broken, reading the folder says so
    return name if name in WEIGHT_FILES else None


def _broken_files(folder: Path) -> list[Path]:
    """Name the files whose content is not what it was on the Hub.

    The cache keeps contents under their hashes, SHA-256 for large files and git's for others, and
    links to them by name. On a disk without links there is no such hash; the weights are still
    compared with the one in decision.json.
    """
    broken = []
    for path in folder.iterdir():
        blob = path.resolve()
        if re.fullmatch(r"[0-9a-f]{64}", blob.name):
            found = sha256_of(blob)
        elif re.fullmatch(r"[0-9a-f]{40}", blob.name):
            content = blob.read_bytes()
            header = b"blob %d\0" % len(content)
            found = hashlib.sha1(header + content, usedforsecurity=False).hexdigest()
        else:
            continue
        if found != blob.name:
            broken.append(path)
    return broken


@contextmanager
def hub_errors(repo: str, revision: str | None) -> Iterator[None]:
    """Turn whatever the Hub's client raises into a ModelError of one sentence."""
    from httpx2 import HTTPError
    from huggingface_hub import constants, errors

    wanted = f"{repo}@{revision}" if revision else repo
    try:
        yield
    except errors.GatedRepoError as error:
        raise ModelError(
            f"{wanted}: its owner gives access on request only; ask for it on "
            f"https://huggingface.co/{repo}, then log in with `hf auth login`."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ModelError(f"{wanted}: the model {repo} has no such revision.") from error
    except errors.RepositoryNotFoundError as error:
        raise ModelError(
            f"{wanted}: no such model on the Hub, or a private one, which needs a token: set "
            "HF_TOKEN or run `hf auth login`."
        ) from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        advice = (
            "renew the token in HF_TOKEN or run `hf auth login`"
            if status in (401, 403)
            else "try again later"
        )
        raise ModelError(f"{wanted}: the Hub answers with {status}; {advice}.") from error
    except errors.HFValidationError as error:
        raise ModelError(f"{wanted}: not a Hub id of the form owner/name.") from error
    except (HTTPError, ConnectionError, errors.EntryNotFoundError) as error:
        raise ModelError(
            f"{wanted}: the Hub cannot be reached and this model was not downloaded whole before; "
            "connect to the network, or give the path of a model folder."
        ) from error
    except OSError as error:
        raise ModelError(
            f"{wanted}: cannot be kept in {constants.HF_HUB_CACHE} ({error.strerror or error}); "
            "make room, or set HF_HOME to a folder that can be written."
        ) from error
