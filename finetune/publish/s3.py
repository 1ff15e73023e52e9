"""A model folder → S3, or an S3-compatible store: a new version, and then a pointer to it.

comment_toxicity/fetch/s3.py has the layout. Readers follow the pointer, so they get the old model
until the whole new one is there. The pointer is replaced only if it has not changed since the
conditions were checked. Where a store cannot do that, the last to publish wins, with a whole model.
"""

import functools
import json
import time
from typing import Any

from comment_toxicity.errors import PublishError
from comment_toxicity.fetch.s3 import MANIFEST, POINTER, read_pointer
from comment_toxicity.fetch.s3_client import (
    CREDENTIALS,
    S3Location,
    read_small,
    s3_client,
    s3_credentials,
    translating_s3_errors,
)
from finetune.publish.bundle import METRIC_FILES, Bundle, File
from finetune.publish.target import Changed, Published

CONFLICTS = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
ATTEMPTS = 5
UNKNOWN_CONDITION = ("NotImplemented", "501")


class S3Target:
    """s3://BUCKET/PREFIX. A bucket that does not exist is created, private by S3's default."""

    def __init__(self, uri: str):
        self.location = S3Location.parse(uri)
        if self.location.revision:
            raise PublishError(f"{uri}: a version is named after its content; leave out the @.")
        self.name = self.label = str(self.location)

    @functools.cached_property
    def client(self) -> Any:
        """A boto3 client."""
        return s3_client()

    def check(self) -> str:
        """Return who publishes. Raises PublishError if there are no credentials."""
        import botocore.session

        with translating_s3_errors(self.label, PublishError):
            credentials = s3_credentials(botocore.session.get_session())
        if credentials is None:
            raise PublishError(f"{self.label}: there are no AWS credentials; {CREDENTIALS}.")
        return f"the AWS credentials from {credentials.method}"

    def published(self) -> Published | None:
        """Return what readers get now; None if there is no bucket, or no model in it."""
        with translating_s3_errors(self.label, PublishError):
            client = self.client
            pointer = read_pointer(client, self.location, POINTER)
            if pointer is None:
                return None
            version, etag = pointer
            files = {
                name: read_small(client, self.location, "versions", version, name)
                for name in METRIC_FILES
            }
        return Published.read(etag, {name: file[0] for name, file in files.items() if file})

    def upload(
        self, bundle: Bundle, before: Published | None, message: str, tags: list[str]
    ) -> str:
        """Publish, and return the version; see Target."""
        manifest = json.dumps(
            {
                "message": message,
                "files": {
                    file.name: {"size": file.size, "sha256": file.sha256} for file in bundle.files
                },
            },
            indent=2,
        )
        listing = File.of(bundle.files[0].path.with_name(MANIFEST), manifest)
        version = listing.sha256[:32]
        with translating_s3_errors(self.label, PublishError):
            client = self.client
            self._make_bucket(client)
            new_tags = [tag for tag in tags if not self._tag_exists(client, tag, version)]
            for file in (*bundle.files, listing):
                self._send(client, version, file)
            current = read_pointer(client, self.location, POINTER)
            if (current and current[1]) != (before and before.state):
                raise Changed
            if current is None or current[0] != version:
                condition = {"IfMatch": current[1]} if current else {"IfNoneMatch": "*"}
                self._point(client, (POINTER,), version, condition)
            for tag in new_tags:
                self._point(client, ("tags", f"{tag}.json"), version, {"IfNoneMatch": "*"})
        return version

    def _make_bucket(self, client: Any) -> None:
        from botocore.exceptions import ClientError

        try:
            client.head_bucket(Bucket=self.location.bucket)
            return
        except ClientError as error:
            if _code(error) not in ("404", "NoSuchBucket"):
                return  # it exists, or the next request will say what is wrong
        region = client.meta.region_name
        location: dict[str, Any] = {}
        if region not in (None, "us-east-1", "aws-global"):  # these must not be named
            location = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        for attempt in range(ATTEMPTS):
            try:
                client.create_bucket(Bucket=self.location.bucket, **location)
            except ClientError as error:
                if _code(error) == "BucketAlreadyOwnedByYou":
                    return
                if _code(error) != "OperationAborted" or attempt == ATTEMPTS - 1:
                    raise
                time.sleep(attempt)  # somebody else is creating it right now
            else:
                print(f"   created the bucket {self.location.bucket}")
                return

    def _tag_exists(self, client: Any, tag: str, version: str) -> bool:
        pointer = read_pointer(client, self.location, "tags", f"{tag}.json")
        if pointer is not None and pointer[0] != version:
            raise PublishError(f"{self.label}: the tag {tag} exists already; choose another --tag.")
        return pointer is not None

    def _send(self, client: Any, version: str, file: File) -> None:
        """Upload a file, unless an interrupted upload has done so already."""
        from botocore.exceptions import ClientError

        key = self.location.key("versions", version, file.name)
        try:
            there = client.head_object(Bucket=self.location.bucket, Key=key)
            if (there["ContentLength"], there["Metadata"].get("sha256")) == (
                file.size,
                file.sha256,
            ):
                return
        except ClientError as error:
            if _code(error) not in ("404", "403", "NoSuchKey"):  # 403: no permission to ask
                raise
        metadata = {"sha256": file.sha256}
        if file.content is None:
            client.upload_file(
                str(file.path), self.location.bucket, key, ExtraArgs={"Metadata": metadata}
            )
        else:
            client.put_object(
                Bucket=self.location.bucket, Key=key, Body=file.content, Metadata=metadata
            )

    def _point(
        self, client: Any, parts: tuple[str, ...], version: str, condition: dict[str, str]
    ) -> None:
        """Write a pointer, if the one there still meets the condition."""
        from botocore.exceptions import ClientError

        pointer = {
            "Bucket": self.location.bucket,
            "Key": self.location.key(*parts),
            "Body": json.dumps({"version": version}).encode(),
        }
        try:
            client.put_object(**pointer, **condition)
        except ClientError as error:
            if _code(error) in UNKNOWN_CONDITION:
                client.put_object(**pointer)
                return
            if _code(error) not in CONFLICTS:
                raise
            current = read_pointer(client, self.location, *parts)
            if current is None or current[0] != version:  # else only the answer was lost
                raise Changed from error


def _code(error: Any) -> str:
    return str(error.response["Error"]["Code"])
