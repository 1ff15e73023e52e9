"""A model folder → one commit on the Hugging Face Hub; and where the local token may write.

Everything goes into one commit, so a reader gets the old model or the whole new one. (The client's
own upload_folder may make several.) The commit names the one it follows: when somebody else has
published in between, the Hub refuses it, and publish.py checks the conditions again.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comment_toxicity.errors import PublishError, SettingsError
from finetune.publish.bundle import METRIC_FILES, MODEL_FILES, Bundle, File
from finetune.publish.target import Changed, Published

if TYPE_CHECKING:
    from huggingface_hub import CommitOperation, HfApi, ModelInfo, RepoFile

ATTEMPTS = 3

WHERE_TO_PUT_IT = (
    "set HF_TOKEN, or run `hf auth login`; create a token with write access at "
    "https://huggingface.co/settings/tokens"
)


@dataclass(frozen=True)
class HubAccess:
    """Whose token is on this machine, and what it can do; never the token itself.

    user: its owner's name, or the repository that it is limited to; empty without a valid token.
    may_write: whether it can publish.
    problem: if not, a sentence that says why, and what to do; else empty.
    """

    user: str
    may_write: bool
    problem: str = ""


def hub_access(repo: str | None = None) -> HubAccess:
    """Ask the Hub about the token of HF_TOKEN, or else of `hf auth login`.

    repo: owner/name, to check write access to that repository; None checks for any.
    Does not raise: errors are in the result's `problem`. Makes one request, which the Hub limits to
    a few per minute, so keep the answer.
    """
    from httpx2 import HTTPError
    from huggingface_hub import HfApi, errors, get_token

    try:
        token = get_token()
    except (HTTPError, OSError, errors.OIDCError, errors.DeviceCodeError) as error:
        return HubAccess("", False, f"The token for the Hub cannot be read ({_plain(error)}).")
    if not token:
        return HubAccess("", False, f"There is no token for the Hub: {WHERE_TO_PUT_IT}.")
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        return HubAccess(
            "",
            False,
            f"The token for the Hub contains an invalid character: {WHERE_TO_PUT_IT}.",
        )
    lent_for = os.environ.get("HF_OIDC_RESOURCE")
    if lent_for:  # the Hub gives a CI job a token for this repository only; it has no owner
        if repo in (None, lent_for):
            return HubAccess(lent_for, True)
        problem = f"The token here is for {lent_for} only: HF_OIDC_RESOURCE says so."
        return HubAccess(lent_for, False, problem)
    try:
        account = HfApi().whoami(token=token)
    except errors.OfflineModeIsEnabled:
        return HubAccess("", False, "HF_HUB_OFFLINE is set, so nothing is sent to the Hub.")
    except errors.HfHubHTTPError as error:
        if error.response.status_code in (401, 403):
            problem = f"The Hub does not accept the token here: {WHERE_TO_PUT_IT}."
        else:
            problem = f"The Hub answers with {error.response.status_code}; try again later."
        return HubAccess("", False, problem)
    except (HTTPError, OSError, ValueError) as error:
        return HubAccess("", False, f"The Hub cannot be reached ({type(error).__name__}).")
    return _access(account, repo)


def _access(account: dict[str, Any], repo: str | None) -> HubAccess:
    """Interpret the answer of whoami."""
    user = account.get("name", "")
    token = account.get("auth", {}).get("accessToken", {})
    role, owner = token.get("role"), repo.split("/")[0] if repo else user
    name = f"the token “{token.get('displayName', '')}” of {user}"
    if role == "read":
        return HubAccess(user, False, f"{name} can only read: {WHERE_TO_PUT_IT}.")
    if role == "fineGrained":
        scoped = token.get("fineGrained", {}).get("scoped", [])
        allowed = {
            scope.get("entity", {}).get("name")
            for scope in scoped
            if "repo.write" in scope.get("permissions", [])
        }
        if not (allowed & {owner, repo} if repo else allowed):
            what = f"to {repo}" if repo else "to any repository"
            return HubAccess(
                user,
                False,
                f"{name} has no permission to write {what}: add it, or {WHERE_TO_PUT_IT}.",
            )
    roles = {org.get("name"): org.get("roleInOrg") for org in account.get("orgs", [])}
    if owner != user and roles.get(owner, "read") == "read" and role != "fineGrained":
        return HubAccess(
            user,
            False,
            f"{user} may not write to {owner}: publish to {user}/NAME, or ask {owner} for access.",
        )
    return HubAccess(user, True)


class HubTarget:
    """OWNER/NAME on the Hub.

    private: whether a repository that does not exist yet is made private; None leaves it to the
    owner's settings on the Hub.
    """

    def __init__(self, repo: str, private: bool | None = None):
        if not re.fullmatch(r"[\w-]+(\.[\w-]+)*/[\w-]+(\.[\w-]+)*", repo, re.ASCII):
            raise SettingsError(f"hub:{repo}: not of the form hub:OWNER/NAME.")
        self.name = repo
        self.label = f"hub:{repo}"
        self.private = private

    def check(self) -> str:
        """Return who publishes. Raises PublishError if there is no token for it."""
        access = hub_access(self.name)
        if not access.may_write:
            raise PublishError(f"{self.label}: {access.problem}")
        return access.user

    def published(self) -> Published | None:
        """Return what readers get now; None if there is no such repository."""
        from huggingface_hub import HfApi, errors, hf_hub_download

        with self._translating_hub_errors():
            try:
                info = HfApi().model_info(self.name)
            except errors.RepositoryNotFoundError:
                return None
            self._refuse_public(info)
            names = {sibling.rfilename for sibling in info.siblings or []}
            if "config.json" not in names:
                return Published(str(info.sha), None)
            files = {
                name: Path(hf_hub_download(self.name, name, revision=info.sha)).read_bytes()
                for name in METRIC_FILES
                if name in names
            }
        return Published.read(str(info.sha), files)

    def upload(
        self, bundle: Bundle, before: Published | None, message: str, tags: list[str]
    ) -> str:
        """Publish, and return the commit; see Target."""
        from huggingface_hub import HfApi

        api = HfApi()
        with self._translating_hub_errors():
            if before is None:
                api.create_repo(self.name, private=self.private, exist_ok=True)
            head, there = self._head(api)
            if head != before.state if before else "config.json" in there:
                raise Changed
            same = self._same(bundle, there)
            taken = {tag.name: tag.target_commit for tag in api.list_repo_refs(self.name).tags}
            for tag in tags:
                if tag in taken and not (same and taken[tag] == head):
                    raise PublishError(
                        f"{self.label}: the tag {tag} exists already; choose another --tag."
                    )
            commit = head if same else self._commit(api, bundle, head, there, message)
            for tag in tags:
                api.create_tag(self.name, tag=tag, revision=commit, exist_ok=tag in taken)
        return commit

    def _commit(
        self, api: "HfApi", bundle: Bundle, head: str, there: dict[str, "RepoFile"], message: str
    ) -> str:
        """Make the one commit. The client itself repeats all requests but the last."""
        from httpx2 import TransportError
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        for attempt in range(ATTEMPTS):
            operations: list[CommitOperation] = [
                CommitOperationDelete(name) for name in self._leftovers(bundle, there)
            ]
            operations += [
                CommitOperationAdd(file.name, file.content or file.path) for file in bundle.files
            ]
            try:
                return api.create_commit(
                    self.name, operations, commit_message=message, parent_commit=head
                ).oid
            except TransportError:
                # The commit may have been made, and only the answer lost.
                now, there = self._head(api)
                if self._same(bundle, there):
                    return now
                if now != head:
                    raise Changed from None
                if attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _head(self, api: "HfApi") -> tuple[str, dict[str, "RepoFile"]]:
        """Return the newest commit and its files by name."""
        from huggingface_hub import RepoFile

        info = api.model_info(self.name)
        self._refuse_public(info)
        entries = api.list_repo_tree(self.name, revision=info.sha)
        return str(info.sha), {item.path: item for item in entries if isinstance(item, RepoFile)}

    def _refuse_public(self, info: "ModelInfo") -> None:
        if self.private and not info.private:
            raise PublishError(
                f"{self.label}: exists and is public; make it private in its settings on the "
                "Hub, or publish without --private."
            )

    @staticmethod
    def _leftovers(bundle: Bundle, there: Iterable[str]) -> list[str]:
        """Files of an older model that the new one lacks: readers would mix the two."""
        ours = {file.name for file in bundle.files}
        return [name for name in there if name not in ours and MODEL_FILES.fullmatch(name)]

    def _same(self, bundle: Bundle, there: dict[str, "RepoFile"]) -> bool:
        """Whether the published files are exactly those of the bundle."""

        def same(file: File) -> bool:
            item = there.get(file.name)
            if item is None:
                return False
            return item.lfs.sha256 == file.sha256 if item.lfs else item.blob_id == file.git_hash()

        return not self._leftovers(bundle, there) and all(map(same, bundle.files))

    @contextmanager
    def _translating_hub_errors(self) -> Iterator[None]:
        """Raise what the Hub's client raises as a PublishError, one sentence long."""
        from httpx2 import HTTPError
        from huggingface_hub import errors

        where = self.label
        refused = f"{where}: the token here may not publish there"
        try:
            yield
        except errors.OfflineModeIsEnabled as error:
            raise PublishError(
                f"{where}: HF_HUB_OFFLINE is set, so nothing is sent to the Hub; unset it."
            ) from error
        except errors.HfHubHTTPError as error:
            status = error.response.status_code
            if status in (409, 412):
                raise Changed from error
            if status in (401, 403, 404):
                raise PublishError(f"{refused} ({status}): {WHERE_TO_PUT_IT}.") from error
            raise PublishError(
                f"{where}: the Hub answers with {status} ({error.server_message or 'no reason'}); "
                "readers still get the old model. Run the same command again later."
            ) from error
        except (HTTPError, OSError, RuntimeError) as error:
            # Xet, the store of large files, raises OSError or RuntimeError, with the status in
            # the message only.
            if re.search("401 Unauthorized|403 Forbidden", f"{error}"):
                raise PublishError(f"{refused}: {WHERE_TO_PUT_IT}.") from error
            raise PublishError(
                f"{where}: the connection broke ({_plain(error)}); readers get the old model or "
                "the whole new one. Run the same command again."
            ) from error
        except ValueError as error:
            raise PublishError(f"{where}: the Hub refuses this model ({_plain(error)}).") from error


def _plain(error: BaseException) -> str:
    """Return the innermost reason in one short line, with tokens removed."""
    while error.__cause__:
        error = error.__cause__
    line = " ".join(str(error).split()) or type(error).__name__
    return re.sub(r"hf_\w+|Bearer \S+", "…", line)[:160]
