"""The number of cores that the classifier uses."""

from pathlib import Path

import onnxruntime
import pytest

from comment_toxicity import load_classifier
from comment_toxicity.cpu import cores, has_vnni


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


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("flags\t\t: fpu avx2 avx512f avx512_vnni\n", True),
        ("processor : 0\nflags : avx2 avx_vnni\nprocessor : 1\nflags : avx2 avx_vnni\n", True),
        ("flags : avx2 avx_vnni\nflags : avx2\n", False),
        ("flags : fpu avx2 avx512f\n", False),
        ("Features : fp asimd\n", False),
        (None, False),
    ],
)
def test_vnni_is_told_by_the_flags_of_each_cpu(tmp_path, content, found):
    if content is not None:
        (tmp_path / "cpuinfo").write_text(content)
    assert has_vnni(tmp_path / "cpuinfo") is found


@pytest.mark.parametrize("vnni", [True, False])
def test_only_without_vnni_the_slower_exact_products_are_taken(monkeypatch, vnni):
    taken = []
    monkeypatch.setattr("comment_toxicity.engines.has_vnni", lambda: vnni)
    monkeypatch.setattr(
        onnxruntime.SessionOptions,
        "add_session_config_entry",
        lambda _, name, value: taken.append((name, value)),
    )
    load_classifier()
    assert taken == [("session.x64quantprecision", "1")] * (not vnni)
