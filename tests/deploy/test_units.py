"""The files for a server agree with each other and with the project."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml

from comment_toxicity.service.connections import MOST_FILES

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UPDATE = (DEPLOY / "update").read_text(encoding="utf-8")
CLOUD = yaml.safe_load((DEPLOY / "cloud-init.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def service():
    """The unit's [Service] section."""
    unit = ConfigParser(interpolation=None, strict=False)  # SystemCallFilter is there twice
    unit.optionxform = str
    unit.read(DEPLOY / "comment-toxicity.service", encoding="utf-8")
    return unit["Service"]


def test_the_unit_runs_the_containers_command_on_localhost(service):
    python, *words = shlex.split(service["ExecStart"])
    assert python == "/opt/comment-toxicity/current/.venv/bin/python"
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    container = json.loads(re.search(r"^CMD (.+)$", dockerfile, re.M)[1])
    everywhere, here = "--server.address=0.0.0.0", "--server.address=127.0.0.1"
    assert ["python", *words] == [here if word == everywhere else word for word in container]


def test_the_unit_drops_privileges_it_does_not_need(service):
    wanted = {
        "DynamicUser": "yes",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "NoNewPrivileges": "yes",
        "CapabilityBoundingSet": "",
        "PrivateDevices": "yes",
        "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    }
    assert {name: service[name] for name in wanted} == wanted


def test_systemd_restarts_a_frozen_server(service):
    """The server's part is feed_watchdog, and Restart=on-failure takes a watchdog's end for one."""
    assert service["NotifyAccess"] == "main"
    assert int(service["WatchdogSec"]) >= 30  # it takes a while to import everything
    assert service["Restart"] == "on-failure"


def test_the_unit_may_open_files_for_many_callers(service):
    assert int(service["LimitNOFILE"]) == MOST_FILES
    assert int(service["TasksMax"]) > 0


@pytest.mark.skipif(not shutil.which("caddy"), reason="needs caddy")
def test_the_proxys_log_holds_no_key_and_no_address(tmp_path):
    """Nothing listens behind it, so each request is logged as an error."""
    ports = []
    for _ in range(3):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
    site, behind, admin = ports
    config = (DEPLOY / "Caddyfile").read_text(encoding="utf-8")
    config = config.replace("127.0.0.1:8501", f"127.0.0.1:{behind}")
    config = config.replace("{\n", f"{{\n\tadmin 127.0.0.1:{admin}\n", 1)
    (tmp_path / "Caddyfile").write_text(config)
    process = subprocess.Popen(
        ["caddy", "run", "--adapter", "caddyfile", "--config", tmp_path / "Caddyfile"],
        env=os.environ | {"SITE": f"http://127.0.0.1:{site}", "HOME": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        request = urllib.request.Request(
            f"http://127.0.0.1:{site}/v1/score?key=SECRET1", b"{}", {"X-Goog-Api-Key": "SECRET2"}
        )
        for _ in range(100):
            try:
                urllib.request.urlopen(request, timeout=5)  # noqa: S310
            except urllib.error.HTTPError as error:
                assert error.code == 502
                break
            except OSError:
                time.sleep(0.1)
    finally:
        process.terminate()
        log = process.communicate(timeout=20)[1]
    [line] = [line for line in log.splitlines() if '"http.log.error"' in line]
    assert "connection refused" in line
    assert "SECRET" not in log
    assert '"remote' not in log


def test_the_proxy_forwards_to_the_port_of_the_unit(service):
    port = re.search(r"--server.port=(\d+)", service["ExecStart"])[1]
    assert f"reverse_proxy 127.0.0.1:{port}" in (DEPLOY / "Caddyfile").read_text(encoding="utf-8")
    assert f"http://127.0.0.1:{port}/health/ready" in UPDATE


def test_cloud_init_is_valid_yaml_with_its_header():
    assert (DEPLOY / "cloud-init.yaml").read_text(encoding="utf-8").startswith("#cloud-config\n")
    assert set(CLOUD) == {"package_update", "packages", "write_files", "runcmd"}


def test_cloud_init_writes_every_setting_that_the_update_reads():
    (file,) = CLOUD["write_files"]
    assert f"settings={file['path']}\n" in UPDATE
    assert file["permissions"] == "0600"
    written = set(re.findall(r"^(\w+)=", file["content"], re.M))
    wanted = re.search(r"^for name in (.+); do$", UPDATE, re.M)[1].split()
    assert set(wanted) == written


def test_the_update_does_not_execute_its_settings(tmp_path):
    line = re.search(r"^setting\(\) .+$", UPDATE, re.M)[0]
    assert '. "$settings"' not in UPDATE
    settings = tmp_path / "comment-toxicity.env"
    settings.write_text('BRANCH="main"\n# SITE=:81\nSITE=:80\nKEYS=$(touch ran)&touch ran;a b\n')
    script = f"settings={settings}; {line}\nsetting BRANCH; setting SITE; setting PACKAGES"
    answer = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert answer.stdout == "main\n:80\n"
    assert list(tmp_path.iterdir()) == [settings]


def test_cloud_init_installs_the_programs_that_the_update_calls():
    assert {"caddy", "curl", "git", "make", "python3-venv"} == set(CLOUD["packages"])
    for program in ("caddy", "curl", "git", "make", "python3"):
        assert re.search(rf"\b{program}\b", UPDATE)


def test_cloud_init_clones_into_the_folder_that_the_update_fetches():
    ((*_, script),) = CLOUD["runcmd"]
    home = re.search(r"^home=(.+)$", UPDATE, re.M)[1]
    assert f"{home}/repository" in script
    assert script.rstrip().endswith(f"{home}/repository/deploy/update")


@pytest.mark.parametrize("name", ["update", "entrypoint"])
def test_each_script_is_valid_and_executable(name):
    path = DEPLOY / name
    assert path.stat().st_mode & 0o111
    shell = path.read_text(encoding="utf-8").splitlines()[0].split("/")[-1].split()[-1]
    subprocess.run([shell, "-n", path], check=True)


def test_both_choices_of_packages_are_installed():
    assert "requirements-slim.txt" in UPDATE
    assert 'make --directory "$release" install' in UPDATE
