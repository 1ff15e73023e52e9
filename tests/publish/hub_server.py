"""A Hub on localhost: the endpoints that huggingface_hub 2.4 calls, and the ways they can fail.

Read off that client's source (hf_api.py, _commit_api.py, lfs.py, file_download.py): whoami, create,
info, tree, validate-yaml, preupload, LFS batch and upload, commit, tag, refs and resolve. Large
files go by LFS, as they do wherever the client's Xet storage is turned off; Xet's requests, as
hf_xet 1.8 was seen to make them, are answered too, but the blocks it sends are not read.
"""

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

REVISION = r"(refs/convert/\w+|[^/]+)"


@dataclass
class Commit:
    sha: str
    message: str
    files: dict[str, bytes]


@dataclass
class Repository:
    private: bool = False
    commits: list[Commit] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)

    def at(self, revision: str) -> Commit | None:
        sha = self.commits[-1].sha if revision == "main" else self.tags.get(revision, revision)
        return next((commit for commit in self.commits if commit.sha == sha), None)

    def add(self, message: str, files: dict[str, bytes]) -> Commit:
        seed = f"{len(self.commits)} {message} {sorted(files)}"
        sha = hashlib.sha1(seed.encode(), usedforsecurity=False).hexdigest()
        self.commits.append(Commit(sha, message, files))
        return self.commits[-1]


@dataclass
class Fault:
    """What to do instead of, or after, answering the next request that matches.

    action: a status; or "close" (answer nothing), "close after" (do it, but answer nothing) or
    "half" (send half of the body); or a function to be called before answering.
    """

    method: str
    path: str
    action: int | str | Callable[[], None]


class Hub(ThreadingHTTPServer):
    """The server and all it holds. tokens: token → role; all belong to the user `ann`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.repositories: dict[str, Repository] = {}
        self.tokens = {
            "hf_write": "write",
            "hf_read": "read",
            "hf_fine": "fineGrained",
            "hf_jwt_lent": "",
        }
        self.large: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.asked: list[str] = []
        self.stopped = False
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, args=[0.01], daemon=True).start()

    def fail(self, method: str, path: str, action: int | str | Callable[[], None]) -> None:
        """Make the next request with this method and a matching path fail."""
        self.faults.append(Fault(method, path, action))

    def stop(self) -> None:
        """Stop answering, also on open connections."""
        self.stopped = True
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections are broken here on purpose."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, *arguments: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.serve()

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815 - http.server's names

    def serve(self) -> None:
        path = unquote(urlsplit(self.path).path)
        with self.server.lock:
            self.server.asked.append(f"{self.command} {path}")
            fault = next(
                (
                    fault
                    for fault in self.server.faults
                    if fault.method == self.command and re.search(fault.path, path)
                ),
                None,
            )
            if fault:
                self.server.faults.remove(fault)
        self.action = fault.action if fault else None
        if callable(self.action):
            self.action()
        length = int(self.headers.get("Content-Length") or 0)
        if self.server.stopped:
            self.close_connection = True
            return
        if self.action == "close":
            self.rfile.read(length // 2)
            self.close_connection = True
            return
        body = self.rfile.read(length)
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = self.read_chunks()
        if isinstance(self.action, int):
            self.answer({"error": "as the test wants it"}, self.action)
            return
        self.route(path, body)

    def read_chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, content: Any, status: int = 200, **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        if self.action == "close after":
            self.close_connection = True
            return
        self.send_response(status)
        headers.setdefault("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            if self.action == "half":
                body = body[: len(body) // 2]
                self.close_connection = True
            self.wfile.write(body)

    def refuse(self, status: int, code: str, message: str) -> None:
        self.answer({"error": message}, status, X_Error_Code=code, X_Error_Message=message)

    @property
    def token(self) -> str | None:
        return (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None

    def route(self, path: str, body: bytes) -> None:
        if self.token and self.token not in self.server.tokens:
            self.refuse(401, "", "Invalid credentials in Authorization header")
            return
        routes: list[tuple[str, str, Callable[..., None]]] = [
            ("GET", r"/api/whoami-v2", self.whoami),
            ("POST", r"/oauth/token", self.lend),
            ("POST", r"/api/validate-yaml", self.validate),
            ("POST", r"/api/repos/create", self.create),
            ("GET", r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", self.info),
            ("GET", r"/api/models/([^/]+/[^/]+)/refs", self.refs),
            ("GET", rf"/api/(?:models|datasets)/([^/]+/[^/]+)/tree/{REVISION}(/.+)?", self.tree),
            ("POST", r"/api/models/([^/]+/[^/]+)/preupload/(.+)", self.preupload),
            ("POST", r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", self.batch),
            ("PUT", r"/large/([0-9a-f]{64})", self.store),
            ("GET", r"/api/models/([^/]+/[^/]+)/xet-write-token/main", self.xet_token),
            ("POST", r"/xet/v1/(xorb-grants/.+|shards)", self.xet_block),
            ("POST", r"/api/models/([^/]+/[^/]+)/commit/main", self.commit),
            ("POST", r"/api/models/([^/]+/[^/]+)/tag/(.+)", self.tag),
            ("HEAD", rf"(?:/datasets)?/([^/]+/[^/]+)/resolve/{REVISION}/(.+)", self.resolve),
            ("GET", rf"(?:/datasets)?/([^/]+/[^/]+)/resolve/{REVISION}/(.+)", self.resolve),
        ]
        for method, pattern, function in routes:
            found = re.fullmatch(pattern, path)
            if method == self.command and found:
                function(body, *found.groups())
                return
        self.refuse(404, "", f"no route for {self.command} {path}")

    def repository(self, name: str, write: bool = False) -> Repository | None:
        """Return the repository; without one for this token, answer with the error."""
        found = self.server.repositories.get(name)
        if found is None or (found.private and not self.token):
            self.refuse(404 if self.token else 401, "RepoNotFound", "Repository not found")
            return None
        if write and self.server.tokens.get(self.token or "") == "read":
            self.refuse(403, "", "Forbidden: you must use a write token")
            return None
        return found

    def whoami(self, body: bytes) -> None:
        role = self.server.tokens.get(self.token or "")
        if not role:  # no token, or one that is nobody's
            self.refuse(401, "", "Invalid username or password.")
            return
        access: dict[str, Any] = {"displayName": "laptop", "role": role}
        if role == "fineGrained":
            entity = {"type": "model", "name": "ann/only-this", "_id": "1"}
            access["fineGrained"] = {
                "global": [],
                "scoped": [{"entity": entity, "permissions": ["repo.content.read", "repo.write"]}],
            }
        orgs = [
            {"name": "club", "roleInOrg": "write"},
            {"name": "readers", "roleInOrg": "read"},
        ]
        self.answer(
            {
                "type": "user",
                "name": "ann",
                "orgs": orgs,
                "auth": {"type": "access_token", "accessToken": access},
            }
        )

    def lend(self, body: bytes) -> None:
        if json.loads(body)["subject_token"] == "of the job":  # noqa: S105
            self.answer({"access_token": "hf_jwt_lent", "expires_in": 3600})
        else:
            self.refuse(400, "", "invalid_grant")

    def validate(self, body: bytes) -> None:
        content = json.loads(body)["content"]
        if content.startswith("---\n") and "model-index:" in content:
            self.answer({"errors": [], "warnings": []})
        else:
            self.answer({"errors": [{"message": "no model-index"}], "warnings": []}, 400)

    def create(self, body: bytes) -> None:
        wanted = json.loads(body)
        name = f"{wanted['organization'] or 'ann'}/{wanted['name']}"
        url = {"url": f"{self.server.url}/{name}"}
        if self.server.tokens.get(self.token or "") == "read":
            self.refuse(403, "", "Forbidden: you don't have the rights to create a model")
        elif name in self.server.repositories:
            self.answer(url | {"error": "You already created this model repo"}, 409)
        else:
            repository = Repository(private=wanted.get("visibility") == "private")
            repository.add("initial commit", {".gitattributes": b"*.onnx filter=lfs\n"})
            self.server.repositories[name] = repository
            self.answer(url)

    def info(self, body: bytes, name: str, revision: str | None) -> None:
        repository = self.repository(name)
        if not repository:
            return
        commit = repository.at(revision or "main")
        if not commit:
            self.refuse(404, "RevisionNotFound", "Invalid rev id")
            return
        siblings = [{"rfilename": path} for path in commit.files]
        self.answer(
            {"id": name, "sha": commit.sha, "private": repository.private, "siblings": siblings}
        )

    def refs(self, body: bytes, name: str) -> None:
        repository = self.repository(name)
        if repository:
            tags = [
                {"name": tag, "ref": f"refs/tags/{tag}", "targetCommit": sha}
                for tag, sha in repository.tags.items()
            ]
            self.answer({"branches": [], "converts": [], "tags": tags})

    def tree(self, body: bytes, name: str, revision: str, folder: str | None) -> None:
        repository = self.repository(name)
        if not repository:
            return
        commit = repository.at(revision)
        if commit is None or folder:  # nobody asks for one
            code = "RevisionNotFound" if commit is None else "EntryNotFound"
            self.refuse(404, code, "Not found")
            return
        entries = []
        for path, content in commit.files.items():
            entry = {"type": "file", "path": path, "size": len(content), "oid": git_hash(content)}
            if is_large(path):
                oid = hashlib.sha256(content).hexdigest()
                entry["lfs"] = {"oid": oid, "size": len(content), "pointerSize": 134}
            entries.append(entry)
        self.answer(entries)

    def preupload(self, body: bytes, name: str, revision: str) -> None:
        repository = self.repository(name, write=True)
        if not repository:
            return
        there = repository.commits[-1].files
        answers = []
        for file in json.loads(body)["files"]:
            large, content = is_large(file["path"]), there.get(file["path"])
            answer = {"path": file["path"], "uploadMode": "lfs" if large else "regular"}
            if content is not None:
                answer["oid"] = hashlib.sha256(content).hexdigest() if large else git_hash(content)
            answers.append(answer | {"shouldIgnore": False})
        self.answer({"files": answers})

    def batch(self, body: bytes, name: str) -> None:
        if not self.repository(name, write=True):
            return
        objects = []
        for wanted in json.loads(body)["objects"]:
            if wanted["oid"] not in self.server.large:
                href = f"{self.server.url}/large/{wanted['oid']}"
                wanted = wanted | {"actions": {"upload": {"href": href}}}
            objects.append(wanted)
        self.answer({"transfer": "basic", "objects": objects})

    def store(self, body: bytes, oid: str) -> None:
        if hashlib.sha256(body).hexdigest() != oid:
            self.answer({"error": "another hash"}, 400)
            return
        self.server.large[oid] = body
        self.answer({})

    def xet_token(self, body: bytes, name: str) -> None:
        if self.repository(name, write=True):
            url = f"{self.server.url}/xet"
            expires = int(time.time()) + 3600
            self.answer({"accessToken": "hf_write", "exp": expires, "casUrl": url})

    def xet_block(self, body: bytes, path: str) -> None:
        self.answer({"result": 1} if path == "shards" else {"was_inserted": True})

    def commit(self, body: bytes, name: str) -> None:
        repository = self.repository(name, write=True)
        if not repository:
            return
        lines = [json.loads(line) for line in body.splitlines()]
        header = lines[0]["value"]
        if header.get("parentCommit") not in (None, repository.commits[-1].sha):
            self.refuse(412, "", "A commit has happened since. Please refresh and try again.")
            return
        files = dict(repository.commits[-1].files)
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.server.large[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        made = repository.add(header["summary"], files)
        url = f"{self.server.url}/{name}/commit/{made.sha}"
        self.answer({"success": True, "commitOid": made.sha, "commitUrl": url})

    def tag(self, body: bytes, name: str, revision: str) -> None:
        repository = self.repository(name, write=True)
        if not repository:
            return
        tag = json.loads(body)["tag"]
        if tag in repository.tags:
            self.refuse(409, "", "Tag reference exists already")
            return
        repository.tags[tag] = revision
        self.answer({})

    def resolve(self, body: bytes, name: str, revision: str, path: str) -> None:
        repository = self.repository(name)
        if not repository:
            return
        commit = repository.at(revision)
        if commit is None or path not in commit.files:
            code = "RevisionNotFound" if commit is None else "EntryNotFound"
            self.refuse(404, code, "Not found")
            return
        content = commit.files[path]
        digest = hashlib.sha256(content).hexdigest() if is_large(path) else git_hash(content)
        headers = {
            "ETag": f'"{digest}"',
            "X_Repo_Commit": commit.sha,
            "X_Linked_Size": str(len(content)),
            "Accept_Ranges": "bytes",
        }
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if asked and int(asked[1]):
            start = int(asked[1])
            headers["Content_Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.answer(content[start:], 206, **headers)
        else:
            self.answer(content, **headers)


def is_large(path: str) -> bool:
    """The Hub decides by .gitattributes, whose defaults name the binary formats."""
    return path.endswith((".onnx", ".safetensors"))


def git_hash(content: bytes) -> str:
    header = b"blob %d\0" % len(content)
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()
