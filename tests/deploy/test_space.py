"""What a push to main puts into the Space: its front matter, its files, their sizes."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SPACE = yaml.safe_load(README.split("---\n")[1])

# https://huggingface.co/docs/hub/spaces-config-reference
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
NEEDED = {"title", "emoji", "colorFrom", "colorTo", "sdk", "app_port", "license"}
ALLOWED = NEEDED | {"pinned", "short_description", "models", "datasets", "tags"}


def test_the_readme_begins_with_the_spaces_front_matter():
    assert README.startswith("---\n")
    assert NEEDED <= set(SPACE) <= ALLOWED


def test_the_hub_accepts_the_front_matter():
    assert SPACE["sdk"] == "docker"
    assert {SPACE["colorFrom"], SPACE["colorTo"]} <= COLOURS
    assert len(SPACE["short_description"]) <= 60
    assert re.fullmatch(r"[a-z0-9.-]+", SPACE["license"])
    assert all(isinstance(tag, str) for tag in SPACE["tags"])
    assert not SPACE["emoji"].isascii()


def test_the_space_looks_for_the_page_where_the_container_serves_it():
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert f"--server.port={SPACE['app_port']}" in dockerfile
    assert f"PORT ?= {SPACE['app_port']}\n" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_no_file_exceeds_the_upload_limit(synced):
    """hub-sync uploads over HTTP: no LFS is needed, but a Space should stay under 1 GB."""
    sizes = [(ROOT / path).stat().st_size for path in synced]
    assert max(sizes) < 50e6
    assert sum(sizes) < 500e6


def test_files_over_the_push_limit_are_uploaded_over_http(synced):
    """A plain git push to a Space refuses files over 10 MiB, which the models are."""
    assert max((ROOT / path).stat().st_size for path in synced) > 10 * 2**20
    workflow = (ROOT / ".github/workflows/sync-to-space.yml").read_text(encoding="utf-8")
    assert "huggingface/hub-sync@" in workflow
    assert "git push" not in workflow


def test_no_file_is_a_pointer_to_lfs(synced):
    pointers = [
        path
        for path in synced
        if (ROOT / path).read_bytes()[:40].startswith(b"version https://git-lfs")
    ]
    assert pointers == []


def test_every_file_that_the_container_needs_is_synced(synced):
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.M)
    files = {Path(name) for names in copied for name in names.split() if name != "."}
    assert files | {Path("Dockerfile"), Path(".dockerignore"), Path("README.md")} <= set(synced)


def test_settings_that_streamlit_reads_are_synced(synced):
    assert Path(".streamlit/config.toml") in synced


def test_nothing_private_is_synced(synced):
    private = re.compile(r"(^|/)(\.env|secrets?\.\w+|.*\.(pem|key)|token)$")
    assert [path for path in synced if private.search(path.as_posix())] == []
