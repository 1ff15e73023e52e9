"""The workflows on GitHub: what they may do, what they pin, when they sync."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
WORKFLOWS = [*sorted((ROOT / ".github/workflows").glob("*.yml")), *ROOT.glob("deploy/*keyless.yml")]
SYNC = [path for path in WORKFLOWS if path.name.startswith("sync-to-space")]


def read(path):
    """The workflow; YAML reads its key `on` as True."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_zizmor_finds_no_serious_problem():
    answer = subprocess.run(
        [
            BIN / "zizmor",
            "--offline",
            "--no-progress",
            "--min-severity=medium",
            "--format=json",
            *WORKFLOWS,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(answer.stdout) == [], answer.stderr
    assert answer.returncode == 0


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_third_party_actions_are_pinned_by_commit_with_their_version(path):
    uses = re.findall(r"uses: (?!\./)(.+)", path.read_text(encoding="utf-8"))
    assert [use for use in uses if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+", use)] == []


def test_each_action_has_the_same_pin_everywhere():
    uses = {use for path in WORKFLOWS for use in re.findall(r"uses: ([^.].+)", path.read_text())}
    assert len(uses) == len({use.split("@")[0] for use in uses})


SIGNS = {"id-token": "write", "attestations": "write"}
WRITES = {
    ("sync-to-space-keyless.yml", "sync"): {"id-token": "write"},
    ("release.yml", "package"): SIGNS,
    ("release.yml", "pypi"): {"id-token": "write"},
    ("release.yml", "image"): SIGNS | {"packages": "write"},
}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_jobs_have_only_the_permissions_they_need(path):
    assert read(path)["permissions"] == {}
    for name, job in read(path)["jobs"].items():
        checks_out = "uses" in job or "actions/checkout" in str(job["steps"])
        reads = {"contents": "read"} if checks_out else {}
        assert job["permissions"] == reads | WRITES.get((path.name, name), {})


def test_releases_are_off_by_default_and_store_no_token():
    path = ROOT / ".github/workflows/release.yml"
    workflow = read(path)
    assert workflow[True] == {"push": {"tags": ["v*"]}}
    assert workflow["jobs"]["test"]["if"] == "vars.RELEASES == 'on'"
    needs = {name: job.get("needs") for name, job in workflow["jobs"].items()}
    assert needs == {"test": None, "package": "test", "pypi": "package", "image": "package"}
    assert "secrets." not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(("tag", "code"), [("v{}", 0), ("v9.{}", 1), ("{}", 1)])
def test_a_release_needs_a_tag_that_matches_its_version(tag, code):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    steps = read(ROOT / ".github/workflows/release.yml")["jobs"]["package"]["steps"]
    [check] = [step["run"] for step in steps if step.get("name", "").startswith("Check")]
    answer = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", check],
        cwd=ROOT,
        env=os.environ | {"GITHUB_REF_NAME": tag.format(project["version"]), "PATH": f"{BIN}:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == code, answer.stderr
    assert answer.stdout.startswith("::error title=The tag is not the version::") == bool(code)


def test_the_tests_run_on_every_python_that_the_project_names():
    job = read(ROOT / ".github/workflows/ci.yml")["jobs"]["test"]
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert job["steps"][-1] == {"run": ".ci/run"}


@pytest.mark.parametrize("path", SYNC, ids=lambda path: path.name)
def test_main_is_synced_after_its_tests_and_only_to_a_space_that_is_named(path):
    workflow = read(path)
    assert workflow[True]["push"] == {"branches": ["main"]}
    assert workflow["jobs"]["test"]["uses"] == "./.github/workflows/ci.yml"
    assert workflow["jobs"]["sync"]["needs"] == "test"
    assert "vars.HF_SPACE != ''" in workflow["jobs"]["sync"]["if"]


def settings_check(space, token):
    """What the sync's first step does with these settings."""
    step = read(SYNC[0])["jobs"]["sync"]["steps"][0]
    assert step["env"] == {
        "HF_SPACE": "${{ vars.HF_SPACE }}",
        "HF_TOKEN": "${{ secrets.HF_TOKEN }}",
    }
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", step["run"]],
        env={"PATH": os.environ["PATH"], "HF_SPACE": space, "HF_TOKEN": token},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_missing_token_ends_the_sync_with_one_clear_error():
    answer = settings_check("ada/comment-toxicity", "")
    assert answer.returncode == 1
    assert answer.stdout.startswith("::error title=The secret HF_TOKEN is missing::Make a token at")
    assert "ada/comment-toxicity" in answer.stdout


@pytest.mark.parametrize("space", ["comment-toxicity", "/x", "ada/", "spaces/ada/x"])
def test_an_invalid_space_name_ends_the_sync_with_one_clear_error(space):
    answer = settings_check(space, "hf_xyz")
    assert answer.returncode == 1
    assert answer.stdout.startswith("::error title=HF_SPACE is not OWNER/NAME::")


def test_valid_settings_start_the_sync_and_show_no_token():
    answer = settings_check("ada/comment-toxicity", "hf_xyz")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
