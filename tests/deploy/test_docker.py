"""The container, as far as it can be tested without Docker: its file, content and command."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

from tests.deploy.conftest import IGNORE, is_ignored
from tests.running import ROOT, link_packages, run

BIN = Path(sys.executable).parent
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMMAND = json.loads(re.search(r"^CMD (.+)$", DOCKERFILE, re.M)[1])
ENTRY = json.loads(re.search(r"^ENTRYPOINT (.+)$", DOCKERFILE, re.M)[1])

OPEN_EVERY_PAGE = """
import pathlib, app
from streamlit.testing.v1 import AppTest

page = AppTest.from_file("ui/navigation.py", default_timeout=60).run()
for file in sorted(pathlib.Path("pages").glob("*.py")):
    page.switch_page(f"../pages/{file.name}").run()
    assert not page.exception and not page.error, (file, page.exception, page.error)
"""


def test_hadolint_finds_no_problem():
    answer = run(BIN / "hadolint", "--no-color", "Dockerfile")
    assert (answer.returncode, answer.stdout) == (0, "")


def test_the_container_does_not_run_as_root_and_has_both_targets():
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.M) == ["1000"]
    stages = dict(re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.M))
    assert stages["page"] == "full"  # of the two, the last one: what a Space builds
    assert re.findall(r"^FROM page AS (\S+)$", DOCKERFILE, re.M) == ["slim", "full"]


def test_the_image_is_for_strangers_and_its_port_is_for_this_machine():
    assert re.search(r"^ENV (.*\\\n)*.*\bTOXICITY_PUBLIC=1$", DOCKERFILE, re.M)
    documents = [ROOT / "Dockerfile", ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    texts = [file.read_text(encoding="utf-8") for file in documents]
    published = [port for text in texts for port in re.findall(r"--publish[ =](\S+)", text)]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_the_programs_that_the_container_starts_are_in_it_and_executable(image):
    check = json.loads(re.search(r"^HEALTHCHECK .* CMD (.+)$", DOCKERFILE, re.M)[1])
    for name in (*check, *ENTRY):
        assert (image / name).stat().st_mode & 0o111, name


@pytest.fixture(scope="module")
def slim(image, tmp_path_factory):
    """A call of Python in the container's folder, with no other packages than the slim ones."""
    lines = (image / "requirements-slim.txt").read_text(encoding="utf-8").splitlines()
    names = {line.split("==")[0] for line in lines if line[0].isalpha()}
    packages = tmp_path_factory.mktemp("site-packages")
    link_packages(names, packages)
    return lambda *words: run(sys.executable, "-S", *words, cwd=image, PYTHONPATH=str(packages))


def test_the_slim_packages_open_every_page(slim):
    answer = slim("-c", OPEN_EVERY_PAGE)
    assert answer.returncode == 0, answer.stderr


def test_the_slim_packages_score_a_file(slim):
    answer = slim("-m", "comment_toxicity", "score", "data/sample.csv", "--output", "-")
    assert answer.returncode == 0, answer.stderr
    assert "toxic_score" in answer.stdout.splitlines()[0]


def test_the_slim_packages_are_without_torch(slim):
    assert "No module named 'torch'" in slim("-c", "import torch").stderr


@pytest.fixture(scope="module")
def page(image):
    """What the page that the container's command serves answers, in a Space."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = [word.replace("8501", port) for word in [*ENTRY, *COMMAND]]
    with subprocess.Popen(
        [sys.executable if word == "python" else word for word in command],
        cwd=image,
        env=os.environ | {"SPACE_ID": "ada/comment-toxicity"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    ) as server:
        try:
            yield answer_of(f"http://127.0.0.1:{port}/_stcore/health", server)
        finally:
            server.terminate()


def answer_of(url, server, seconds=120):
    """The answer's body and headers, as soon as there is one."""
    end = time.monotonic() + seconds
    while server.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
                return answer.read(), answer.headers
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"no answer; the command ended with {server.poll()}")


def test_the_containers_command_serves_the_page_from_what_it_holds(page):
    assert page[0] == b"ok"


def test_in_a_space_the_upload_cookie_works_inside_a_frame_of_another_origin(page):
    cookie = page[1]["Set-Cookie"].lower()
    assert cookie.startswith("_streamlit_xsrf=")
    assert {"samesite=none", "secure"} <= set(cookie.split("; "))


@pytest.mark.parametrize(
    ("space", "given", "settings"),
    [
        ("ada/x", "", "none https://ada-x.hf.space"),
        ("ada/x", "https://toxicity.example", "none https://toxicity.example"),
        ("", "", " "),
    ],
)
def test_only_a_space_gets_its_settings(space, given, settings):
    names = "$STREAMLIT_SERVER_XSRF_COOKIE_SAME_SITE $TOXICITY_PUBLIC_URL"
    where = {"SPACE_ID": space, "SPACE_HOST": "ada-x.hf.space", "TOXICITY_PUBLIC_URL": given}
    answer = run(ROOT / ENTRY[0], "sh", "-c", f'echo "{names}"', **where)
    assert answer.stdout == f"{settings}\n"


def test_the_health_check_ignores_proxies(image):
    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    check = (image / "deploy/healthcheck").read_text()
    with HTTPServer(("127.0.0.1", 0), Healthy) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        check = re.sub("8501|8080", str(server.server_port), check)
        answer = run(sys.executable, "-c", check, http_proxy="http://127.0.0.1:9", no_proxy="")
    assert answer.returncode == 0, answer.stderr


def test_the_health_check_fails_where_nothing_answers(image):
    """Ports of its own, so that a page served here does not answer for it."""
    check = (image / "deploy/healthcheck").read_text()
    assert "8501/health/live" in check
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    answer = run(sys.executable, "-c", re.sub("8501|8080", port, check))
    assert answer.returncode == 1


@pytest.mark.parametrize(
    "name",
    [
        *("runs/a/x", "data/mine.csv", ".venv/x", ".git/x"),
        *(".env", "deploy/.env.local", ".streamlit/secrets.toml"),
        *("scored.csv", "scored.csv.part/0.jsonl", "scored.parquet", "scored.jsonl.gz"),
        "feedback.sqlite3",
    ],
)
def test_your_own_comments_runs_and_keys_stay_out_of_the_container(name):
    assert is_ignored(Path(name), IGNORE)


def test_the_container_holds_the_sample_and_no_tests(image):
    assert not (image / "tests").exists()
    assert (image / "data/sample.csv").is_file()


def test_compose_serves_the_checkout_and_follows_it():
    page = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]["page"]
    assert page["command"][: len(COMMAND)] == COMMAND
    assert "--server.runOnSave=true" in page["command"]
    assert ".:/app" in page["volumes"]
    assert page["read_only"] is True
