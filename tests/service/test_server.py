"""`python -m comment_toxicity serve` as it is started and stopped: real processes."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.service.conftest import KIND, RUDE, request, until

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "comment_toxicity", "serve")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def served(*flags, stderr=subprocess.PIPE):
    """Start `serve`; yield the process and its URL once it is ready."""
    port = free_port()
    process = subprocess.Popen(
        [*COMMAND, "--port", str(port), *flags],
        cwd=ROOT,
        stderr=stderr,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    try:
        until(lambda: process.poll() is not None or ready(port))
        assert process.poll() is None, process.communicate()[1]
        yield process, f"http://127.0.0.1:{port}"
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def ready(port):
    try:
        return request(f"http://127.0.0.1:{port}/health/ready").status == 200
    except OSError:
        return False


def body(text):
    return json.dumps({"comment": {"text": text}, "requestedAttributes": {"TOXICITY": {}}})


def test_serve_starts_without_torch_transformers_or_streamlit():
    code = (
        "import asyncio, sys\n"
        "from comment_toxicity.service.server import worker\n"
        "app = worker()\n"
        "async def start():\n"
        "    async with app.router.lifespan_context(app): pass\n"
        "asyncio.run(start())\n"
        "print({'torch', 'transformers', 'streamlit', 'pandas', 'sqlalchemy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "set()\n", done.stderr


def test_the_help_of_serve_names_its_settings():
    done = subprocess.run(
        [*COMMAND, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for flag in ("--port", "--workers", "--api-keys-file", "--rate-limit", "--feedback-database"):
        assert flag in done.stdout


@pytest.mark.parametrize(
    "flags",
    [
        ("--model", "no/such/model"),
        ("--rate-limit", "often"),
        ("--api-keys-file", "/nowhere"),
        ("--policy", "/nowhere"),
        ("--max-body", "0"),
        ("--workers", "0"),
        ("--port", "65536"),
        ("--drain-seconds", "nan"),
        ("--feedback-database", "sqlite:////nowhere/at/all.db"),
        ("--feedback-database", "no url"),
        ("--decision-log", "/nowhere/at/all.jsonl"),
        ("--decision-log", "sqlite:////nowhere/at/all.db"),
        ("--decision-log", "oracle://host/name"),
        ("--decision-log-size", "0"),
        ("--feedback-database", "oracle://host/name"),
    ],
)
def test_a_wrong_flag_of_serve_ends_in_one_line(flags):
    done = subprocess.run(
        [*COMMAND, "--port", str(free_port()), *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert re.fullmatch(r"error: .+\n", done.stderr)


class Caller(threading.Thread):
    """Sends comment after comment, connection after connection, until nobody listens.

    failed: all errors but one: the reset of a connection that never got an answer, because it was
    still in the queue of those that the server had not accepted.
    """

    def __init__(self, url):
        super().__init__()
        self.netloc = url.removeprefix("http://")
        self.answered, self.failed = 0, []

    def run(self):
        while not self.failed:
            connection = http.client.HTTPConnection(self.netloc, timeout=20)
            before = self.answered
            try:
                connection.connect()
                while self.once(connection):
                    pass
            except ConnectionRefusedError:
                break
            except (ConnectionResetError, http.client.RemoteDisconnected) as error:
                if self.answered > before:
                    self.failed.append(error)
            except Exception as error:
                self.failed.append(error)
            finally:
                connection.close()

    def once(self, connection):
        """Send one comment; return whether the connection can be used again."""
        text = body(f"{RUDE} {self.name} {self.answered}")
        connection.request("POST", "/v1alpha1/comments:analyze", text)
        reply = connection.getresponse()
        reply.read()
        assert reply.status == 200, reply.status
        self.answered += 1
        return reply.headers["Connection"] != "close"


@pytest.mark.parametrize("flags", [(), ("--workers", "2")])
def test_sigterm_drops_no_accepted_request(flags):
    # Patient, so that a busy machine refuses none of them.
    with served("--drain-seconds", "0.5", "--max-wait", "60", *flags) as (process, url):
        callers = [Caller(url) for _ in range(8)]
        for caller in callers:
            caller.start()
        until(lambda: all(caller.answered > 1 or caller.failed for caller in callers))
        process.send_signal(signal.SIGTERM)
        for caller in callers:
            caller.join(30)
        _, log = process.communicate(timeout=30)
    assert all(caller.answered for caller in callers)
    assert [error for caller in callers for error in caller.failed] == []
    assert "Traceback" not in log, log
    assert RUDE not in log
    assert process.returncode in (0, -signal.SIGTERM)


@pytest.mark.parametrize("flags", [(), ("--workers", "2")])
def test_sighup_reads_the_policies_again_and_drops_no_request(flags, tmp_path):
    policy, log = tmp_path / "policy.toml", tmp_path / "log"
    refused = "policy.toml: policies.a.always.threat is not a list"

    def flagged(url):
        reply = request(f"{url}/v1/score", json.dumps({"texts": [KIND]}).encode())
        return "threat" in reply.json["results"][0]["flags"]

    def decide(text):
        policy.write_text(f'default = "a"\n[policies.a]\n{text}', encoding="utf-8")

    decide("always.threat = ['thank']")
    flags = ("--max-wait", "60", "--policy", str(policy), *flags)
    with log.open("wb") as stderr, served(*flags, stderr=stderr) as (process, url):
        callers = [Caller(url) for _ in range(4)]
        for caller in callers:
            caller.start()
        until(lambda: all(caller.answered > 1 or caller.failed for caller in callers))
        assert flagged(url)
        decide("always.threat = 3")
        process.send_signal(signal.SIGHUP)
        until(lambda: refused in log.read_text())
        assert all(flagged(url) for _ in range(8))
        decide("never = ['thank']")
        process.send_signal(signal.SIGHUP)
        until(lambda: not any(flagged(url) for _ in range(8)), seconds=20)
        answered = [caller.answered for caller in callers]
        until(
            lambda: all(c.answered > n or c.failed for c, n in zip(callers, answered, strict=True))
        )
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        for caller in callers:
            caller.join(30)
        process.wait(30)
    assert [error for caller in callers for error in caller.failed] == []
    told = log.read_text()
    assert told.count(refused) == 1
    assert "The policies have been read again." in told
    assert "Traceback" not in told, told


def test_a_draining_server_is_not_ready_and_closes_connections():
    with served("--drain-seconds", "20") as (process, url):
        assert request(f"{url}/health/ready").status == 200
        process.send_signal(signal.SIGTERM)
        until(lambda: request(f"{url}/health/ready").status != 200, seconds=15)
        reply = request(f"{url}/v1alpha1/comments:analyze", body(KIND).encode())
        assert (reply.status, reply.headers["Connection"]) == (200, "close")
        process.send_signal(signal.SIGTERM)  # a second one changes nothing
        time.sleep(0.5)
        assert request(f"{url}/health/ready").status == 503
        process.send_signal(signal.SIGINT)  # this one does not wait
        process.communicate(timeout=10)


def test_a_port_in_use_is_an_error_before_the_model_is_loaded():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*COMMAND, "--port", port], cwd=ROOT, capture_output=True, text=True, check=False
        )
    assert done.returncode == 2
    assert re.fullmatch(rf"error: --host 127.0.0.1 --port {port}: .+ in use.*\n", done.stderr)


def test_the_waiting_time_of_a_dead_worker_is_dropped(tmp_path):
    code = (
        "from comment_toxicity.service.metrics import Metrics\n"
        "metrics = Metrics()\n"
        "metrics.waiting.set({})\n"
        "print(metrics.page().body.decode())"
    )
    for seconds in (9.0, 0.5):
        done = subprocess.run(
            [sys.executable, "-c", code.format(seconds)],
            cwd=ROOT,
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert f"toxicity_waiting_seconds {seconds}" in done.stdout


def test_the_metrics_of_all_workers_are_added_up(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with served("--workers", "2") as (_, url):
        for number in range(40):
            reply = request(f"{url}/v1alpha1/comments:analyze", body(f"{KIND} {number}").encode())
            assert reply.status == 200
        for _ in range(5):
            metrics = request(f"{url}/metrics").body.decode()
            assert 'toxicity_requests_total{endpoint="analyze",status="200"} 40.0' in metrics
    assert list(tmp_path.iterdir()) == []  # their folder is removed
