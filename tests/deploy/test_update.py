"""deploy/update as a whole, with a folder as the machine and stand-ins for its programs."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not shutil.which("flock"), reason="a server has flock: Linux does")
GIT = [
    "git",
    "-c",
    "user.name=Ann",
    "-c",
    "user.email=ann@example.org",
    "-c",
    "init.defaultBranch=main",
]
CURRENT = "opt/comment-toxicity/current"
STAND_INS = {
    "python3": 'mkdir -p "$3/bin" && cp "$(dirname "$0")/installed" "$3/bin/python"',
    "installed": '[ ! -e broken ] || case "$*" in *"import app") exit 1 ;; esac',
    "systemctl": f'case "$1" in restart) [ ! -e "$HOME/{CURRENT}/no-start" ] ;; esac',
    "curl": "",
    "chown": 'echo "$*" >>"$HOME/owners"',
    "useradd": 'echo "useradd $*" >>"$HOME/owners"',
    "systemd-run": 'echo "$*" >>"$HOME/unprivileged"; for word in "$@"; do case "$word" in '
    '--working-directory=*) cd "${word#*=}" ;; esac; shift; [ "$word" = -- ] && exec "$@"; done',
    "journalctl": 'echo "log of $*"',
}


class Server:
    """A machine below `home` that serves the commits of `repository`."""

    def __init__(self, home):
        self.home, self.repository = home, home / "repository"
        script = (ROOT / "deploy/update").read_text(encoding="utf-8")
        script = re.sub(r"(?<=[\s\"'>=])/(etc|opt|usr/local|var)/", rf"{home}/\1/", script)
        script = script.replace("[[ $EUID -eq 0 ]]", "true")
        for name, lines in STAND_INS.items():
            self.write(home / "bin" / name, f"#!/bin/sh\n{lines}\n").chmod(0o755)
        for folder in ("etc/systemd/system", "etc/caddy", "usr/local/sbin"):
            (home / folder).mkdir(parents=True)
        for name in (
            "deploy/Caddyfile",
            "deploy/comment-toxicity.service",
            "requirements-slim.txt",
        ):
            self.write(self.repository / name, name)
        self.command = self.write(self.repository / "deploy/update", script)
        self.command.chmod(0o755)
        self.git("init", "--quiet")
        self.set(REPOSITORY=self.repository, BRANCH="main", SITE="a.org, b.org", PACKAGES="slim")
        self.first = self.commit("one")
        subprocess.run(
            [*GIT, "clone", "--quiet", self.repository, home / "opt/comment-toxicity/repository"],
            check=True,
        )

    @staticmethod
    def write(path, content):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        return path

    def git(self, *words):
        command = [*GIT, "-C", str(self.repository), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def set(self, **settings):
        lines = [f"{name}={value}\n" for name, value in settings.items()]
        self.write(self.home / "etc/comment-toxicity.env", "".join(lines))

    def commit(self, name):
        """Commit a file of this name. Returns the commit."""
        self.write(self.repository / name, name)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", name)
        return self.git("rev-parse", "HEAD")

    def update(self):
        environment = os.environ | {"HOME": str(self.home)}
        environment["PATH"] = f"{self.home / 'bin'}:{environment['PATH']}"
        return subprocess.run(
            ["bash", self.command], env=environment, capture_output=True, text=True, check=False
        )

    @property
    def serving(self):
        return (self.home / CURRENT).resolve().name.removesuffix("-slim")

    @property
    def kept(self):
        folders = (self.home / "opt/comment-toxicity/releases").iterdir()
        return {folder.name.removesuffix("-slim") for folder in folders}


@pytest.fixture
def server(tmp_path):
    """A machine on which the first commit serves."""
    server = Server(tmp_path / "machine")
    answer = server.update()
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == f"serving {server.first}\n"
    return server


def test_the_newest_commit_is_served(server):
    second = server.commit("two")
    assert server.update().returncode == 0
    assert server.serving == second
    assert server.kept == {server.first, second}


def test_packages_and_new_code_run_without_root(server):
    lines = (server.home / "unprivileged").read_text().splitlines()
    assert [line.partition(" -- ")[2].split("python")[-1].split()[:2] for line in lines] == [
        ["3", "-m"],
        ["-m", "pip"],
        ["-m", "compileall"],
        ["-c", "import"],
        ["-m", "comment_toxicity"],
    ]
    release = server.home / f"opt/comment-toxicity/releases/{server.first}-slim"
    for line in lines:
        assert "--uid=comment-toxicity-build " in line
        assert "--property=ProtectSystem=strict " in line
        assert f"--property=ReadWritePaths={release} " in line
    made, given, taken = (server.home / "owners").read_text().splitlines()
    assert made.startswith("useradd --system")
    assert given == f"-hR comment-toxicity-build: {release}"
    assert taken == f"-hR root: {release}"  # before the release serves


@pytest.mark.parametrize("scheme", ["http", "git"])
def test_a_repository_that_others_could_change_on_the_way_is_refused(server, scheme):
    server.set(REPOSITORY=f"{scheme}://x.example/y", BRANCH="main", SITE=":80", PACKAGES="slim")
    answer = server.update()
    assert answer.returncode == 1
    assert "write https:// or ssh://" in answer.stderr


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs ssh-keygen")
def test_with_signers_a_commit_must_be_signed_by_one_of_them(server):
    key, signers = server.home / "key", server.home / "signers"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    signers.write_text(f"ann@example.org {key.with_suffix('.pub').read_text()}")
    settings = {"BRANCH": "main", "SITE": ":80", "PACKAGES": "slim", "SIGNERS": signers}
    server.set(REPOSITORY=server.repository, **settings)
    unsigned = server.commit("two")
    answer = server.update()
    assert answer.returncode == 1
    assert f"{unsigned} is not signed by one of {signers}" in answer.stderr
    assert server.serving == server.first
    for name, value in {
        "gpg.format": "ssh",
        "user.signingKey": key,
        "commit.gpgSign": "true",
    }.items():
        server.git("config", name, str(value))
    signed = server.commit("three")
    assert server.update().returncode == 0
    assert server.serving == signed


def test_the_proxy_gets_the_value_of_site_unchanged(server):
    drop_in = server.home / "etc/systemd/system/caddy.service.d/comment-toxicity.conf"
    assert drop_in.read_text() == '[Service]\nEnvironment="SITE=a.org, b.org"\n'


def test_a_commit_that_does_not_load_is_not_served(server):
    server.commit("broken")
    answer = server.update()
    assert answer.returncode == 1
    assert "does not load" in answer.stderr
    assert server.serving == server.first


def test_a_failed_start_of_page_or_proxy_rolls_back(server):
    second = server.commit("no-start")
    answer = server.update()
    assert answer.returncode == 1
    assert f"error: {second} does not start" in answer.stderr
    assert "log of --unit comment-toxicity --unit caddy" in answer.stderr
    assert server.serving == server.first


def test_an_update_without_a_new_commit_keeps_the_previous_release(server):
    second = server.commit("two")
    server.update()
    assert server.update().stdout == f"serving {second}\n"
    assert server.kept == {server.first, second}


def test_another_repository_in_the_settings_is_followed(server, tmp_path):
    other = tmp_path / "other"
    subprocess.run([*GIT, "clone", "--quiet", server.repository, other], check=True)
    server.set(REPOSITORY=other, BRANCH="main", SITE=":80", PACKAGES="slim")
    server.repository = other
    second = server.commit("two")
    assert server.update().returncode == 0
    assert server.serving == second


def test_the_service_can_read_what_is_installed(server):
    server.commit("two")
    before = os.umask(0o077)
    try:
        assert server.update().returncode == 0
    finally:
        os.umask(before)
    current = server.home / CURRENT
    assert current.stat().st_mode & 0o055 == 0o055
    assert (current / ".ready").stat().st_mode & 0o044 == 0o044
