"""S3 or an S3-compatible store: locations of models, a client, and messages for its errors.

For another endpoint than Amazon's, set boto3's own AWS_ENDPOINT_URL.
"""

import functools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from comment_toxicity.errors import ModelError, UserError

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
class S3Location:
    """Where a model is: s3://BUCKET/PREFIX, with or without @REVISION (a version or a tag)."""

    bucket: str
    prefix: str
    revision: str | None = None

    @classmethod
    def parse(cls, uri: str) -> Self:
        """Parse the form above. Raises ModelError for any other."""
        match = URI.fullmatch(uri)
        if not match:
            raise ModelError(f"{uri}: not of the form s3://BUCKET/PREFIX or …@REVISION.")
        return cls(match["bucket"], match["prefix"], match["revision"])

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}" + (f"@{self.revision}" if self.revision else "")

    def key(self, *parts: str) -> str:
        """The key of an object below the prefix."""
        return "/".join([self.prefix, *parts])


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
    # Several S3-compatible stores reject checksums beyond those the protocol requires. They are not
    # needed here: every file has a SHA-256 of its own.
    settings: dict[str, Any] = {
        "connect_timeout": 10,
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
    }
    if anonymous and not credentials:
        settings["signature_version"] = UNSIGNED
    elsewhere = [os.environ.get(name) for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")]
    if any(elsewhere) or "endpoint_url" in session.get_scoped_config():
        settings["s3"] = {"addressing_style": "path"}  # a bucket rarely has its own host name there
    return boto3.Session(botocore_session=session).client("s3", config=Config(**settings))


def s3_credentials(session: Any) -> Any:
    """The credentials in AWS's usual settings, or None. Raises ValueError for malformed ones."""
    credentials = session.get_credentials()
    for part in credentials.get_frozen_credentials() if credentials else ():
        if part and not re.fullmatch(r"[\x21-\x7e]+", part):
            raise ValueError("a blank or another odd character in the credentials")
    return credentials


@functools.cache
def _service_descriptions() -> Any:
    """Botocore's descriptions of S3's requests, kept: they take half a second to read."""
    from botocore.loaders import create_loader

    return create_loader()


def read_small(client: Any, location: S3Location, *parts: str) -> tuple[bytes, str] | None:
    """A small object's content and ETag; None when there is no such object."""
    from botocore.exceptions import ClientError

    try:
        answer = client.get_object(Bucket=location.bucket, Key=location.key(*parts))
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "NoSuchBucket", "404"):
            return None
        raise
    with answer["Body"] as body:
        return body.read(SMALL), answer["ETag"]


def unreachable(error: Exception) -> bool:
    """Whether the endpoint did not answer properly, rather than refuse."""
    from boto3.exceptions import RetriesExceededError
    from botocore.exceptions import (
        ClientError,
        ConnectionError,
        HTTPClientError,
        IncompleteReadError,
    )

    if isinstance(error, ClientError):
        return error.response["ResponseMetadata"].get("HTTPStatusCode", 0) >= 500
    broken = ConnectionError | HTTPClientError | IncompleteReadError | RetriesExceededError
    return isinstance(error, broken)


@contextmanager
def translating_s3_errors(where: str, error_type: type[UserError]) -> Iterator[None]:
    """Turn whatever boto3 raises into one sentence of the given type, without secrets."""
    from boto3.exceptions import Boto3Error, RetriesExceededError
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
        raise error_type(
            f"{where}: the AWS credentials are missing or incomplete; {CREDENTIALS}."
        ) from error
    except ParamValidationError as error:
        raise error_type(f"{where}: S3 does not allow this bucket name.") from error
    except (BotoCoreError, RetriesExceededError) as error:
        if unreachable(error):
            raise error_type(
                f"{where}: the endpoint cannot be reached ({type(error).__name__}); check the "
                "network, or set AWS_ENDPOINT_URL to the right one."
            ) from error
        # Profiles, regions, single sign-on: it says well what is wrong.
        raise error_type(f"{where}: {str(error).rstrip('.')}.") from error
    except (ClientError, Boto3Error) as error:
        raise error_type(f"{where}: {_reason(error)}.") from error
    except OSError as error:
        raise error_type(
            f"{where}: {error.filename or 'a file'} cannot be read or written "
            f"({error.strerror or error}); free some space, or set HF_HOME to a writable folder."
        ) from error
    except ValueError as error:
        raise error_type(
            f"{where}: the AWS settings cannot be used ({str(error).split(':')[0]}); fix "
            f"AWS_ENDPOINT_URL, or, for credentials, {CREDENTIALS}."
        ) from error


def _reason(error: Exception) -> str:
    """What S3 refused, and what to do."""
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
        return "a bucket of this name belongs to someone else; choose another name"
    if code == "NoSuchBucket":
        return "there is no such bucket"
    return f"the endpoint answers with {code}" + (f" ({status})" if status else "")
