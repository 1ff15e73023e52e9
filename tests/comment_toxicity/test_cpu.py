"""The number of cores that the classifier uses."""

from pathlib import Path

import pytest

from comment_toxicity.cpu import cores


@pytest.fixture
def cpu_max(tmp_path: Path) -> Path:
    return tmp_path / "cpu.max"


@pytest.mark.parametrize("quota", ["100000 100000\n", "50000 100000\n", "1000 200000\n"])
def test_a_quota_of_one_cpu_or_less_gives_one_thread(cpu_max: Path, quota: str):
    cpu_max.write_text(quota)
    assert cores(cpu_max) == 1


@pytest.mark.parametrize("quota", ["max 100000\n", "6400000 100000\n", "", "100000 0\n"])
def test_without_a_smaller_quota_all_cores_are_used(cpu_max: Path, quota: str):
    cpu_max.write_text(quota)
    assert cores(cpu_max) == cores(Path("/no/such/file")) >= 1
