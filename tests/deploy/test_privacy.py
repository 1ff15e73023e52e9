"""Scoring sends no telemetry and leaves no trace of the machine."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_scoring_leaves_nothing_in_the_home_folder(tmp_path):
    """ONNX Runtime would keep a number for the machine there, to send along with its events."""
    environment = {name: value for name, value in os.environ.items() if name[:4] != "ORT_"}
    subprocess.run(
        [
            sys.executable,
            "-c",
            "import comment_toxicity; comment_toxicity.load_classifier().score(['Hi!'])",
        ],
        cwd=ROOT,
        env=environment | {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")},
        check=True,
    )
    assert list(tmp_path.iterdir()) == []
