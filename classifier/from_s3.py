"""A model on S3, or what speaks its language → its folder in a cache, hashes checked.

finetune/to_s3.py writes this:

    PREFIX/versions/VERSION/…               the files of a model folder, never changed again
    PREFIX/versions/VERSION/manifest.json   their names, sizes and SHA-256, written after them
    PREFIX/current.json                     {"version": VERSION}, written last
    PREFIX/tags/TAG.json                    the same, for a version that somebody gave a name

VERSION is the beginning of the manifest's SHA-256, so all that is read can be checked against it.
Another endpoint than Amazon's is a setting of boto3's own: AWS_ENDPOINT_URL.
"""

import functools
import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from classifier.errors import ModelError, UserError

logger = logging.getLogger(__name__)

POINTER = "current.json"
MANIFEST = "manifest.json"
VERSION = re.compile(r"[0-9a-f]{32}")
FILE_NAME = re.compile(r"\w[\w.-]*\.(json|txt|md|model|onnx|safetensors)", re.ASCII)
URI = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(?P<prefix>[^@\s]*[^@\s/])/?"
    r"(@(?P<revision>\w[\w.-]*))?"
)
SMALL = 1_000_000  # bytes; a pointer or a manifest has less
CREDENTIALS = (
    "put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws configure`, or choose "
    "a profile with AWS_PROFILE"
)


@dataclass(frozen=True)
class Place:
    """Where a model lies: s3://BUCKET/PREFIX, with @REVISION (a version or a tag) or not."""

    bucket: str
    prefix: str
    revision: str | None = None

    @classmethod
    def parse(cls, uri: str) -> Self:
        """Read the form above; ModelError when it is not of that form."""
        found = URI.fullmatch(uri)
        if not found:
            raise ModelError(f"{uri}: not of the form s3://BUCKET/PREFIX or …@REVISION.")
        return cls(found["bucket"], found["prefix"], found["revision"])

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}" + (f"@{self.revision}" if self.revision else "")

    def key(self, *parts: str) -> str:
        """Give the key of something below the prefix."""
        return "/".join([self.prefix, *parts])


def s3_folder(uri: str) -> Path:
    """Fetch a model and give its folder; what was fetched before is not fetched again.

    Where the endpoint cannot be reached, the cached model is taken, and a warning is logged.
    Raises ModelError when there is no such model, no access to it, neither network nor cache, or
    when a file is not what the manifest says.
    """
    try:
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:  # where only what the embedded models need is installed
        raise ModelError(f"{uri}: S3 needs one more package here: pip install boto3") from error
    from huggingface_hub import cached_assets_path

    place = Place.parse(uri)
    with one_sentence(str(place), ModelError):
        client = s3_client(anonymous=True)
        where = f"{client.meta.endpoint_url} {place.bucket} {place.prefix}"
        name = f"{place.bucket}-{hashlib.sha256(where.encode()).hexdigest()[:12]}"
        cache = Path(cached_assets_path("comment-toxicity", namespace="s3", subfolder=name))
        known = cache / f"{place.revision or 'current'}.version"
        if place.revision and VERSION.fullmatch(place.revision) and _whole(cache / place.revision):
            return cache / place.revision
        try:
            version = _version(client, place)
            folder = cache / version
            if not _whole(folder):
                _download(client, place, version, folder)
            known.write_text(version, encoding="utf-8")
            return folder
        except (BotoCoreError, ClientError) as error:
            if not unreachable(error):
                raise
            folder = cache / known.read_text(encoding="utf-8") if known.is_file() else known
            if not _whole(folder):
                raise
        logger.warning(
            "%s: %s cannot be reached; using what was fetched before (version %s).",
            place,
            client.meta.endpoint_url,
            folder.name[:12],
        )
        return folder


def s3_client(anonymous: bool = False) -> Any:
    """Make a boto3 client from AWS's usual settings.

    anonymous: ask unsigned where there are no credentials, as public buckets allow.
    """
    import boto3
    import botocore.session
    from botocore import UNSIGNED
    from botocore.config import Config

    session = botocore.session.get_session()
    session.register_component("data_loader", _service_descriptions())
    credentials = s3_credentials(session)
    # Checksums beyond what the protocol asks for are unknown to several S3-compatible stores, and
    # of no use here: every file has a SHA-256 of its own.
    settings: dict[str, Any] = {
        "connect_timeout": 10,
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
    }
    if anonymous and not credentials:
        settings["signature_version"] = UNSIGNED
    elsewhere = [os.environ.get(name) for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")]
    if any(elsewhere) or "endpoint_url" in session.get_scoped_config():
        settings["s3"] = {"addressing_style": "path"}  # a bucket has rarely its own host name there
    return boto3.Session(botocore_session=session).client("s3", config=Config(**settings))


def s3_credentials(session: Any) -> Any:
    """Give what AWS's usual settings have, None for nothing; ValueError where it is no key."""
    credentials = session.get_credentials()
    for part in credentials.get_frozen_credentials() if credentials else ():
        if part and not re.fullmatch(r"[\x21-\x7e]+", part):
            raise ValueError("a blank or another odd sign in the credentials")
    return credentials


@functools.cache
def _service_descriptions() -> Any:
    """Keep what botocore knows of S3's requests, which takes it half a second to read."""
    from botocore.loaders import create_loader

    return create_loader()


def read_small(client: Any, place: Place, *parts: str) -> tuple[bytes, str] | None:
    """Give a small object's content and ETag; None when there is no such object."""
    from botocore.exceptions import ClientError

    try:
        answer = client.get_object(Bucket=place.bucket, Key=place.key(*parts))
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "NoSuchBucket", "404"):
            return None
        raise
    with answer["Body"] as body:
        return body.read(SMALL), answer["ETag"]


def read_pointer(client: Any, place: Place, *parts: str) -> tuple[str, str] | None:
    """Give the version that a pointer names, and the pointer's ETag; None where there is none."""
    found = read_small(client, place, *parts)
    if found is None:
        return None
    try:
        version = json.loads(found[0])["version"]
        if VERSION.fullmatch(version):
            return version, found[1]
    except (ValueError, KeyError, TypeError):
        pass
    raise ModelError(f"{place}: {'/'.join(parts)} there names no version; publish the model anew.")


def read_manifest(client: Any, place: Place, version: str) -> bytes | None:
    """Give the manifest of a version, checked; None when there is none."""
    found = read_small(client, place, "versions", version, MANIFEST)
    if found is not None and hashlib.sha256(found[0]).hexdigest()[:32] != version:
        raise ModelError(f"{place}: the manifest of {version} is not the one that was published.")
    return found and found[0]


def _version(client: Any, place: Place) -> str:
    if place.revision is None:
        found = read_pointer(client, place, POINTER)
        if found is None:
            raise ModelError(f"{place}: no model is published there ({POINTER} is missing).")
        return found[0]
    found = read_pointer(client, place, "tags", f"{place.revision}.json")
    if found is not None:
        return found[0]
    if VERSION.fullmatch(place.revision):
        return place.revision
    raise ModelError(f"{place}: the model there has no version and no tag of this name.")


def _download(client: Any, place: Place, version: str, folder: Path) -> None:
    manifest = read_manifest(client, place, version)
    if manifest is None:
        raise ModelError(f"{place}: there is no version {version}.")
    part = Path(tempfile.mkdtemp(prefix="part-", dir=folder.parent))
    try:
        (part / MANIFEST).write_bytes(manifest)
        for name in _files(manifest, place):
            client.download_file(place.bucket, place.key("versions", version, name), part / name)
        broken = _broken_files(part)
        if broken:
            raise ModelError(
                f"{place}: {broken[0]} there is not the file that was published; publish it anew."
            )
        shutil.rmtree(folder, ignore_errors=True)  # a broken one
        try:
            part.rename(folder)
        except OSError:
            if not _whole(folder):  # else another process was quicker
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _files(manifest: bytes, place: Place | Path) -> dict[str, str]:
    """Read the names and hashes; a name cannot lead out of the folder, nor be a pickle's."""
    try:
        hashes = {name: file["sha256"] for name, file in json.loads(manifest)["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{place}: its manifest cannot be read; publish the model anew."
        ) from error
    foreign = [name for name in hashes if not FILE_NAME.fullmatch(name)]
    if foreign:
        raise ModelError(f"{place}: {foreign[0]!r} is no file of a model folder, so none is taken.")
    return hashes


def _broken_files(folder: Path) -> list[str]:
    """Name the files of the manifest that are missing or have another content."""

    def found(path: Path) -> str:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    hashes = _files((folder / MANIFEST).read_bytes(), folder)
    return [
        name
        for name, expected in hashes.items()
        if not (folder / name).is_file() or found(folder / name) != expected
    ]


def _whole(folder: Path) -> bool:
    return (folder / MANIFEST).is_file() and not _broken_files(folder)


def unreachable(error: Exception) -> bool:
    """Whether nobody answers, or nothing of use, and not: somebody refuses."""
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

    if isinstance(error, ClientError):
        return error.response["ResponseMetadata"].get("HTTPStatusCode", 0) >= 500
    return isinstance(error, ConnectionError | HTTPClientError)


@contextmanager
def one_sentence(where: str, kind: type[UserError]) -> Iterator[None]:
    """Turn whatever boto3 raises into an error of this kind and one sentence, without secrets."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        NoCredentialsError,
        ParamValidationError,
        PartialCredentialsError,
    )

    try:
        yield
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise kind(
            f"{where}: there are no AWS credentials, or half of them; {CREDENTIALS}."
        ) from error
    except ParamValidationError as error:
        raise kind(f"{where}: S3 allows no such bucket name.") from error
    except (ClientError, Boto3Error) as error:
        raise kind(f"{where}: {_reason(error)}.") from error
    except BotoCoreError as error:
        if unreachable(error):
            raise kind(
                f"{where}: the endpoint cannot be reached ({type(error).__name__}); try again "
                "with a network, or set AWS_ENDPOINT_URL to the right one."
            ) from error
        # Profiles, regions, single sign-on: it says well what is wrong.
        raise kind(f"{where}: {str(error).rstrip('.')}.") from error
    except OSError as error:
        raise kind(
            f"{where}: {error.filename or 'a file'} cannot be read or written "
            f"({error.strerror or error}); make room, or set HF_HOME to a folder that can be "
            "written."
        ) from error
    except ValueError as error:
        raise kind(
            f"{where}: the AWS settings cannot be used ({str(error).split(':')[0]}); mend "
            f"AWS_ENDPOINT_URL, or, as to credentials, {CREDENTIALS}."
        ) from error


def _reason(error: Exception) -> str:
    """Say what S3 refuses, and what to do."""
    cause = error
    while not hasattr(cause, "response") and (cause.__cause__ or cause.__context__):
        cause = cause.__cause__ or cause.__context__  # type: ignore[assignment]
    answer = getattr(cause, "response", {})
    code = answer.get("Error", {}).get("Code", type(error).__name__)
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken"):
        return f"the endpoint does not accept the AWS credentials here ({code}); {CREDENTIALS}"
    if code in ("AccessDenied", "AllAccessDisabled", "403") or status == 403:
        return (
            f"access is denied ({code}): reading needs s3:GetObject and s3:ListBucket, publishing "
            "s3:PutObject too, and s3:CreateBucket for a new bucket. If there are no AWS "
            f"credentials here yet, {CREDENTIALS}"
        )
    if code in ("PermanentRedirect", "301", "IllegalLocationConstraintException"):
        return f"the bucket is in another region ({code}); set AWS_REGION to it"
    if code == "BucketAlreadyExists":
        return "a bucket of this name belongs to somebody else; choose another name"
    if code == "NoSuchBucket":
        return "there is no such bucket"
    return f"the endpoint answers with {code}" + (f" ({status})" if status else "")
