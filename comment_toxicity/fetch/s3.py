"""A model in S3, or an S3-compatible store → its folder in a cache, hashes checked.

finetune/publish/s3.py writes this:

    PREFIX/versions/VERSION/…               the files of a model folder, never changed later
    PREFIX/versions/VERSION/manifest.json   their names, sizes and SHA-256, written after them
    PREFIX/current.json                     {"version": VERSION}, written last
    PREFIX/tags/TAG.json                    the same, for a tagged version

VERSION is the start of the manifest's SHA-256, so everything that is read can be checked.
"""

import hashlib
import json
import logging
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from comment_toxicity.disk import sha256_of
from comment_toxicity.errors import ModelError
from comment_toxicity.fetch.s3_client import (
    S3Location,
    read_small,
    s3_client,
    translating_s3_errors,
    unreachable,
)

logger = logging.getLogger(__name__)

POINTER = "current.json"
MANIFEST = "manifest.json"
VERSION = re.compile(r"[0-9a-f]{32}")
FILE_NAME = re.compile(r"\w[\w.-]*\.(json|txt|md|model|codes|onnx|safetensors)", re.ASCII)


def s3_folder(uri: str) -> Path:
    """Download a model and return its folder; what is in the cache is not downloaded again.

    Where the endpoint cannot be reached, the cached model is used, and a warning is logged.
    Raises ModelError when there is no such model, no access to it, neither network nor cache, or
    when a file is not the one in the manifest.
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError
    from huggingface_hub import cached_assets_path

    location = S3Location.parse(uri)
    with translating_s3_errors(str(location), ModelError):
        client = s3_client(anonymous=True)
        where = f"{client.meta.endpoint_url} {location.bucket} {location.prefix}"
        name = f"{location.bucket}-{hashlib.sha256(where.encode()).hexdigest()[:12]}"
        cache = Path(cached_assets_path("comment-toxicity", namespace="s3", subfolder=name))
        pointer = cache / (f"{location.revision}.tag" if location.revision else "current.version")
        if (
            location.revision
            and VERSION.fullmatch(location.revision)
            and _whole(cache / location.revision)
        ):
            return cache / location.revision
        try:
            version = _version(client, location)
            folder = cache / version
            if not _whole(folder):
                _download(client, location, version, folder)
            pointer.write_text(version, encoding="utf-8")
            return folder
        except (Boto3Error, BotoCoreError, ClientError) as error:
            if not unreachable(error):
                raise
            folder = cache / pointer.read_text(encoding="utf-8") if pointer.is_file() else pointer
            if not _whole(folder):
                raise
        logger.warning(
            "%s: %s cannot be reached; using the cached model (version %s).",
            location,
            client.meta.endpoint_url,
            folder.name[:12],
        )
        return folder


def read_pointer(client: Any, location: S3Location, *parts: str) -> tuple[str, str] | None:
    """The version that a pointer names, and the pointer's ETag; None where there is no pointer."""
    stored = read_small(client, location, *parts)
    if stored is None:
        return None
    content, etag = stored
    try:
        version = json.loads(content)["version"]
        if VERSION.fullmatch(version):
            return version, etag
    except (ValueError, KeyError, TypeError):
        pass
    raise ModelError(
        f"{location}: {'/'.join(parts)} there names no version; publish the model again."
    )


def read_manifest(client: Any, location: S3Location, version: str) -> bytes | None:
    """The manifest of a version, checked; None when there is none."""
    stored = read_small(client, location, "versions", version, MANIFEST)
    if stored is None:
        return None
    manifest, _ = stored
    if not _is_of(manifest, version):
        raise ModelError(
            f"{location}: the manifest of {version} is not the one that was published."
        )
    return manifest


def _version(client: Any, location: S3Location) -> str:
    if location.revision is None:
        pointer = read_pointer(client, location, POINTER)
        if pointer is None:
            raise ModelError(f"{location}: no model is published there ({POINTER} is missing).")
        return pointer[0]
    pointer = read_pointer(client, location, "tags", f"{location.revision}.json")
    if pointer is not None:
        return pointer[0]
    if VERSION.fullmatch(location.revision):
        return location.revision
    raise ModelError(f"{location}: the model there has no such version or tag.")


def _download(client: Any, location: S3Location, version: str, folder: Path) -> None:
    manifest = read_manifest(client, location, version)
    if manifest is None:
        raise ModelError(f"{location}: there is no version {version}.")
    part = Path(tempfile.mkdtemp(prefix="part-", dir=folder.parent))
    try:
        (part / MANIFEST).write_bytes(manifest)
        for name in _files(manifest, location):
            client.download_file(
                location.bucket, location.key("versions", version, name), part / name
            )
        broken = _broken_files(part)
        if broken:
            raise ModelError(
                f"{location}: {broken[0]} there is not the file that was published; publish the "
                "model again."
            )
        shutil.rmtree(folder, ignore_errors=True)  # a broken one
        try:
            part.rename(folder)
        except OSError:
            if not _whole(folder):  # else another process was faster
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _files(manifest: bytes, location: S3Location | Path) -> dict[str, str]:
    """Names → SHA-256; a name cannot lead out of the folder, nor be a pickle's."""
    try:
        hashes = {name: file["sha256"] for name, file in json.loads(manifest)["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{location}: its manifest cannot be read; publish the model again."
        ) from error
    unexpected = [name for name in hashes if not FILE_NAME.fullmatch(name)]
    if unexpected:
        raise ModelError(
            f"{location}: {unexpected[0]!r} does not belong in a model folder, so nothing is "
            "downloaded."
        )
    return hashes


def _broken_files(folder: Path) -> list[str]:
    """The files of the manifest that are missing or have other content."""
    hashes = _files((folder / MANIFEST).read_bytes(), folder)
    return [
        name
        for name, expected in hashes.items()
        if not (folder / name).is_file() or sha256_of(folder / name) != expected
    ]


def _whole(folder: Path) -> bool:
    try:
        manifest = (folder / MANIFEST).read_bytes()
    except OSError:
        return False
    return _is_of(manifest, folder.name) and not _broken_files(folder)


def _is_of(manifest: bytes, version: str) -> bool:
    return hashlib.sha256(manifest).hexdigest()[:32] == version
