"""The service on a real port with the embedded model, and short calls to it."""

import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sql
import uvicorn

from comment_toxicity import load_classifier
from comment_toxicity.cache import shared_models
from comment_toxicity.service.routes import create_app
from comment_toxicity.service.service import Service
from comment_toxicity.service.settings import ServiceSettings

KIND = "Thank you, that was very helpful."
RUDE = "You are an idiot and nobody wants you here."


@dataclass
class Reply:
    """An HTTP answer."""

    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        """The error's message and type."""
        error = self.json["error"]
        assert error["code"] == self.status
        return error["message"], error["details"][0]["errorType"]


@dataclass
class Running:
    """A service that answers at `url`."""

    url: str
    service: Service

    def post(self, path, body, **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return request(self.url + path, data, headers)

    def get(self, path, **headers):
        return request(self.url + path, None, headers)

    def analyze(self, text, attributes=("TOXICITY",), **fields):
        body = {"comment": {"text": text}, "requestedAttributes": {name: {} for name in attributes}}
        return self.post("/v1alpha1/comments:analyze?key=any", {**body, **fields})

    def suggest(self, text, scores, **fields):
        body = {
            "comment": {"text": text},
            "attributeScores": {name: {"summaryScore": {"value": v}} for name, v in scores.items()},
        }
        return self.post("/v1alpha1/comments:suggestscore", {**body, **fields})


def request(url, data=None, headers=None):
    """Send a request; return the answer, whatever its status."""
    named = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
    asked = urllib.request.Request(url, data, named)  # noqa: S310 - our own service's
    try:
        with urllib.request.urlopen(asked, timeout=20) as answer:  # noqa: S310
            return Reply(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, dict(error.headers), error.read())


def until(condition, seconds=60):
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@contextmanager
def listening(app, **settings):
    """Serve an application on a free local port, in a thread; yield its URL."""
    settings = {"log_level": "critical", "access_log": False, "lifespan": "on", **settings}
    config = uvicorn.Config(app, port=0, **settings)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started or not thread.is_alive())
    assert server.started
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


class Clock:
    """Stands in for the module time, and stands still: callers are counted by whole minutes."""

    def __init__(self):
        self._now = 1_800_000_010.3  # ten seconds into a minute

    def time(self):
        return self._now

    def sleep(self, seconds):
        """Go on by some seconds, at once."""
        self._now += seconds


@pytest.fixture
def clock(monkeypatch):
    """The time of day for callers' limits."""
    clock = Clock()
    monkeypatch.setattr("time.time", clock.time)
    return clock


@pytest.fixture(scope="session")
def embedded():
    """The embedded model."""
    return load_classifier()


@pytest.fixture(scope="session")
def serving(embedded):
    """A context manager that serves with the given settings."""

    @contextmanager
    def serve(classifier=embedded, **settings):
        service = Service(ServiceSettings(**settings), load=lambda _: classifier)
        with listening(create_app(service)) as url:
            yield Running(url, service)

    return serve


@pytest.fixture(scope="session")
def page():
    """The page's application, with the service; Streamlit can start it once a process."""
    with ExitStack() as until_stopped:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(uvicorn.Server, "startup", uvicorn.Server.startup)  # app.py replaces it
            import app

            url = until_stopped.enter_context(listening(app.app))
        page = Running(url, app.SERVICE)
        page.shared = shared_models().get("toxic-minilm")  # other tests forget what is loaded
        yield page


@pytest.fixture(scope="session")
def running(serving):
    """The service with its default settings."""
    with serving() as running:
        yield running


@pytest.fixture(scope="session")
def ruled(serving, tmp_path_factory):
    """The service with a policy called a, which takes words out, and a decision log."""
    policy = tmp_path_factory.mktemp("policies") / "policy.toml"
    policy.write_text("[policies.a]\nnever = ['idiot', 'x']\nalways.threat = ['hi']", "utf-8")
    log = policy.with_name("decisions.jsonl")
    with serving(policy=str(policy), decision_log=str(log)) as running:
        yield running


def postgres_programs():
    """The folder of PostgreSQL's server programs; None if it is not installed."""
    found = shutil.which("initdb")
    known = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found and not known:
        return None
    return Path(found).parent if found else known[-1].parent


POSTGRES = postgres_programs()


@pytest.fixture(scope="session")
def postgres():
    """The URL of a real PostgreSQL, made for these tests."""
    # It refuses to run as root, and its socket's path must be short.
    user = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    if user:
        shutil.chown(folder, "nobody")

    def run(program, *flags):
        command = [POSTGRES / program, "-D", folder / "data", *flags]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60, **user)

    run("initdb", "-U", "us", "-A", "trust", "-E", "UTF8", "--no-sync", "--no-locale")
    try:
        log, options = folder / "log", f"-k {folder} -c listen_addresses= -c fsync=off"
        run("pg_ctl", "-w", "-l", log, "-o", options, "start")
        try:
            yield f"postgresql+psycopg://us@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


WITH_POSTGRES = pytest.mark.skipif(POSTGRES is None, reason="no PostgreSQL server installed")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=WITH_POSTGRES)])
def database(request, tmp_path):
    """An empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'kept.sqlite3'}"
    else:
        url = request.getfixturevalue("postgres")
        yield url
        engine = sql.create_engine(url)
        tables = sql.MetaData()
        tables.reflect(engine)
        tables.drop_all(engine)
        engine.dispose()
